//! A module's types together with the `vmlinux` types that they refer to.
//!
//! Ids and string offsets of a module's BTF may refer to vmlinux's; a scope resolves both.

use super::error::BtfError;
use super::object::Object;
use super::raw::{Kind, Type};

/// Limit on the typedefs and qualifiers in front of a type; the kernel's own limit is 32 (`MAX_RESOLVE_DEPTH`
/// in kernel/bpf/btf.c).
const MAX_CHAIN: usize = 32;

/// The object to search, with its base if it is a module.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) object: &'a Object,
    pub(super) base: Option<&'a Object>,
}

impl<'a> Scope<'a> {
    pub(super) fn malformed(&self, what: impl Into<String>) -> BtfError {
        BtfError::Malformed {
            object: self.object.name().to_owned(),
            what: what.into(),
        }
    }

    /// The type with this id, in the object or its base. `void` (0) has none.
    pub(super) fn ty(&self, id: u32) -> Result<Type<'a>, BtfError> {
        self.object
            .ty(id)
            .or_else(|| self.base.and_then(|base| base.ty(id)))
            .ok_or_else(|| self.malformed(format!("it refers to type {id}, which does not exist")))
    }

    /// The string at this offset and all that follows it.
    fn tail(&self, offset: u32) -> Option<&'a [u8]> {
        self.object
            .string_tail(offset)
            .or_else(|| self.base.and_then(|base| base.string_tail(offset)))
    }

    /// Returns whether the string at this offset is `name`.
    pub(super) fn is_named(&self, offset: u32, name: &str) -> bool {
        self.tail(offset).is_some_and(|tail| {
            tail.get(..name.len()) == Some(name.as_bytes())
                && tail.get(name.len()).is_none_or(|end| *end == 0)
        })
    }

    /// The string at this offset; empty if there is none.
    pub(super) fn name(&self, offset: u32) -> String {
        let tail = self.tail(offset).unwrap_or_default();
        let end = tail.iter().position(|byte| *byte == 0).unwrap_or(tail.len());
        String::from_utf8_lossy(&tail[..end]).into_owned()
    }

    /// Types of that name and one of `kinds`, in this object without its base.
    pub(super) fn named(&self, name: &str, kinds: &[Kind]) -> Vec<u32> {
        let mut found: Vec<u32> = self
            .object
            .candidates(name)
            .filter(|id| {
                self.object
                    .ty(*id)
                    .is_some_and(|ty| kinds.contains(&ty.kind) && self.is_named(ty.name_offset, name))
            })
            .collect();
        found.reverse();
        found
    }

    /// The type after all typedefs and qualifiers are resolved; `None` is `void`.
    pub(super) fn resolve(&self, id: u32) -> Result<Option<Type<'a>>, BtfError> {
        let mut id = id;
        for _ in 0..=MAX_CHAIN {
            if id == 0 {
                return Ok(None);
            }
            let ty = self.ty(id)?;
            if !matches!(ty.kind, Kind::Typedef | Kind::Qualifier) {
                return Ok(Some(ty));
            }
            id = ty.size_or_type;
        }
        Err(self.malformed(format!("type {id} has more than {MAX_CHAIN} typedefs")))
    }

    /// Size in bytes of a value of this type.
    pub(super) fn size(&self, id: u32) -> Result<u32, BtfError> {
        let (mut id, mut count) = (id, 1_u32);
        for _ in 0..=MAX_CHAIN {
            let Some(ty) = self.resolve(id)? else { return Ok(0) };
            let bytes = match ty.kind {
                Kind::Ptr => u32::try_from(size_of::<usize>()).unwrap_or(8),
                Kind::Array => {
                    let (element, length) = ty.array().unwrap_or_default();
                    count = count.checked_mul(length).ok_or_else(|| {
                        self.malformed(format!("the array of type {id} is larger than memory"))
                    })?;
                    id = element;
                    continue;
                }
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float
                | Kind::Datasec => ty.size_or_type,
                _ => 0,
            };
            return bytes
                .checked_mul(count)
                .ok_or_else(|| self.malformed(format!("type {id} is larger than memory")));
        }
        Err(self.malformed(format!(
            "type {id} is an array with more than {MAX_CHAIN} dimensions"
        )))
    }
}
