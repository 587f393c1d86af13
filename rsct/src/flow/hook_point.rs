//! The place where packets are seen.

/// A netfilter hook and an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct HookPoint {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Index of the incoming interface, or of the outgoing one.
    pub ifindex: u32,
    /// The netfilter hook.
    pub hook: u8,
}
