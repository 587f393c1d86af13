//! The process that caused an event, if there is one.

use aya_ebpf::helpers::bpf_get_current_task_btf;

use crate::{
    globals,
    kernel::{Memory as _, Typed, at, field, optional},
};

/// A process.
#[derive(Clone, Copy)]
pub struct Task {
    pub tgid: u32,
    pub comm: [u64; 2],
}

impl Task {
    /// The name as the record has it.
    #[inline(always)]
    pub fn comm_bytes(self) -> [u8; 16] {
        // SAFETY: two words are sixteen bytes.
        unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(self.comm) }
    }
}

/// `THREAD_SIZE`: 16 KiB on amd64 and arm64. With larger stacks (KASAN) a process may not be found.
const STACK_BYTES: u64 = 16 << 10;

/// Returns the current task, if `address` lies on its stack.
///
/// A softirq has the interrupted process as its current task, although that process did not cause it. But softirqs
/// run on a separate stack (arch/x86/kernel/irq_64.c, arm64's `call_on_irq_stack`), so an operation on the task's own
/// stack was caused by the task.
#[inline(always)]
pub fn on_whose_stack(address: u64) -> Option<Task> {
    // SAFETY: no arguments; the verifier knows the result as a live task_struct.
    let task = unsafe { bpf_get_current_task_btf() } as *const u8;
    let stack: u64 = optional::<Typed, _>(task, &globals::TASK_STACK);
    if stack == 0 || address.wrapping_sub(stack) >= STACK_BYTES {
        return None;
    }
    let comm = at(task, globals::TASK_COMM.load());
    Some(Task {
        tgid: field::<Typed, _>(task, &globals::TASK_TGID),
        comm: [Typed::read(comm), Typed::read(at(comm, 8))],
    })
}
