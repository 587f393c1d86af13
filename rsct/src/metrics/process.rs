//! rsct's own use of CPU and memory, as `/proc/self/stat` has it.

/// The use of CPU and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Process {
    /// User and system time.
    pub cpu_s: f64,
    /// Resident memory.
    pub resident_bytes: u64,
}

impl Process {
    /// Parses `/proc/self/stat`; none if it has another form.
    pub(crate) fn parse(stat: &str, ticks_per_s: u64, page_bytes: u64) -> Option<Self> {
        // The name may contain spaces and parentheses.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        // proc(5) numbers fields from 1, and the first of these is the third.
        let field = |number: usize| fields.get(number - 3)?.trim().parse::<u64>().ok();
        let ticks = |ticks: u64| ticks as f64 / ticks_per_s as f64;
        Some(Self {
            cpu_s: ticks(field(14)? + field(15)?),
            resident_bytes: field(24)? * page_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_is_skipped() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 1234 9999 25 184467\n";
        let process = Process::parse(stat, 100, 4096).unwrap();
        assert_eq!(
            process,
            Process {
                cpu_s: 2.0,
                resident_bytes: 25 * 4096,
            }
        );
        assert_eq!(Process::parse("7 (a)", 100, 4096), None);
    }
}
