//! Seeds of the fuzz targets in tests/fuzz: messages captured from the kernel, and typical typed text.
//!
//! `RSCT_SEEDS=write cargo test -p rsct seeds` writes the files; without it, the test fails if they are out of date.
//! Other files in the directories, such as inputs that once caused a failure, are kept.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    netlink::{
        conntrack::{self, Change, Entry, Nat},
        emit::Emitter,
        expect, helper, timeout,
    },
    recording, render, rules,
};

/// A netlink message that others may follow.
fn message(message_type: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(message_type.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(4711u32.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn entries() -> Vec<Vec<u8>> {
    let captured = conntrack::samples::ALL.iter().map(|sample| sample.payload());
    captured.chain(render::samples::payloads()).collect()
}

fn expectations() -> Vec<Vec<u8>> {
    expect::samples::ALL
        .iter()
        .map(|sample| sample.payload())
        .collect()
}

/// Datagrams from the kernel.
fn datagrams() -> Vec<Vec<u8>> {
    let refused = [
        &(-libc::EPERM).to_ne_bytes()[..],
        &[20, 0, 0, 0, 1, 1, 5, 3],
        &[0; 8],
    ]
    .concat();
    let words = [&refused[..], &[11, 0, 1, 0], b"no way\0\0"].concat();
    let mut datagrams = vec![
        message(3, 2, 5, &[0; 4]),
        message(3, 2 | 16, 5, &[]),
        message(4, 0, 0, &[]),
        message(2, 0x100, 5, &refused),
        message(2, 0x300, 5, &words),
    ];
    let (entries, expectations) = (entries(), expectations());
    for (flags, message_type) in [(0x600, 0x100), (0, 0x100), (0, 0x102)] {
        datagrams.push(message(message_type, flags, 0, &entries[0]));
    }
    for message_type in [0x200, 0x202] {
        datagrams.push(message(message_type, 0, 0, &expectations[0]));
    }
    let many: Vec<u8> = entries
        .iter()
        .flat_map(|entry| message(0x100, 2, 5, entry))
        .collect();
    datagrams.push(many[..many.len().min(2048) / 4 * 4].to_vec());
    datagrams.push([&datagrams[5][..], &datagrams[9], &datagrams[0]].concat());
    datagrams
}

/// Requests about entries: values that the kernel reports, and values that it never reports.
fn changes() -> Vec<Vec<u8>> {
    let mut changes: Vec<Vec<u8>> = entries().iter().map(|entry| entry[4..].to_vec()).collect();
    let payload = conntrack::samples::FTP.payload();
    let entry = Entry::parse(&payload).unwrap();
    let change = Change {
        orig: Some(entry.orig),
        reply: Some(entry.reply),
        zone: Some(7),
        zone_orig: Some(8),
        mark: Some(0x2a),
        mark_mask: Some(0xff),
        nat_src: Some(Nat::to(Some([192, 0, 2, 9].into()), Some(4000))),
        nat_dst: Some(Nat {
            addr_min: Some("2001:db8::1".parse().unwrap()),
            addr_max: Some("2001:db8::2".parse().unwrap()),
            port_min: Some(1),
            port_max: Some(2),
        }),
        helper: entry.helper,
        labels: entry.labels,
        labels_mask: entry.labels,
        master: Some(entry.orig),
        id: Some(5),
        ..Change::default()
    };
    let mut bytes = Vec::new();
    change.emit(&mut Emitter::new(&mut bytes));
    changes.push(bytes);
    changes
}

/// Answers to `conntrack -C` and `-S` in a namespace with one entry, and two of them concatenated.
fn stats() -> Vec<Vec<u8>> {
    let table = vec![0, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 0, 4, 0, 0];
    let mut cpu = vec![0, 0, 0, 1];
    for kind in [2, 4, 8, 9, 10, 11, 12, 13, 14, 15] {
        cpu.extend([8, 0, kind, 0, 0, 0, 1, kind]);
    }
    let twice = [&cpu[..], &cpu].concat();
    vec![table, cpu, twice]
}

/// A policy as Linux 6.18 sends it, defaults, and a name that is not UTF-8.
fn timeouts() -> Vec<Vec<u8>> {
    let policy = timeout::PAYLOAD.to_vec();
    let defaults = [&[0; 4], &policy[12..28], &policy[36..]].concat();
    let named = [&[0, 0, 0, 0, 7, 0, 1, 0, 0xff, b'\n', 0, 0], &policy[12..]].concat();
    vec![policy, defaults, named]
}

/// A helper as Linux 6.12 sends it, and a truncated one without expectation policies.
fn helpers() -> Vec<Vec<u8>> {
    let whole = helper::PAYLOAD.to_vec();
    vec![[&whole[..40], &whole[80..]].concat(), whole]
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

const FILTERS: &[&str] = &[
    "family ipv4\nproto tcp\nsrc 10.0.0.0/8\ndst 192.0.2.1\nsport 1234\ndport 80\nstate ESTABLISHED,TIME_WAIT\n",
    "proto udp\nreply_src 2001:db8::/32\nreply_dst ::1\nreply_port_src 53\nreply_port_dst 4000\n",
    "host 10.0.0.1\nport 443\nzone 7\nmark 0x10/0xff\nsecmark 1\nid 4294967295\n",
    "proto icmp\nicmp_type 8\nicmp_code 0\nicmp_id 77\n",
    "proto 58\nicmp_type 128\nicmp_code 0\nicmp_id 77\nsrc ::1\n",
    "status ASSURED,!SRC_NAT\nhelper ftp\nlabel 3,127\norig_zone 3\n",
    "status UNREPLIED\nreply_zone 4\nsrc_nat \ndst_nat 192.0.2.1:80\n",
    "any_nat [2001:db8::1]:80\nfamily ipv6\n",
    "state !CLOSE,!TIME_WAIT\nany_nat :80\n",
];

/// Lines of a file for `conntrack -R` and `rsct load`.
const COMMANDS: &[&str] = &[
    "-A -t 28 -u UNSET -s 127.0.0.1 -d 127.0.0.1 -r 127.0.0.1 -q 127.0.0.1 -p udp --sport 46042 --dport 9 \
     --reply-port-src 9 --reply-port-dst 46042 --label-add \"from-the-office,77\"\n",
    "-I -p tcp -s 2001:db8::1 -d 2001:db8::2 --sport 1234 --dport 80 --state ESTABLISHED -t 300 -u ASSURED,SEEN_REPLY \
     -m 0x2a -w 7 -g [2001:db8::77]:4000\n",
    "-I -p sctp -s 192.0.2.1 -d 192.0.2.2 --sport 5000 --dport 3868 --state ESTABLISHED -t 210 --orig-vtag 17 \
     --reply-vtag 34 --orig-zone 3\n",
    "-I -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 100\n",
    "-I -p gre -s 192.0.2.1 -d 192.0.2.2 --srckey 0x000b --dstkey 20 -t 100 -n 203.0.113.9:80\n",
    "-I expect -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 21 --tuple-src 10.0.0.2 --tuple-dst 10.0.0.1 \
     --tuple-port-dst 5000 --mask-src 255.255.255.255 --mask-port-dst 0xffff -t 30\n",
    "-U -p tcp --dport 22 -m 1/0xff --label-del -c 5\n",
    "-D -s 10.0.0.0/8 -f ipv4 --protonum=17 -o xml,id,ti -e NEW,UPD stray\n",
    "  # nothing\n",
];

const LABELS: &[&str] = &[
    "3 from-the-office\n64 night shift\n",
    "# bits and names\n3\tfrom-the-office \n0x40  night shift\r\n010 octal\n 5 five\n6six\n200 beyond\n",
    "1 77\n2 077\n77 1\n-1 x\n99999999999999999999 x\n3 a\n3 b\n",
];

/// All seeds, by target.
fn all() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let numbers = |step: u8| (0..160u8).map(|n| n.wrapping_mul(step)).collect();
    BTreeMap::from([
        ("change", changes()),
        ("conntrack", texts(COMMANDS)),
        ("entry", entries()),
        ("event", datagrams()),
        ("expectation", expectations()),
        (
            "filter_dump",
            vec![numbers(1), numbers(3), numbers(7), vec![0; 160], vec![0xff; 160]],
        ),
        ("filter_text", texts(FILTERS)),
        ("helper", helpers()),
        ("labels", texts(LABELS)),
        ("load", texts(COMMANDS)),
        ("netlink", datagrams()),
        ("recording", recording::seeds()),
        ("rules", texts(&[rules::samples::IPTABLES, rules::samples::NFT])),
        ("stats", stats()),
        ("timeout", timeouts()),
    ])
}

#[test]
fn seeds_match_the_samples() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    let write = std::env::var_os("RSCT_SEEDS").is_some_and(|value| value == "write");
    for (target, inputs) in all() {
        let dir = corpus.join(target);
        if write {
            fs::create_dir_all(&dir).unwrap();
        }
        for (number, input) in inputs.iter().enumerate() {
            let path = dir.join(format!("seed-{number:02}"));
            if write {
                fs::write(&path, input).unwrap();
            }
            let there = fs::read(&path).unwrap_or_default();
            assert!(
                there == *input,
                "{} is out of date: RSCT_SEEDS=write cargo test -p rsct seeds",
                path.display()
            );
        }
        let seeds = fs::read_dir(&dir).unwrap().flatten();
        let seeds = seeds.filter(|file| file.file_name().to_string_lossy().starts_with("seed-"));
        assert_eq!(seeds.count(), inputs.len(), "seeds of {target}");
    }
}
