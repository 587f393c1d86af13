//! The text formats: OpenMetrics 1.0, and Prometheus 0.0.4.

use std::io::Write as _;

use super::family::{Family, Kind};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format of Prometheus.
    Prometheus,
    /// OpenMetrics, which also has units, and the time since when a counter counts.
    OpenMetrics,
}

impl Format {
    /// The value of the header Content-Type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The text so far.
#[derive(Debug)]
pub(crate) struct Exposition {
    out: Vec<u8>,
    format: Format,
    series: u64,
    /// The family of the samples that follow.
    family: Option<&'static Family>,
}

/// The buckets of a histogram, as cumulated counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Buckets {
    /// Upper bounds, and the number of values up to each.
    pub up_to: Vec<(f64, u64)>,
    /// The number of all values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

impl Exposition {
    /// Begins.
    pub(crate) fn new(format: Format) -> Self {
        Self {
            out: Vec::with_capacity(64 << 10),
            format,
            series: 0,
            family: None,
        }
    }

    /// The number of series so far.
    pub(crate) fn series(&self) -> u64 {
        self.series
    }

    /// Begins a family.
    pub(crate) fn family(&mut self, family: &'static Family) {
        self.family = Some(family);
        let is_open = self.format == Format::OpenMetrics;
        let (name, kind) = match (is_open, family.kind) {
            (true, kind) => (family.name.to_owned(), kind.name()),
            (false, Kind::Info) => (family.sample_name(), Kind::Gauge.name()),
            (false, kind) => (family.sample_name(), kind.name()),
        };
        // Writing to a Vec can't fail, here and below.
        let _ = writeln!(self.out, "# HELP {name} {}", escaped(family.help, is_open));
        let _ = writeln!(self.out, "# TYPE {name} {kind}");
        if is_open && !family.unit.is_empty() {
            let _ = writeln!(self.out, "# UNIT {name} {}", family.unit);
        }
    }

    /// Adds a sample of a gauge or an info, with the values of the family's labels. An empty value is no label.
    pub(crate) fn gauge(&mut self, labels: &[&str], value: f64) {
        let end = match self.family {
            Some(family) if family.kind == Kind::Info => "_info",
            _ => "",
        };
        self.sample(end, labels, None, &number(value));
    }

    /// Adds a sample of a counter, and the time since when it counts, in seconds since 1970, if that is known.
    pub(crate) fn counter(&mut self, labels: &[&str], value: &str, since: Option<f64>) {
        self.sample("_total", labels, None, value);
        self.since(labels, since);
    }

    /// Adds a sample of a counter of events.
    pub(crate) fn count(&mut self, labels: &[&str], value: u64, since: Option<f64>) {
        self.counter(labels, itoa::Buffer::new().format(value), since);
    }

    /// Adds a histogram.
    pub(crate) fn histogram(&mut self, labels: &[&str], of: &Buckets, since: Option<f64>) {
        let mut digits = itoa::Buffer::new();
        for (bound, count) in &of.up_to {
            let bound = number(*bound);
            self.sample("_bucket", labels, Some(&bound), digits.format(*count));
        }
        self.sample("_bucket", labels, Some("+Inf"), digits.format(of.count));
        self.sample("_sum", labels, None, &number(of.sum));
        self.sample("_count", labels, None, digits.format(of.count));
        self.since(labels, since);
    }

    fn since(&mut self, labels: &[&str], since: Option<f64>) {
        if let Some(since) = since.filter(|_| self.format == Format::OpenMetrics) {
            self.sample("_created", labels, None, &number(since));
        }
    }

    fn sample(&mut self, end: &str, labels: &[&str], bound: Option<&str>, value: &str) {
        let Some(family) = self.family else { return };
        self.series += 1;
        self.out.extend_from_slice(family.name.as_bytes());
        self.out.extend_from_slice(end.as_bytes());
        let given = family.labels.iter().copied().zip(labels.iter().copied());
        let given = given.filter(|(_, value)| !value.is_empty());
        let mut separator = '{';
        for (name, value) in given.chain(bound.map(|bound| ("le", bound))) {
            let _ = write!(self.out, "{separator}{name}=\"{}\"", escaped(value, true));
            separator = ',';
        }
        if separator == ',' {
            self.out.push(b'}');
        }
        let _ = writeln!(self.out, " {value}");
    }

    /// The whole text.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
        self.out
    }
}

/// A number as both formats read it.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else {
        format!("{value:?}")
    }
}

/// Text with backslashes, newlines and, in label values and in OpenMetrics, quotes escaped.
fn escaped(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::metrics::{families, family::Part};

    /// A sample as a reader of the format sees it.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct Sample {
        pub name: String,
        pub labels: BTreeMap<String, String>,
        pub value: f64,
    }

    /// Reads the text as strictly as the formats demand, and checks that no series is there twice.
    pub(crate) fn read(text: &[u8], format: Format) -> Vec<Sample> {
        let text = std::str::from_utf8(text).unwrap();
        let mut samples = Vec::new();
        let mut seen = HashSet::new();
        let (mut family, mut kind) = (String::new(), String::new());
        let mut families = HashSet::new();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let words: Vec<&str> = comment.splitn(3, ' ').collect();
                match words[0] {
                    "HELP" => {
                        family = words[1].to_owned();
                        assert!(families.insert(family.clone()), "{family} twice");
                    }
                    "TYPE" => {
                        assert_eq!(words[1], family);
                        kind = words[2].to_owned();
                    }
                    "UNIT" => assert!(family.ends_with(words[2]), "{line}"),
                    "EOF" => assert_eq!(format, Format::OpenMetrics),
                    other => panic!("{other}"),
                }
                continue;
            }
            let sample = one(line);
            let ends: &[&str] = match (format, kind.as_str()) {
                (Format::OpenMetrics, "counter") => &["_total", "_created"],
                (Format::OpenMetrics, "info") => &["_info"],
                (_, "histogram") => &["_bucket", "_sum", "_count", "_created"],
                _ => &[""],
            };
            assert!(
                ends.iter().any(|end| sample.name == format!("{family}{end}")),
                "{line} in {family}"
            );
            assert!(
                seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()),
                "{line} twice"
            );
            samples.push(sample);
        }
        assert_eq!(text.ends_with("# EOF\n"), format == Format::OpenMetrics);
        samples
    }

    fn one(line: &str) -> Sample {
        let name_end = line.find(['{', ' ']).unwrap();
        let mut labels = BTreeMap::new();
        let mut rest = &line[name_end..];
        if let Some(inside) = rest.strip_prefix('{') {
            let mut chars = inside.char_indices();
            'labels: loop {
                let mut name = String::new();
                for (_, c) in chars.by_ref() {
                    if c == '=' {
                        break;
                    }
                    name.push(c);
                }
                assert_eq!(chars.next().unwrap().1, '"');
                let mut value = String::new();
                loop {
                    match chars.next().unwrap().1 {
                        '\\' => value.push(match chars.next().unwrap().1 {
                            'n' => '\n',
                            c @ ('\\' | '"') => c,
                            c => panic!("\\{c}"),
                        }),
                        '"' => break,
                        c => value.push(c),
                    }
                }
                assert!(labels.insert(name, value).is_none(), "{line}");
                match chars.next().unwrap() {
                    (_, ',') => {}
                    (at, '}') => {
                        rest = &inside[at + 1..];
                        break 'labels;
                    }
                    (_, c) => panic!("{c} in {line}"),
                }
            }
        }
        Sample {
            name: line[..name_end].to_owned(),
            labels,
            value: rest.trim_start().parse().unwrap(),
        }
    }

    #[test]
    fn openmetrics_has_units_and_times_of_creation() {
        let mut out = Exposition::new(Format::OpenMetrics);
        out.family(&families::BYTES);
        out.count(&["red"], 7, Some(1.5));
        out.family(&families::BUILD);
        out.gauge(&["0.1"], 1.0);
        assert_eq!(out.series(), 3);
        assert_eq!(
            String::from_utf8(out.finish()).unwrap(),
            "\
# HELP rsct_conntrack_packet_bytes Bytes of these packets, from the network header on
# TYPE rsct_conntrack_packet_bytes counter
# UNIT rsct_conntrack_packet_bytes bytes
rsct_conntrack_packet_bytes_total{netns=\"red\"} 7
rsct_conntrack_packet_bytes_created{netns=\"red\"} 1.5
# HELP rsct_build The version of rsct
# TYPE rsct_build info
rsct_build_info{version=\"0.1\"} 1
# EOF
"
        );
    }

    #[test]
    fn prometheus_has_the_names_of_samples() {
        let mut out = Exposition::new(Format::Prometheus);
        out.family(&families::PACKETS);
        out.count(&[""], u64::MAX, Some(1.5));
        out.family(&families::BUILD);
        out.gauge(&["0.1"], 1.0);
        assert_eq!(
            String::from_utf8(out.finish()).unwrap(),
            "\
# HELP rsct_conntrack_packets_total Packets that traversed nf_conntrack_in
# TYPE rsct_conntrack_packets_total counter
rsct_conntrack_packets_total 18446744073709551615
# HELP rsct_build_info The version of rsct
# TYPE rsct_build_info gauge
rsct_build_info{version=\"0.1\"} 1
"
        );
    }

    #[test]
    fn a_histogram_is_cumulated() {
        let mut out = Exposition::new(Format::Prometheus);
        out.family(&families::DURATION);
        let of = Buckets {
            up_to: vec![(0.000_000_256, 2), (1.0, 3)],
            count: 4,
            sum: 0.25,
        };
        out.histogram(&[], &of, None);
        let text = String::from_utf8(out.finish()).unwrap();
        let samples: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            samples,
            [
                "rsct_conntrack_in_duration_seconds_bucket{le=\"2.56e-7\"} 2",
                "rsct_conntrack_in_duration_seconds_bucket{le=\"1\"} 3",
                "rsct_conntrack_in_duration_seconds_bucket{le=\"+Inf\"} 4",
                "rsct_conntrack_in_duration_seconds_sum 0.25",
                "rsct_conntrack_in_duration_seconds_count 4",
            ]
        );
    }

    static ANY: Family = Family {
        name: "rsct_any",
        kind: Kind::Gauge,
        unit: "",
        labels: &["netns", "source"],
        part: Part::Own,
        help: "A \"quoted\" text\nwith \\ and a new line",
    };

    proptest! {
        #[test]
        fn any_label_and_value_survives(netns in ".*", source in any::<String>(), value in -1e300..1e300f64) {
            for format in [Format::OpenMetrics, Format::Prometheus] {
                let mut out = Exposition::new(format);
                out.family(&ANY);
                let source = source.replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "");
                let netns = netns.replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "");
                out.gauge(&[&netns, &source], value);
                let samples = read(&out.finish(), format);
                prop_assert_eq!(samples.len(), 1);
                let of = |name: &str| samples[0].labels.get(name).map_or("", String::as_str);
                prop_assert_eq!(of("netns"), netns);
                prop_assert_eq!(of("source"), source);
                prop_assert_eq!(samples[0].value, value);
            }
        }
    }
}
