//! Ids in vmlinux's BTF, which calls of kernel functions need.

use super::{KernelTypes, field, raw::Kind, scope::Scope};

impl KernelTypes {
    /// Returns the id of vmlinux's function of that name.
    pub fn vmlinux_func(&self, name: &str) -> Option<u32> {
        self.vmlinux_scope().named(name, &[Kind::Func]).first().copied()
    }

    /// Returns the id of vmlinux's struct of that name, if it has these fields where [`KernelTypes::field`] finds them:
    /// a module may describe another.
    pub fn vmlinux_struct(&self, name: &str, paths: &[&str]) -> Option<u32> {
        let scope = self.vmlinux_scope();
        let agrees = |id: u32, path: &str| {
            let mut missing = path;
            let copy = field::find(scope, id, path, &mut missing);
            matches!((copy, self.field(name, path)), (Ok(Some(copy)), Ok(field)) if copy == field)
        };
        scope
            .named(name, &[Kind::Struct])
            .into_iter()
            .find(|id| paths.iter().all(|path| agrees(*id, path)))
    }

    fn vmlinux_scope(&self) -> Scope<'_> {
        Scope {
            object: &self.vmlinux,
            base: None,
        }
    }
}
