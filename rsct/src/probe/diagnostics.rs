//! The programs' diagnostics (aya-log): compiled in, and disabled by default, so that the kernel removes them from
//! the programs at load time.

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// The global with the log level (`aya_log::LEVEL`).
pub(super) const LEVEL: &str = aya_log::LEVEL;
/// Log nothing.
pub(super) const OFF: u8 = 0;
/// Log everything.
pub(super) const ALL: u8 = log::Level::Trace as u8;

/// Prints diagnostics to standard error.
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

/// The reader of the diagnostics.
pub(crate) struct Diagnostics(EbpfLogger<ToStderr>);

impl Diagnostics {
    pub(super) fn of(ebpf: &mut Ebpf) -> Result<Self, String> {
        EbpfLogger::init_with_logger(ebpf, ToStderr)
            .map(Self)
            .map_err(|error| format!("cannot read the programs' diagnostics: {error}"))
    }

    /// Prints the diagnostics received so far.
    pub(crate) fn show(&mut self) {
        self.0.flush();
    }
}
