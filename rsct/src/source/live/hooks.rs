//! Messages about hooks that are not attached.

use crate::probe::session::{HookReport, How};

/// Prints the hooks that are not attached, or not in the best form; with `all`, every hook.
pub(crate) fn report_hooks(hooks: &[HookReport], all: bool) {
    for report in hooks {
        if all || report.is_missed() {
            let mut text = format!("{:<32} {}", report.hook.function, report.how.name());
            if !report.why_not_better.is_empty() {
                text += &format!(" ({})", report.why_not_better.join("; "));
            }
            if report.how == How::Not {
                text += &format!("; not shown: {}", report.hook.shows);
            }
            message!("{text}");
        }
    }
}
