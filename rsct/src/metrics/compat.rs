//! The ten metrics of node_exporter's collector conntrack, with its names and types.

use crate::netlink::stats::counter;

use super::{
    exposition::Exposition,
    families,
    family::Family,
    kernel::{Stats, Use},
};

static STATS: [(&Family, &str); 8] = [
    (&families::NODE_FOUND, "found"),
    (&families::NODE_INVALID, "invalid"),
    (&families::NODE_IGNORE, "ignore"),
    (&families::NODE_INSERT, "insert"),
    (&families::NODE_INSERT_FAILED, "insert_failed"),
    (&families::NODE_DROP, "drop"),
    (&families::NODE_EARLY_DROP, "early_drop"),
    (&families::NODE_SEARCH_RESTART, "search_restart"),
];

/// Adds them: of one namespace, as node_exporter reads only its own.
pub(super) fn draw(out: &mut Exposition, stats: Option<&Stats>, used: Option<Use>) {
    if let Some(used) = used {
        out.family(&families::NODE_ENTRIES);
        out.gauge(&[], used.entries as f64);
        out.family(&families::NODE_LIMIT);
        out.gauge(&[], used.limit.unwrap_or_default() as f64);
    }
    let Some(stats) = stats else { return };
    for (family, name) in STATS {
        let number = counter::KNOWN.iter().find(|counter| counter.name == name);
        // A counter that this kernel no longer has is 0, as in /proc/net/stat/nf_conntrack.
        let value = number.and_then(|counter| stats.get(&counter.number)).copied();
        out.family(family);
        out.gauge(&[], value.unwrap_or_default() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::{Format, tests::read};

    #[test]
    fn panels_and_alerts_of_node_exporter_find_their_names() {
        let mut out = Exposition::new(Format::Prometheus);
        let used = Use {
            entries: 75,
            limit: Some(100),
        };
        draw(
            &mut out,
            Some(&[(4, 3), (10, 2)].into_iter().collect()),
            Some(used),
        );
        let text = out.finish();
        let samples = read(&text, Format::Prometheus);
        let of = |name: &str| {
            let found = samples.iter().find(|sample| sample.name == name);
            found.unwrap_or_else(|| panic!("no {name}")).value
        };
        // node-mixin's alert, and the panel of dashboard 1860.
        assert_eq!(
            of("node_nf_conntrack_entries") / of("node_nf_conntrack_entries_limit"),
            0.75
        );
        assert_eq!(of("node_nf_conntrack_stat_invalid"), 3.0);
        assert_eq!(of("node_nf_conntrack_stat_drop"), 2.0);
        assert_eq!(of("node_nf_conntrack_stat_ignore"), 0.0);
        assert_eq!(samples.len(), 10);
        assert!(samples.iter().all(|sample| sample.labels.is_empty()));
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches(" gauge\n").count(), 10);
    }
}
