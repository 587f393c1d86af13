//! Label names and label bits for the label options.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::PathBuf};

use super::problem::Problem;
use crate::{
    clib::errno,
    labels::{LabelError, LabelMap},
    message,
};

/// Label bits in words of 32, lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelWords(Vec<u32>);

impl LabelWords {
    /// Sets a bit and grows the words to hold it.
    pub(super) fn add(&mut self, bit: u16) {
        let word = usize::from(bit) / 32;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (bit % 32);
    }

    /// The bits as a netlink attribute.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    /// The words.
    pub(super) fn words(&self) -> &[u32] {
        &self.0
    }
}

/// The names of labels, read on first use.
#[derive(Debug, Default)]
pub(super) struct LabelNames {
    path: Option<PathBuf>,
    map: Option<LabelMap>,
}

impl LabelNames {
    /// Sets another file than conntrack's default.
    pub(super) fn set_path(&mut self, path: Vec<u8>) -> Result<(), Problem> {
        if self.path.is_some() {
            return Err(Problem::parameter(
                "option `--labelmap' can only be specified once",
            ));
        }
        self.path = Some(OsString::from_vec(path).into());
        Ok(())
    }

    /// Reads the file; on failure prints a message and continues without names.
    pub(super) fn read(&mut self) {
        if self.map.is_some() {
            return;
        }
        let error = match LabelMap::load(self.path.as_deref()) {
            Ok(map) if !map.is_empty() => {
                self.map = Some(map);
                return;
            }
            // The C library's text for errno 0.
            Ok(_) => "Success".to_owned(),
            Err(LabelError::Read { source, .. }) => errno::sentence(source.raw_os_error().unwrap_or(0)),
            Err(error) => error.to_string(),
        };
        message::write(format!("nfct_labelmap_new: {error}\n"));
    }

    /// Reads the file silently: labels can be given as numbers too.
    pub(super) fn read_quietly(&mut self) {
        if self.map.is_none() {
            self.map = LabelMap::load(self.path.as_deref())
                .ok()
                .filter(|map| !map.is_empty());
        }
    }

    /// The names, if they were needed and could be read.
    pub(super) fn map(&self) -> Option<&LabelMap> {
        self.map.as_ref()
    }

    /// Reads the file for a list of labels. Numbers are accepted too, because labels without a name are saved as
    /// numbers; a list of numbers needs no names.
    pub(super) fn read_for(&mut self, list: &[u8]) {
        let unnamed = LabelMap::default();
        let number = |typed: &[u8]| std::str::from_utf8(typed).ok().and_then(|t| unnamed.find(t));
        if list
            .split(|byte| *byte == b',')
            .all(|typed| number(typed).is_some())
        {
            self.read_quietly();
        } else {
            self.read();
        }
    }

    /// Adds the bits of a list of labels.
    pub(super) fn bits(&self, list: &[u8], bits: &mut LabelWords) -> Result<(), Problem> {
        let unnamed = LabelMap::default();
        for typed in list.split(|byte| *byte == b',') {
            let named = std::str::from_utf8(typed)
                .ok()
                .and_then(|typed| self.map.as_ref().unwrap_or(&unnamed).find(typed));
            let unknown = || Problem::parameter_with("unknown label '", typed, "'");
            bits.add(named.ok_or_else(unknown)?);
        }
        Ok(())
    }
}
