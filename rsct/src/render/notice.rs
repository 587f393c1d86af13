//! Changes of the stream: as JSON lines, or as messages.

use crate::{
    observe::Notice,
    plural,
    schema::{
        common::losses,
        tag,
        trace::{Causes, Programs, Started, TraceLoss, UnfiredHooks},
    },
};

use super::bytes::json_line;

/// Appends the JSON line, if there is one for this change.
pub(crate) fn json(out: &mut Vec<u8>, notice: &Notice) {
    match notice {
        Notice::Started {
            time_ns,
            hooks,
            flows_from_dump,
        } => json_line(
            out,
            &Started {
                r#type: tag::Started,
                time_ns: *time_ns,
                hook_counts: (*hooks).into(),
                flows_from_dump: *flows_from_dump,
            },
        ),
        Notice::Causes { hooks } => json_line(
            out,
            &Causes {
                r#type: tag::Causes,
                hook_counts: (*hooks).into(),
            },
        ),
        Notice::Loss {
            lost,
            total,
            losses: by_kind,
            ..
        } => json_line(
            out,
            &TraceLoss {
                r#type: tag::Loss,
                lost: *lost,
                lost_total: *total,
                losses: losses(by_kind),
            },
        ),
        Notice::Programs { time_ns, run, reason } => json_line(
            out,
            &Programs {
                r#type: tag::Programs,
                time_ns: *time_ns,
                run: *run,
                reason: reason.clone(),
            },
        ),
        Notice::Unfired { time_ns, unfired } => json_line(
            out,
            &UnfiredHooks {
                r#type: tag::Unfired,
                time_ns: *time_ns,
                functions: unfired.functions(),
                entries: unfired.entries,
            },
        ),
        Notice::NoCauses | Notice::CausesLost { .. } => {}
    }
}

/// Writes a message, if there is one for this change.
pub(crate) fn message(notice: &Notice) {
    message_of(None, notice);
}

/// The same about one of several hosts.
pub(super) fn message_of(host: Option<&str>, notice: &Notice) {
    let host = host.map(|host| format!("{host}: ")).unwrap_or_default();
    match notice {
        Notice::Loss { lost, total, .. } => message!(
            "{host}{} LOST or incomplete ({total} so far)",
            plural::count(*lost, "record", "records")
        ),
        Notice::Programs {
            reason: Some(reason), ..
        } => message!("{host}{reason}"),
        Notice::Programs { .. } => message!("{host}the kernel runs the attached programs again"),
        Notice::Unfired { unfired, .. } => message!("{host}{unfired}"),
        Notice::Started { .. } | Notice::Causes { .. } | Notice::NoCauses | Notice::CausesLost { .. } => {}
    }
}
