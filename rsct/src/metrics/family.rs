//! A family of metrics: its name, kind, unit, labels and meaning.

/// The kind of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value of the moment.
    Gauge,
    /// A total that only grows.
    Counter,
    /// Numbers of values up to bounds, and their sum.
    Histogram,
    /// Labels without a value.
    Info,
}

/// The source of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The kernel's own counters, over netlink: needs CAP_NET_ADMIN alone.
    Kernel,
    /// Records of the eBPF programs.
    Trace,
    /// The eBPF programs of `--latency`.
    Latency,
    /// rsct itself.
    Own,
    /// The kernel's own counters, with the names of node_exporter: `--compat node_exporter`.
    NodeExporter,
}

/// A family of metrics.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// Its name, without the ends that samples of a kind have, such as `_total`.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The unit, which the name ends in; empty for numbers.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Its source.
    pub part: Part,
    /// The meaning, in one sentence.
    pub help: &'static str,
}

impl Kind {
    /// The name in OpenMetrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

impl Family {
    /// The name of its samples; those of a histogram have further ends.
    pub(crate) fn sample_name(&self) -> String {
        let end = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{}{end}", self.name)
    }
}

impl Part {
    /// The source, in words.
    #[cfg(test)]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Trace => "trace",
            Self::Latency => "`--latency`",
            Self::Own => "rsct",
            Self::NodeExporter => "`--compat node_exporter`",
        }
    }
}
