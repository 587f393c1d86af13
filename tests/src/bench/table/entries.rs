//! Entries that fill the table.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};

use super::netlink::Flow;

/// Long enough for no entry to expire while the bench runs.
pub const TIMEOUT_SECONDS: u32 = 86_400;
/// Number of sources; `10.0.0.5` is one of them.
const SOURCES: u32 = 4000;
/// Destinations of the TCP entries in turn.
const TCP_PORTS: [u16; 16] = [
    80, 8080, 22, 25, 53, 110, 143, 389, 443, 993, 3128, 3306, 5432, 6379, 8443, 9092,
];

/// Description of the entries of [`flow`].
pub const MIX: &str = "IPv4, all ASSURED; a quarter udp to port 53, three quarters tcp ESTABLISHED to 16 ports in \
                       turn, so that `-p tcp --dport 443` means 1 in 21; 4000 sources, so that `-s 10.0.0.5` means 1 \
                       in 4000";

/// A part of the entries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// All.
    All,
    /// The quarter that is UDP.
    Udp,
}

/// The entry of this number.
pub fn flow(number: u32) -> Flow {
    let source = number % SOURCES;
    // Each of a source's entries has a port of its own, whatever its destination.
    let turn = number / SOURCES;
    let [.., high, low] = source.to_be_bytes();
    let tcp = !number.is_multiple_of(4);
    Flow {
        addresses: ([10, 0, high, low], [192, 0, 2, 1]),
        ports: (
            1024 + turn as u16,
            if tcp {
                TCP_PORTS[((number / 4 * 3 + number % 4 - 1 + turn) % 16) as usize]
            } else {
                53
            },
        ),
        tcp,
    }
}

/// The first `count` entries, or a part of them.
pub fn flows(count: u32, part: Subset) -> impl Iterator<Item = Flow> {
    (0..count)
        .map(flow)
        .filter(move |flow| part == Subset::All || !flow.tcp)
}

/// Writes the lines by which `conntrack -R` creates the first `count` entries.
pub fn write_lines(path: &Path, count: u32) -> Result<()> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        for flow in flows(count, Subset::All) {
            let ([a, b, c, d], [e, f, g, h]) = flow.addresses;
            let (sport, dport) = flow.ports;
            write!(
                file,
                "-A -p {} -s {a}.{b}.{c}.{d} -d {e}.{f}.{g}.{h} --sport {sport} --dport {dport}",
                if flow.tcp { "tcp" } else { "udp" }
            )?;
            let state = if flow.tcp { " --state ESTABLISHED" } else { "" };
            writeln!(file, "{state} -t {TIMEOUT_SECONDS} -u SEEN_REPLY,ASSURED")?;
        }
        file.flush()
    };
    write().with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn entries_differ_and_match_the_description() {
        let count = 100_000;
        let mut seen = HashSet::new();
        let (mut udp, mut https, mut from_one) = (0, 0, 0);
        for flow in flows(count, Subset::All) {
            assert!(seen.insert((flow.addresses, flow.ports, flow.tcp)));
            udp += u32::from(!flow.tcp);
            https += u32::from(flow.tcp && flow.ports.1 == 443);
            from_one += u32::from(flow.addresses.0 == [10, 0, 0, 5]);
        }
        assert_eq!((udp, from_one), (count / 4, count / 4000));
        assert!(https.abs_diff(count * 3 / 64) < count / 1000, "{https}");
        assert_eq!(flows(count, Subset::Udp).count(), count as usize / 4);
    }
}
