//! Lookup of types, fields and functions in the kernel's BTF.
//!
//! Offsets and argument positions differ between kernels, even of the same version, and Rust eBPF programs
//! carry no relocations. So the loader looks them up and passes them to the programs as constants. This
//! reader exists because startup time matters: it indexes vmlinux in a few million instructions and reads
//! from the raw bytes.
//!
//! Conntrack is mostly a module, whose types are "split" BTF on top of vmlinux's; if it is built in,
//! everything is in vmlinux. Lookups search the modules first, then vmlinux.

mod error;
mod field;
mod func;
mod mapped;
mod object;
mod raw;
mod scope;
#[cfg(test)]
mod tests;
mod vmlinux;

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;

pub(crate) use error::BtfError;
pub use field::Field;
pub use func::Func;
use object::Object;
use raw::Kind;
use scope::Scope;

use super::bpf_syscall;

/// Directory of the kernel's BTF files.
const BTF_DIR: &str = "/sys/kernel/btf";
/// Name of the kernel's own BTF object.
const VMLINUX: &str = "vmlinux";
/// The modules to search, in lookup order.
const MODULES: [&str; 3] = ["nf_conntrack", "nf_nat", "nf_conntrack_netlink"];

/// The types of the running kernel and of its conntrack modules.
pub struct KernelTypes {
    vmlinux: Object,
    modules: Vec<Object>,
}

/// The error if conntrack's types are missing. A module that is not loaded is reported by the code that
/// attaches.
fn missing_types(is_described: bool, has_sysfs: bool, is_module: bool) -> Option<BtfError> {
    match (is_described, has_sysfs, is_module) {
        (true, ..) => None,
        (false, false, _) => Some(BtfError::NoSysfs),
        (false, true, true) => Some(BtfError::NoModuleTypes),
        (false, true, false) => None,
    }
}

impl KernelTypes {
    /// Reads the running kernel's types. Modules that are not loaded, or built in, are skipped.
    pub fn open() -> Result<Self, BtfError> {
        let dir = Path::new(BTF_DIR);
        if let Some(bytes) = mapped::vmlinux(&dir.join(VMLINUX)) {
            return Self::with_modules(bytes, dir);
        }
        // Reading the file copies one page at a time; the system call copies all at once, but needs
        // privileges.
        match bpf_syscall::kernel_btf(VMLINUX) {
            Ok(bytes) => Self::with_modules(bytes, dir),
            Err(_) => Self::open_dir(dir),
        }
    }

    /// Reads types from files laid out as in `/sys/kernel/btf`.
    pub fn open_dir(dir: &Path) -> Result<Self, BtfError> {
        let vmlinux = dir.join(VMLINUX);
        let Some(bytes) = read(&vmlinux)? else {
            return Err(BtfError::Absent { path: vmlinux });
        };
        Self::with_modules(bytes, dir)
    }

    fn with_modules(vmlinux: impl Into<Cow<'static, [u8]>>, dir: &Path) -> Result<Self, BtfError> {
        let mut modules = Vec::new();
        for name in MODULES {
            if let Some(bytes) = read(&dir.join(name))? {
                modules.push((name, bytes));
            }
        }
        Self::from_bytes(vmlinux, modules)
    }

    /// Reads types from bytes: vmlinux's BTF, and modules' split BTF on top of it.
    pub fn from_bytes<'n>(
        vmlinux: impl Into<Cow<'static, [u8]>>,
        modules: impl IntoIterator<Item = (&'n str, Vec<u8>)>,
    ) -> Result<Self, BtfError> {
        let vmlinux = Object::parse(VMLINUX, vmlinux, None)?;
        let modules = modules
            .into_iter()
            .map(|(name, bytes)| Object::parse(name, bytes, Some(&vmlinux)))
            .collect::<Result<_, _>>()?;
        Ok(Self { vmlinux, modules })
    }

    /// Returns an error if conntrack is loaded and its types are missing.
    pub fn check_conntrack(&self) -> Result<(), BtfError> {
        let is_described = self.func("nf_conntrack_in")?.is_some();
        // Only a module has an `initstate`.
        let [has_sysfs, is_module] =
            [BTF_DIR, "/sys/module/nf_conntrack/initstate"].map(|path| Path::new(path).exists());
        missing_types(is_described, has_sysfs, is_module).map_or(Ok(()), Err)
    }

    /// Returns whether this module has a BTF file of its own.
    pub fn has_module(&self, name: &str) -> bool {
        self.modules.iter().any(|module| module.name() == name)
    }

    /// Offset of the field at `path` in the struct, union or typedef `container`.
    ///
    /// Dots separate named members; anonymous members are transparent as in C: `field("sk_buff", "_nfct")`,
    /// `field("nf_conn", "proto.tcp.state")`, `field("nf_conn", "tuplehash[1].tuple")`. An array without an
    /// index is its first element within a path, and the whole array at the end.
    pub fn field(&self, container: &str, path: &str) -> Result<Field, BtfError> {
        let mut missing = path;
        let label = || format!("{container}.{path}");
        let found = self.agreed(container, label, |scope, id| {
            field::find(scope, id, path, &mut missing)
        })?;
        found.ok_or_else(|| BtfError::NoField {
            container: container.to_owned(),
            path: path.to_owned(),
            part: missing.to_owned(),
        })
    }

    /// Size in bytes of the struct, union or typedef `name`.
    pub fn struct_size(&self, name: &str) -> Result<u32, BtfError> {
        self.agreed(name, || name.to_owned(), |scope, id| scope.size(id))
    }

    /// The value of the enumerator `variant`, of `container` or, with `None`, of any enum.
    ///
    /// Passing the enum is much faster; `None` is for anonymous enums.
    pub fn enum_value(&self, container: Option<&str>, variant: &str) -> Result<i64, BtfError> {
        for scope in self.scopes() {
            let named = container.map(|name| scope.named(name, &[Kind::Enum, Kind::Enum64]));
            let enums = named.as_deref().unwrap_or_else(|| scope.object.enums());
            let found: Vec<i64> = enums
                .iter()
                .filter_map(|id| scope.object.ty(*id))
                .filter_map(|ty| {
                    ty.values()
                        .find(|(name, _)| scope.is_named(*name, variant))
                        .map(|(_, value)| value)
                })
                .collect();
            if let Some(value) = all_equal(&found, scope, || variant.to_owned())? {
                return Ok(value);
            }
        }
        Err(BtfError::NoVariant {
            container: container.map(str::to_owned),
            variant: variant.to_owned(),
        })
    }

    /// Names, without `prefix`, and values of the enumerators of `container` that begin with `prefix`; empty
    /// if there is no such enum.
    pub fn variants(&self, container: &str, prefix: &str) -> Vec<(String, i64)> {
        for scope in self.scopes() {
            let named = scope.named(container, &[Kind::Enum, Kind::Enum64]);
            if let Some(ty) = named.first().and_then(|id| scope.object.ty(*id)) {
                return ty
                    .values()
                    .filter_map(|(name, value)| {
                        Some((scope.name(name).strip_prefix(prefix)?.to_owned(), value))
                    })
                    .collect();
            }
        }
        Vec::new()
    }

    /// The function of that name, if the kernel's BTF describes one.
    pub fn func(&self, name: &str) -> Result<Option<Func>, BtfError> {
        for scope in self.scopes() {
            let module = scope.base.map(|_| scope.object.name());
            for id in scope.named(name, &[Kind::Func]) {
                if let Some(func) = Func::read(scope, name, id, module)? {
                    return Ok(Some(func));
                }
            }
        }
        Ok(None)
    }

    /// Each object with its base, modules first.
    fn scopes(&self) -> impl Iterator<Item = Scope<'_>> {
        let modules = self.modules.iter().map(|object| Scope {
            object,
            base: Some(&self.vmlinux),
        });
        modules.chain([Scope {
            object: &self.vmlinux,
            base: None,
        }])
    }

    /// Calls `lookup` for each description of `name` in the first object that has any.
    ///
    /// Some distributions' modules contain several copies of `struct nf_conn`, because deduplication failed
    /// in their build: the results must be equal.
    fn agreed<T: PartialEq + Clone>(
        &self,
        name: &str,
        label: impl Fn() -> String,
        mut lookup: impl FnMut(Scope<'_>, u32) -> Result<T, BtfError>,
    ) -> Result<T, BtfError> {
        for kinds in [&[Kind::Struct, Kind::Union][..], &[Kind::Typedef]] {
            for scope in self.scopes() {
                let copies = scope.named(name, kinds);
                let found = copies
                    .into_iter()
                    .map(|id| lookup(scope, id))
                    .collect::<Result<Vec<_>, _>>()?;
                if let Some(answer) = all_equal(&found, scope, &label)? {
                    return Ok(answer);
                }
            }
        }
        Err(BtfError::NoType {
            name: name.to_owned(),
        })
    }
}

fn all_equal<T: PartialEq + Clone>(
    found: &[T],
    scope: Scope<'_>,
    label: impl Fn() -> String,
) -> Result<Option<T>, BtfError> {
    let Some((first, rest)) = found.split_first() else {
        return Ok(None);
    };
    if rest.iter().any(|other| other != first) {
        let object = scope.object.name().to_owned();
        return Err(BtfError::Disagree {
            object,
            name: label(),
            copies: found.len(),
        });
    }
    Ok(Some(first.clone()))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, BtfError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BtfError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}
