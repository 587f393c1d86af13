use super::*;
use crate::{
    latency::tally_of,
    metrics::{
        Shape,
        exposition::tests::{Sample, read},
        kernel::NamespaceReading,
        series_limit,
    },
    netlink::stats::{Cpu, Table},
    snapshot::{Class, Figures, Source},
};

/// A reading of as many namespaces as there may be, each with every counter.
fn kernel(namespaces: u32) -> KernelCounts {
    let labels = match namespaces {
        1 => Namespaces::single(""),
        _ => Namespaces::all(),
    };
    let mut kernel = KernelCounts::new(labels);
    let counters: Vec<(u16, u32)> = counter::KNOWN.iter().map(|of| (of.number, 7)).collect();
    let readings: Vec<NamespaceReading> = (1..=namespaces)
        .map(|inode| NamespaceReading {
            inode,
            name: format!("netns-{inode}"),
            table: Table {
                entries: 5,
                max_entries: Some(10),
            },
            cpus: vec![
                Cpu {
                    cpu: 0,
                    counters: counters.clone(),
                },
                Cpu {
                    cpu: 1,
                    counters: counters.clone(),
                },
            ],
        })
        .collect();
    kernel.read(0, &readings);
    kernel
}

/// A snapshot with every class of entries, many sources and every duration.
fn snapshot(namespaces: u32) -> Snapshot {
    let mut now = Snapshot {
        durations: tally_of(&[100, 255, 256, 1000, 50_000_000]),
        causes_since_ns: Some(1),
        ..Snapshot::default()
    };
    for netns in 1..=namespaces {
        for protonum in 0..=255 {
            for state in 0..16 {
                let class = Class {
                    netns,
                    zone: 0,
                    protonum,
                    state,
                };
                now.population.add(class, 1);
            }
        }
        let figures = Figures {
            packets: 9,
            bytes: 900,
            created: 3,
            cost_ns: 0,
        };
        now.culprits.namespaces.add(netns, &figures);
        now.totals.packets += 9;
        now.totals.bytes += 900;
        now.totals.created += 3;
        let source = Source {
            netns,
            addr: std::net::IpAddr::from([10, 0, 0, netns as u8]),
        };
        now.culprits.sources.add(source, &figures);
    }
    now.totals.invalid = 2;
    now
}

fn drawn(format: Format, namespaces: u32) -> (Vec<u8>, Vec<Sample>, u64) {
    let kernel = kernel(namespaces);
    let snapshot = snapshot(namespaces);
    let mut traffic = Traffic::new(20, 1.5);
    traffic.grow(&snapshot, 2.5, &kernel.namespaces);
    let mut calls = Reading::default();
    for function in Function::ALL {
        calls
            .durations
            .insert((function, crate::latency::Key::All), tally_of(&[300]));
    }
    let limit = series_limit(Shape {
        namespaces: kernel.namespaces.most(),
        sources: 20,
        has_latency: true,
        has_compat: true,
    });
    let lost = Lost::default();
    let now = Now {
        trace: Some(TraceNow {
            snapshot: &snapshot,
            traffic: &traffic,
            lost: &lost,
            skipped: 1,
            causes_lost: 2,
            hooks: HookCounts::default(),
            run: true,
            calls: Some(&calls),
        }),
        own: Own {
            series_limit: limit,
            started: 1.5,
            ..Own::default()
        },
        compat: Some(Label::Own(0)),
        kernel: &kernel,
    };
    let text = draw(format, &now);
    let samples = read(&text, format);
    (text, samples, limit)
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let mut found = samples.iter().filter(|sample| {
        let has = |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|of| of == value);
        sample.name == name && labels.iter().all(has)
    });
    let one = found.next().unwrap_or_else(|| panic!("no {name} {labels:?}"));
    assert_eq!(found.next(), None, "several {name} {labels:?}");
    one.value
}

#[test]
fn every_series_is_within_the_limit() {
    for format in [Format::OpenMetrics, Format::Prometheus] {
        for namespaces in [1, 2, 32, 200] {
            let (text, samples, limit) = drawn(format, namespaces);
            assert!(samples.len() as u64 <= limit, "{} above {limit}", samples.len());
            assert!(text.len() < 2 << 20, "{} bytes", text.len());
            let counted = value(&samples, "rsct_metrics_series", &[]);
            assert_eq!(counted as usize, samples.len());
        }
    }
}

#[test]
fn the_only_namespace_has_no_label() {
    let (_, samples, _) = drawn(Format::OpenMetrics, 1);
    assert_eq!(value(&samples, "rsct_conntrack_entries", &[]), 5.0);
    assert_eq!(
        value(&samples, "rsct_conntrack_stat_total", &[("stat", "invalid")]),
        14.0
    );
    assert_eq!(value(&samples, "rsct_conntrack_packets_total", &[]), 9.0);
    assert!(samples.iter().all(|sample| !sample.labels.contains_key("netns")));
    assert_eq!(
        value(
            &samples,
            "rsct_conntrack_source_new_entries_total",
            &[("source", "10.0.0.1")]
        ),
        3.0
    );
    assert_eq!(value(&samples, "rsct_conntrack_invalid_packets_total", &[]), 2.0);
    assert_eq!(value(&samples, "node_nf_conntrack_entries", &[]), 5.0);
}

#[test]
fn sums_over_namespaces_are_whole() {
    let (_, samples, _) = drawn(Format::Prometheus, 200);
    let sum = |name: &str| {
        let of_name = samples.iter().filter(|sample| sample.name == name);
        of_name.map(|sample| sample.value).sum::<f64>()
    };
    assert_eq!(sum("rsct_conntrack_entries"), 1000.0);
    assert_eq!(sum("rsct_conntrack_packets_total"), 1800.0);
    assert_eq!(sum("rsct_conntrack_source_new_entries_total"), 600.0);
    assert_eq!(sum("rsct_conntrack_stat_total"), 200.0 * 14.0 * 15.0);
    assert_eq!(sum("rsct_conntrack_entries_by_state"), 200.0 * 256.0 * 16.0);
    assert_eq!(
        value(&samples, "rsct_conntrack_entries", &[("netns", "other")]),
        168.0 * 5.0
    );
}

#[test]
fn buckets_of_a_histogram_are_powers_of_two() {
    let of = buckets(&tally_of(&[100, 255, 256, 1000, 50_000_000]));
    assert_eq!(of.up_to.len(), BUCKETS);
    assert_eq!(of.up_to[0], (256e-9, 2));
    assert_eq!(of.up_to[1], (512e-9, 3));
    assert_eq!(of.up_to[2], (1024e-9, 4));
    assert_eq!(of.up_to[16].1, 4);
    assert_eq!(of.count, 5);
    assert!((of.sum - 0.050_001_611).abs() < 1e-9, "{}", of.sum);
}

#[test]
fn without_programs_the_rest_is_there() {
    let kernel = kernel(1);
    let now = Now {
        kernel: &kernel,
        trace: None,
        own: Own::default(),
        compat: None,
    };
    let samples = read(&draw(Format::OpenMetrics, &now), Format::OpenMetrics);
    assert_eq!(value(&samples, "rsct_tracing", &[]), 0.0);
    assert_eq!(value(&samples, "rsct_conntrack_entries_limit", &[]), 10.0);
    assert!(!samples.iter().any(|sample| sample.name.contains("causes_total")));
}
