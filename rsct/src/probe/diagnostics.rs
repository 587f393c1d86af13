//! The programs' own diagnostics (aya-log): compiled in, and off unless asked for, so that the kernel
//! drops them from the programs when it loads them.

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// The global that says what is logged (`aya_log::LEVEL`).
pub(super) const LEVEL: &str = aya_log::LEVEL;
/// Nothing is.
pub(super) const OFF: u8 = 0;
/// Everything is.
pub(super) const ALL: u8 = log::Level::Trace as u8;

/// Shows diagnostics on standard error.
struct ToStderr;

impl Log for ToStderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        message!(
            "bpf {}: {}",
            record.level().as_str().to_lowercase(),
            record.args()
        );
    }

    fn flush(&self) {}
}

/// Reads the diagnostics.
pub struct Diagnostics(EbpfLogger<ToStderr>);

impl Diagnostics {
    pub(super) fn of(ebpf: &mut Ebpf) -> Result<Self, String> {
        EbpfLogger::init_with_logger(ebpf, ToStderr)
            .map(Self)
            .map_err(|error| format!("the programs' diagnostics cannot be read: {error}"))
    }

    /// Shows what has come.
    pub fn show(&mut self) {
        self.0.flush();
    }
}
