//! The connection tracking helper of an entry.

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError},
    emit::Emitter,
};

/// The connection tracking helper of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Helper<'a> {
    /// Its name. In a request, an empty name removes the entry's helper.
    pub name: &'a [u8],
    /// Data that a user-space helper keeps with the entry.
    pub info: Option<&'a [u8]>,
}

pub(super) fn parse(attr: Attr<'_>) -> Result<Option<Helper<'_>>, AttrError> {
    let info = attr.find(CTA_HELP_INFO)?.map(|info| info.payload);
    Ok(attr.find(CTA_HELP_NAME)?.map(|name| Helper {
        name: name.string(),
        info,
    }))
}

pub(super) fn emit(out: &mut Emitter<'_>, helper: Helper<'_>) {
    out.nest(CTA_HELP, |out| {
        out.string(CTA_HELP_NAME, helper.name);
        if let Some(info) = helper.info {
            out.put(CTA_HELP_INFO, info);
        }
    });
}
