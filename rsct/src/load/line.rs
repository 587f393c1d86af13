//! Parsing of one line into a command and an entry.

use super::{LineError, words::Words};
use crate::{
    entry_spec::{Opt, Spec},
    labels::LabelMap,
};

/// The command of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `-I`: create; fails if the entry exists.
    Create,
    /// `-A`: create; leaves an existing entry unchanged.
    Add,
    /// `-U`: change the entry.
    Update,
    /// `-D`: delete the entry.
    Delete,
    /// `-F`: delete every entry, or those of one family.
    Flush,
}

/// A parsed line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The command.
    pub command: Command,
    /// The entry and its options.
    pub spec: Spec,
}

/// Parses a line; `None` if it is blank or a comment.
pub fn parse(line: &str, names: &LabelMap) -> Result<Option<Line>, LineError> {
    let mut words = Words::of(line);
    let mut command = None;
    let mut spec = Spec::default();
    let mut first = true;
    while let Some(word) = words.next_word()? {
        if first && word.starts_with('#') {
            return Ok(None);
        }
        // A line of a shell script, which `conntrack -R` accepts too.
        if first && word.rsplit('/').next() == Some("conntrack") {
            first = false;
            continue;
        }
        first = false;
        match word.as_bytes() {
            [b'-', b'-', _, ..] => long(&mut command, &mut spec, &word, &mut words, names)?,
            [b'-', letter, attached @ ..] => {
                if let Some(found) = command_of(*letter) {
                    set_command(&mut command, found, &word)?;
                    if !attached.is_empty() {
                        table(&word[2..])?;
                    }
                } else {
                    let option = Opt::by_letter(*letter)
                        .ok_or_else(|| LineError::UnknownOption(word.clone().into_owned()))?;
                    let attached = (!attached.is_empty()).then(|| &word[2..]);
                    take(&mut spec, option, attached, &mut words, names)?;
                }
            }
            _ if command.is_some() && spec.is_empty() => table(&word)?,
            _ => return Err(LineError::Stray(word.into_owned())),
        }
    }
    let Some(command) = command else {
        return if first {
            Ok(None)
        } else {
            Err(LineError::NoCommand)
        };
    };
    // conntrack swaps these bytes.
    spec.swap_vtag_bytes();
    spec.allow_portless();
    Ok(Some(Line { command, spec }))
}

/// Parses a word that begins with two dashes: a command, or an option with its value in the next word or after `=`.
fn long(
    command: &mut Option<Command>,
    spec: &mut Spec,
    word: &str,
    words: &mut Words<'_>,
    names: &LabelMap,
) -> Result<(), LineError> {
    let (name, attached) = match word[2..].split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (&word[2..], None),
    };
    if let Some(option) = Opt::by_name(name) {
        return take(spec, option, attached, words, names);
    }
    let found = match name {
        "create" => Command::Create,
        "add" => Command::Add,
        "update" => Command::Update,
        "delete" => Command::Delete,
        "flush" => Command::Flush,
        _ => return Err(LineError::UnknownOption(word.to_owned())),
    };
    set_command(command, found, word)
}

fn command_of(letter: u8) -> Option<Command> {
    Some(match letter {
        b'A' => Command::Add,
        b'I' => Command::Create,
        b'U' => Command::Update,
        b'D' => Command::Delete,
        b'F' => Command::Flush,
        _ => return None,
    })
}

fn set_command(command: &mut Option<Command>, found: Command, word: &str) -> Result<(), LineError> {
    match command.replace(found) {
        None => Ok(()),
        Some(_) => Err(LineError::SecondCommand(word.to_owned())),
    }
}

/// A table may be named after the command; only this one is accepted.
fn table(word: &str) -> Result<(), LineError> {
    match word {
        "conntrack" => Ok(()),
        "expect" | "dying" | "unconfirmed" => Err(LineError::OtherTable(word.to_owned())),
        _ => Err(LineError::Stray(word.to_owned())),
    }
}

#[inline]
fn take(
    spec: &mut Spec,
    option: Opt,
    attached: Option<&str>,
    words: &mut Words<'_>,
    names: &LabelMap,
) -> Result<(), LineError> {
    let behind = match attached {
        Some(_) => None,
        None if option.is_value_optional() => words.next_value()?,
        None => words.next_word()?,
    };
    match attached.or(behind.as_deref()) {
        Some(value) => spec.set(option, value, names)?,
        None if option.is_value_optional() => spec.set_bare(option)?,
        None => return Err(LineError::NoValue(option.name())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::status;

    fn line(text: &str) -> Result<Option<Line>, LineError> {
        parse(text, &LabelMap::parse(b"3 night shift\n"))
    }

    #[test]
    fn options_are_taken_in_all_their_forms() {
        let usual =
            line("-A -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 --state SYN_SENT -t 5").unwrap();
        assert!(usual.is_some());
        for same in [
            "-ptcp -s10.0.0.1 --dst=10.0.0.2 --orig-port-src 1 --orig-port-dst=2 --state SYN_SENT -t5 -A",
            "--add conntrack --protonum 6 --orig-src 10.0.0.1 --orig-dst 10.0.0.2 --spo 1 --dport 0x2 --state \
             \"SYN_SENT\" --timeo 5",
            "-Aconntrack -p tcp -s 10.0.0.1\t-d 10.0.0.2 --sport 1 --dport 2 --state SYN_SENT -t 5\r",
        ] {
            assert_eq!(line(same), Ok(usual), "{same}");
        }
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        for text in ["", " \t", "# -A", "  #"] {
            assert_eq!(line(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn errors_are_reported() {
        for (text, said) in [
            ("-p tcp", "the line has no command"),
            ("-A -D", "\"-D\": a line has only one command"),
            ("-A --sport", "--sport needs a value"),
            ("-A --sport 70000", "--sport \"70000\": expected a port"),
            ("-A --nothing 1", "\"--nothing\": no such option"),
            ("-A -x 1", "\"-x\": no such option"),
            ("-A - 1", "\"-\": unexpected argument"),
            ("-A -p tcp stray", "\"stray\": unexpected argument"),
            (
                "-D expect",
                "\"expect\": a file can only change the table conntrack",
            ),
            ("-A -p tcp -p udp", "--proto is given twice"),
            ("-A -l nobody", "--label-add \"nobody\": expected labels"),
            ("-A -l \"night", "the closing quotation mark is missing"),
            ("-A -t", "--timeout needs a value"),
            ("-L", "\"-L\": no such option"),
        ] {
            let error = line(text).unwrap_err().to_string();
            assert!(error.starts_with(said), "{text}: {error}");
        }
    }

    #[test]
    fn labels_accumulate_and_can_all_be_deleted() {
        let one = line("-U -p 50 -s 10.0.0.1 -d 10.0.0.2 --label-add \"night shift,5\"").unwrap();
        let two = line("-U -p 50 -s 10.0.0.1 -d 10.0.0.2 -l 3 --label-add 5").unwrap();
        assert_eq!(one.map(|line| line.spec.changed_entry().is_ok()), Some(true));
        assert_eq!(
            one.unwrap().spec.changed_entry(),
            two.unwrap().spec.changed_entry()
        );
        let all = line("-U -p 50 --label-del -s 10.0.0.1 -d 10.0.0.2")
            .unwrap()
            .unwrap();
        assert_eq!(
            all.spec.changed_entry().unwrap().labels_mask,
            Some(&[255; 16][..])
        );
    }

    /// Saves an entry as a line and parses it back.
    fn again(payload: &[u8]) {
        let names = LabelMap::parse(b"3 night shift\n");
        let entry = crate::netlink::conntrack::Entry::parse(payload).unwrap();
        let mut text = Vec::new();
        crate::render::save::line(&mut text, &entry, None, Some(&names));
        let text = String::from_utf8(text).unwrap();
        let line = parse(text.trim_end(), &names).unwrap().unwrap();
        assert_eq!(line.command, Command::Add, "{text}");
        let change = line.spec.new_entry();
        // Values that the kernel reports but does not accept.
        if entry.secmark.is_some_and(|secmark| secmark != 0) {
            assert!(change.is_err(), "{text}");
            return;
        }
        let change = change.unwrap();
        assert_eq!(change.orig, Some(entry.orig), "{text}");
        assert_eq!(change.timeout, entry.timeout, "{text}");
        assert_eq!(
            (change.zone, change.zone_orig, change.zone_reply),
            (entry.zone, entry.zone_orig, entry.zone_reply)
        );
        assert_eq!(change.mark.unwrap_or(0), entry.mark.unwrap_or(0), "{text}");
        let settable = status::SEEN_REPLY | status::ASSURED | status::FIXED_TIMEOUT | status::CONFIRMED;
        assert_eq!(
            change.status,
            entry.status.map(|bits| bits & settable | status::CONFIRMED)
        );
        let (ours, theirs) = (
            change.protoinfo.and_then(|i| i.state()),
            entry.protoinfo.and_then(|i| i.state()),
        );
        assert_eq!(ours, theirs, "{text}");
        let labels: Vec<u32> = entry.label_bits().collect();
        assert_eq!(change.labels.is_some(), !labels.is_empty(), "{text}");
        // The kernel creates a direction changed by NAT itself.
        if change.nat_src.is_none() && change.nat_dst.is_none() {
            assert_eq!(change.reply, Some(entry.reply), "{text}");
        }
    }

    #[test]
    fn a_saved_entry_is_created_again() {
        for sample in crate::netlink::conntrack::samples::ALL {
            again(&sample.payload());
        }
    }

    proptest! {
        #[test]
        fn any_request_survives_saving_and_parsing(
            addresses: [u32; 2],
            ports: [u16; 4],
            protonum in prop::sample::select(vec![6u8, 17, 47, 50]),
            state in 0u8..10,
            status in 0u32..8,
            numbers: [u32; 2],
            zone in prop::option::of(1u16..),
            labels in prop::option::of(1u32..),
        ) {
            use crate::netlink::{conntrack::{Change, ProtoInfo, Tcp}, emit::Emitter};
            let tuple = |src: u32, dst: u32, sport: u16, dport: u16, dir: u8| {
                let mut tuple = rsct_common::Tuple { protonum, dir, l3num: 2u16.to_ne_bytes(), ..Default::default() };
                tuple.src[..4].copy_from_slice(&src.to_be_bytes());
                tuple.dst[..4].copy_from_slice(&dst.to_be_bytes());
                if protonum != 50 {
                    (tuple.src_l4, tuple.dst_l4) = (sport.to_be_bytes(), dport.to_be_bytes());
                }
                tuple
            };
            let labels = labels.map(u32::to_ne_bytes);
            let change = Change {
                orig: Some(tuple(addresses[0], addresses[1], ports[0], ports[1], 0)),
                reply: Some(tuple(addresses[1], addresses[0], ports[2], ports[3], 1)),
                zone,
                status: Some(status & !1 | 8),
                timeout: Some(numbers[0]),
                mark: Some(numbers[1]),
                protoinfo: (protonum == 6).then_some(ProtoInfo::Tcp(Tcp { state: Some(state), ..Tcp::default() })),
                labels: labels.as_ref().map(|labels| &labels[..]),
                ..Change::default()
            };
            let mut payload = vec![2, 0, 0, 0];
            change.emit(&mut Emitter::new(&mut payload));
            again(&payload);
        }

        #[test]
        fn any_line_is_parsed_or_rejected(text in "(-[A-Za-z] ?|--[a-z-]{0,12}[ =]|[0-9./:,-]{0,9} |\"|\\\\|\\PC){0,12}") {
            let names = LabelMap::default();
            if let Ok(Some(line)) = parse(&text, &names) {
                let _ = (line.spec.new_entry(), line.spec.changed_entry(), line.spec.named_entry());
            }
        }
    }
}
