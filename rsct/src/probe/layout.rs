//! Offsets of fields and positions of arguments in the running kernel, found by name in its BTF and passed to the
//! programs as globals.

use rsct_common::{
    cast::{HOOK_STATE_TYPE, NF_CONN_TYPE, SK_BUFF_TYPE},
    field::{ABSENT, EXT_TIMEOUT, Field, Need, TUPLE_LAYOUT},
    hook::{Argument, NO_ARGUMENT},
};

use super::{
    cast::Cast,
    enums::{self, Differs},
    object::Object,
};
use crate::kernel::btf::{BtfError, Func, KernelTypes};

/// The values of the programs' globals.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Every field with its offset.
    pub fields: Vec<(Field, FieldOffset)>,
    /// Every argument with its position.
    pub arguments: Vec<(Argument, Option<u64>)>,
    /// The offset in `struct nf_ct_ext` of the timeout extension's offset, if this kernel has it.
    pub ext_timeout: Option<u32>,
    /// The cast to a typed pointer, if this kernel has it.
    pub cast: Option<Cast>,
}

/// The offset of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldOffset {
    /// At this offset.
    At(u32),
    /// Missing, and why; tracing works without it.
    Absent(String),
}

/// The programs cannot read this kernel's structs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    /// A required field is missing.
    #[error("cannot trace on this kernel: `{of}.{path}` cannot be found: {cause}")]
    Missing {
        /// The struct.
        of: &'static str,
        /// The member.
        path: &'static str,
        /// The error of the lookup.
        cause: BtfError,
    },
    /// A field of another size than the programs read.
    #[error(
        "cannot trace on this kernel: `{of}.{path}` has {found} bytes, the programs read {expected}; \
         this rsct does not support the kernel, please report it"
    )]
    Size {
        /// The struct.
        of: &'static str,
        /// The member.
        path: &'static str,
        /// Its size in this kernel.
        found: u32,
        /// The size the programs read.
        expected: u32,
    },
    /// The tuple is copied whole, so its layout must match.
    #[error(
        "cannot trace on this kernel: `struct nf_conntrack_tuple` has `{member}` at {found}, expected at \
         {expected}; this rsct does not support the kernel, please report it"
    )]
    Tuple {
        /// The member at another offset.
        member: &'static str,
        /// Its offset in this kernel.
        found: u32,
        /// The expected offset.
        expected: u32,
    },
    /// An enumerator has another value in this kernel.
    #[error(
        "cannot trace on this kernel: `{}` of `enum {}` is {}, but rsct expects {}; this rsct does not \
         support the kernel, please report it", .0.variant, .0.of, .0.found, .0.expected
    )]
    Enum(Differs),
    /// The lookup itself failed.
    #[error(transparent)]
    Btf(#[from] BtfError),
}

impl Layout {
    /// Looks up all fields and arguments of the programs of `object`.
    pub(crate) fn resolve(types: &KernelTypes, object: &Object) -> Result<Self, LayoutError> {
        types.check_conntrack()?;
        check_tuple(types)?;
        if let Some(differs) = enums::first_difference(types) {
            return Err(LayoutError::Enum(differs));
        }
        let fields = object
            .fields
            .iter()
            .copied()
            .flatten()
            .map(|field| Ok((*field, place(types, field)?)))
            .collect::<Result<_, LayoutError>>()?;
        let arguments = arguments(types, object.arguments)?;
        Ok(Self {
            fields,
            arguments,
            ext_timeout: ext_timeout(types),
            cast: Cast::find(types),
        })
    }

    /// The names and values of the globals.
    pub(crate) fn globals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let fields = self.fields.iter().map(|(field, place)| {
            let value = match place {
                FieldOffset::At(offset) => u64::from(*offset),
                FieldOffset::Absent(_) => ABSENT,
            };
            (field.global, value)
        });
        let arguments = self
            .arguments
            .iter()
            .map(|(argument, position)| (argument.global, position.unwrap_or(NO_ARGUMENT)));
        let ext_timeout = self.ext_timeout.map_or(ABSENT, u64::from);
        let nf_conn = self.cast.map_or(0, |cast| u64::from(cast.nf_conn));
        let [sk_buff, hook_state] = self.cast.and_then(|cast| cast.arguments).unwrap_or_default();
        fields.chain(arguments).chain([
            (EXT_TIMEOUT, ext_timeout),
            (NF_CONN_TYPE, nf_conn),
            (SK_BUFF_TYPE, sk_buff.into()),
            (HOOK_STATE_TYPE, hook_state.into()),
        ])
    }

    /// The arguments of `function` that the programs need and this kernel's function does not have.
    pub(crate) fn missing_arguments<'a>(
        &'a self,
        function: &'a str,
    ) -> impl Iterator<Item = &'static str> + 'a {
        self.arguments
            .iter()
            .filter(move |(argument, position)| argument.function == function && position.is_none())
            .map(|(argument, _)| argument.name)
    }
}

/// Kernels without policies (CONFIG_NF_CONNTRACK_TIMEOUT) number their extensions differently.
fn ext_timeout(types: &KernelTypes) -> Option<u32> {
    let id = types.enum_value(Some("nf_ct_ext_id"), "NF_CT_EXT_TIMEOUT").ok()?;
    let place = types.field("nf_ct_ext", &format!("offset[{id}]")).ok()?;
    (place.size == 1).then_some(place.offset)
}

/// Looks up the positions of all arguments in the running kernel.
pub(crate) fn arguments(
    types: &KernelTypes,
    wanted: &[&[Argument]],
) -> Result<Vec<(Argument, Option<u64>)>, BtfError> {
    let mut arguments = Vec::new();
    let mut function: Option<Func> = None;
    for argument in wanted.iter().copied().flatten() {
        if function
            .as_ref()
            .is_none_or(|function| function.name != argument.function)
        {
            function = types.func(argument.function)?;
        }
        arguments.push((
            *argument,
            function
                .as_ref()
                .and_then(|function| position(function, argument.name)),
        ));
    }
    Ok(arguments)
}

/// Returns the position of the argument `name` of `function`; the return value has the position after the last.
fn position(function: &Func, name: &str) -> Option<u64> {
    if name == "return" {
        return Some(function.params.len() as u64);
    }
    function.param_index(name).map(|index| index as u64)
}

/// Looks up the offset of a field; an error if tracing requires it.
pub(crate) fn place(types: &KernelTypes, field: &Field) -> Result<FieldOffset, LayoutError> {
    match types.field(field.of, field.path) {
        Ok(found) if found.size == field.bytes && found.bits.is_none() => Ok(FieldOffset::At(found.offset)),
        Ok(found) => match field.need {
            Need::Required => Err(LayoutError::Size {
                of: field.of,
                path: field.path,
                found: found.size,
                expected: field.bytes,
            }),
            Need::Optional => Ok(FieldOffset::Absent(format!(
                "{} bytes here, the programs read {}",
                found.size, field.bytes
            ))),
        },
        Err(cause) => match field.need {
            Need::Required => Err(LayoutError::Missing {
                of: field.of,
                path: field.path,
                cause,
            }),
            Need::Optional => Ok(FieldOffset::Absent(cause.to_string())),
        },
    }
}

fn check_tuple(types: &KernelTypes) -> Result<(), LayoutError> {
    for &(member, expected) in TUPLE_LAYOUT {
        let found = types.field("nf_conntrack_tuple", member)?.offset;
        if found != expected {
            return Err(LayoutError::Tuple {
                member,
                found,
                expected,
            });
        }
    }
    Ok(())
}
