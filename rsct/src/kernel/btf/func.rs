//! A kernel function as BTF describes it: its module, its parameters and its return type.

use std::fmt;

use super::error::BtfError;
use super::raw::Kind;
use super::scope::Scope;

/// A kernel function.
///
/// BTF also describes functions that the compiler dropped, so a program may be unable to attach to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Func {
    /// The function's name.
    pub name: String,
    /// The module whose BTF describes it; `None` for `vmlinux`.
    pub module: Option<String>,
    /// Its type id; a module's ids continue after those of vmlinux.
    pub type_id: u32,
    /// Its parameters in order, without the `...` of a variadic function.
    pub params: Vec<Param>,
    /// True if it ends in `...`; fentry refuses such functions (`btf_distill_func_proto` in
    /// kernel/bpf/btf.c).
    pub variadic: bool,
    /// Its return type.
    pub returns: Value,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name; empty if the kernel's source has none.
    pub name: String,
    /// Its type.
    pub value: Value,
}

/// The type of a parameter or return value, as far as a program needs it to read the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Void,
    /// A pointer, with the name of the struct or union that it points to, if any.
    Pointer(Option<String>),
    /// An integer, `bool` or enum.
    Int {
        /// Significant bytes; the rest of the register is undefined.
        size: u32,
        /// True if it is signed.
        signed: bool,
    },
    /// A struct, union, float or array passed by value.
    Other {
        /// Size in bytes.
        size: u32,
    },
}

impl Func {
    /// The position of the parameter called `name`.
    pub fn param_index(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|param| param.name == name)
    }

    /// Reads function `id`; returns `None` if its prototype is missing.
    pub(super) fn read(
        scope: Scope<'_>,
        name: &str,
        id: u32,
        module: Option<&str>,
    ) -> Result<Option<Self>, BtfError> {
        let proto = scope.ty(scope.ty(id)?.size_or_type)?;
        if proto.kind != Kind::FuncProto {
            return Ok(None);
        }
        let mut params = proto
            .params()
            .map(|param| {
                Ok(Param {
                    name: scope.name(param.name_offset),
                    value: Value::read(scope, param.type_id)?,
                })
            })
            .collect::<Result<Vec<_>, BtfError>>()?;
        // BTF encodes `...` as a last parameter of type void.
        let variadic = params.pop_if(|last| last.value == Value::Void).is_some();
        let returns = Value::read(scope, proto.size_or_type)?;
        let module = module.map(str::to_owned);
        Ok(Some(Self {
            name: name.to_owned(),
            module,
            type_id: id,
            params,
            variadic,
            returns,
        }))
    }
}

impl Value {
    fn read(scope: Scope<'_>, id: u32) -> Result<Self, BtfError> {
        let Some(ty) = scope.resolve(id)? else {
            return Ok(Self::Void);
        };
        Ok(match ty.kind {
            Kind::Ptr => {
                let target = scope.resolve(ty.size_or_type)?;
                let target = target.filter(|ty| matches!(ty.kind, Kind::Struct | Kind::Union | Kind::Fwd));
                Self::Pointer(target.map(|ty| scope.name(ty.name_offset)))
            }
            Kind::Int | Kind::Enum | Kind::Enum64 => Self::Int {
                size: ty.size_or_type,
                signed: ty.is_signed(),
            },
            _ => Self::Other {
                size: scope.size(id)?,
            },
        })
    }
}

/// Prints the signature on one line, such as `nf_ct_delete(nf_conn *ct, u32 portid, s32 report) -> u8`.
impl fmt::Display for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (index, param) in self.params.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let space = if matches!(param.value, Value::Pointer(_)) {
                ""
            } else {
                " "
            };
            write!(f, "{comma}{}{space}{}", param.value, param.name)?;
        }
        if self.variadic {
            write!(f, ", ...")?;
        }
        write!(f, ")")?;
        match &self.returns {
            Value::Void => Ok(()),
            returns => write!(f, " -> {}", returns.to_string().trim_end()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void => write!(f, "void"),
            Self::Pointer(None) => write!(f, "void *"),
            Self::Pointer(Some(name)) => write!(f, "{name} *"),
            Self::Int { size, signed } => {
                write!(f, "{}{}", if *signed { "s" } else { "u" }, size.saturating_mul(8))
            }
            Self::Other { size } => write!(f, "[{size} bytes]"),
        }
    }
}
