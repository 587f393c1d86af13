//! Specialization of programs for this kernel and this command line, before they are loaded.
//!
//! Offsets and the filter are constants in the map `.rodata`. The verifier prunes unreachable code, but only after
//! passes over all instructions, and those need most of the time in which Linux 7.3 loads a program. The passes here
//! do it first: [`fold`] puts the constants into the instructions, [`flow`] and [`jumps`] remove unused and
//! unreachable ones, [`addresses`] shortens address computations.
//!
//! A program with an instruction that the decoder does not know stays unchanged.

mod addresses;
mod code;
mod constants;
mod flow;
mod fold;
mod insn;
mod jumps;
mod opcode;
mod value;

#[cfg(test)]
mod tests;

use aya_obj::generated::bpf_insn;

use flow::Liveness;

/// The frozen map `.rodata`.
#[derive(Debug)]
pub(super) struct Rodata {
    /// Its fd, by which instructions refer to it.
    pub fd: i32,
    /// Its value.
    pub bytes: Vec<u8>,
}

impl Rodata {
    /// Returns the number in `bytes` bytes at `at`, if all of them are in the map.
    fn load(&self, at: u64, bytes: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(bytes)?)?;
        Some(match *bytes {
            [byte] => byte.into(),
            [a, b] => u16::from_ne_bytes([a, b]).into(),
            [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
            _ => u64::from_ne_bytes(bytes.try_into().ok()?),
        })
    }
}

/// Returns a program that does the same with this `.rodata`, in fewer instructions.
pub(super) fn specialize(program: &[bpf_insn], rodata: &Rodata) -> Vec<bpf_insn> {
    shortened(program, rodata).unwrap_or_else(|| program.to_vec())
}

fn shortened(program: &[bpf_insn], rodata: &Rodata) -> Option<Vec<bpf_insn>> {
    let mut code = code::decode(program)?;
    fold::fold(&mut code, rodata);
    loop {
        jumps::straighten(&mut code);
        let flow = Liveness::of(&code);
        let swept = flow::sweep(&mut code, &flow);
        let displaced = addresses::displace(&mut code, &flow);
        let uncopied = addresses::uncopy(&mut code, &flow);
        if !(swept || displaced || uncopied) {
            return code::encode(&code);
        }
    }
}
