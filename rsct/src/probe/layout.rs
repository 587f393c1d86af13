//! Where the running kernel keeps what the programs read: offsets of fields and positions of
//! arguments, found by name in its BTF, handed to the programs as globals.

use rsct_common::{
    field::{ABSENT, EXT_TIMEOUT, Field, Need, TUPLE_LAYOUT},
    hook::{Argument, NO_ARGUMENT},
};

use super::{
    enums::{self, Differs},
    object::Object,
};
use crate::kernel::btf::{BtfError, Func, KernelTypes};

/// What the programs' globals are set to.
#[derive(Debug)]
pub struct Layout {
    /// Every field, and where it is.
    pub fields: Vec<(Field, FieldOffset)>,
    /// Every argument, and which one it is.
    pub arguments: Vec<(Argument, Option<u64>)>,
    /// Where `struct nf_ct_ext` says where the timeout extension is, if this kernel has it.
    pub ext_timeout: Option<u32>,
}

/// Where a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldOffset {
    /// At this offset.
    At(u32),
    /// Not there, and why; tracing goes on without it.
    Absent(String),
}

/// Why the programs cannot read this kernel.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A field without which nothing true can be said.
    #[error("cannot trace on this kernel: `{of}.{path}` cannot be found: {cause}")]
    Missing {
        /// The struct.
        of: &'static str,
        /// The member.
        path: &'static str,
        /// What the lookup said.
        cause: BtfError,
    },
    /// A field of another size than the programs read.
    #[error(
        "cannot trace on this kernel: `{of}.{path}` has {found} bytes, the programs read {expected}; \
         this rsct is too old for it, please report it"
    )]
    Size {
        /// The struct.
        of: &'static str,
        /// The member.
        path: &'static str,
        /// Its size here.
        found: u32,
        /// The size the programs read.
        expected: u32,
    },
    /// The tuple is copied whole, so it has to look as expected.
    #[error(
        "cannot trace on this kernel: `struct nf_conntrack_tuple` has `{member}` at {found}, expected at \
         {expected}; this rsct is too old for it, please report it"
    )]
    Tuple {
        /// The member that lies elsewhere.
        member: &'static str,
        /// Where it is.
        found: u32,
        /// Where it was expected.
        expected: u32,
    },
    /// A number that means something else here.
    #[error(
        "cannot trace on this kernel: `{}` of `enum {}` is {}, and rsct takes {} for it; this rsct is too old for \
         it, please report it", .0.variant, .0.of, .0.found, .0.expected
    )]
    Enum(Differs),
    /// The lookup itself failed.
    #[error(transparent)]
    Btf(#[from] BtfError),
}

impl Layout {
    /// Looks up all that the programs of `object` have to know.
    pub fn resolve(types: &KernelTypes, object: &Object) -> Result<Self, LayoutError> {
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
        })
    }

    /// The globals' names and values.
    pub fn globals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
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
        fields.chain(arguments).chain([(EXT_TIMEOUT, ext_timeout)])
    }

    /// The arguments of `function` that the programs need and this kernel's has not.
    pub fn missing_arguments<'a>(&'a self, function: &'a str) -> impl Iterator<Item = &'static str> + 'a {
        self.arguments
            .iter()
            .filter(move |(argument, position)| argument.function == function && position.is_none())
            .map(|(argument, _)| argument.name)
    }
}

/// Kernels are built without policies (CONFIG_NF_CONNTRACK_TIMEOUT): they number their extensions otherwise.
fn ext_timeout(types: &KernelTypes) -> Option<u32> {
    let id = types.enum_value(Some("nf_ct_ext_id"), "NF_CT_EXT_TIMEOUT").ok()?;
    let place = types.field("nf_ct_ext", &format!("offset[{id}]")).ok()?;
    (place.size == 1).then_some(place.offset)
}

/// Every argument wanted, and which one it is in the running kernel.
pub fn arguments(
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

/// Which argument of `function` is called `name`; the value returned comes after the last.
fn position(function: &Func, name: &str) -> Option<u64> {
    if name == "return" {
        return Some(function.params.len() as u64);
    }
    function.param_index(name).map(|index| index as u64)
}

/// Where one field is; an error if tracing cannot do without it.
pub fn place(types: &KernelTypes, field: &Field) -> Result<FieldOffset, LayoutError> {
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
