//! Parsing of a command line into an order, or an error message.

use super::{
    command::{Command, TableName},
    getopt::{Found, GROUP_OFFSET, Getopt, Groups},
    labels::{LabelNames, LabelWords},
    object::{EntryAttr, TypedNat},
    options::{CtOption, LONG, OptionSet, SHORT},
    problem::Problem,
    protocols::{self, OptionTarget, ProtocolOptions},
    values::{self, Address, AfterSlash, StatusBits, output},
};
use crate::{
    clib::number::{atol, strtoul},
    family::Family,
    message,
    netlink::conntrack::MaskedU32,
};

/// A parsed command line.
#[derive(Default)]
pub(super) struct Order {
    /// The command.
    pub(super) command: Option<Command>,
    /// The table.
    pub(super) table: TableName,
    /// The options that were given.
    pub(super) given: OptionSet,
    /// The family, if given or implied.
    pub(super) family: Option<Family>,
    /// The last protocol given, and its number.
    pub(super) protocol: Option<(&'static ProtocolOptions, u8)>,
    /// The entry and the tuples of an expectation.
    pub(super) target: OptionTarget,
    /// `--mark`.
    pub(super) mark: Option<MaskedU32>,
    /// `--status`.
    pub(super) status: StatusBits,
    /// `--label`.
    pub(super) label: Option<LabelWords>,
    /// `--label-add` or `--label-del`; `None` for all labels with the latter.
    pub(super) label_change: Option<LabelWords>,
    /// `--event-mask`.
    pub(super) events: u32,
    /// `--output`.
    pub(super) output: u32,
    /// `--buffer-size`.
    pub(super) buffer_size: i64,
}

impl Order {
    /// The command; [`Command::None`] if absent.
    pub(super) fn command(&self) -> Command {
        self.command.unwrap_or(Command::None)
    }

    /// Parses a command line, whose first word is the program's name.
    pub(super) fn parse(words: Vec<&[u8]>, names: &mut LabelNames) -> Result<Self, Problem> {
        // Labels from another file can be resolved only after the file is known.
        let defers_labels = words
            .iter()
            .any(|word| word.starts_with(b"-M") || word.starts_with(b"--labelm"));
        let mut parser = Parser {
            order: Self::default(),
            getopt: Getopt::new(words, SHORT),
            long: Groups::new(&LONG),
            protocol_given: 0,
            defers_labels,
            deferred_labels: Vec::new(),
            names,
        };
        while let Some(found) = parser.getopt.next_option(&parser.long) {
            match found {
                Found::Option(option, value) => parser.take(option, value)?,
                Found::Unknown => {
                    let word = parser.getopt.before();
                    return Err(Problem::parameter_with("unknown option `", word, "'"));
                }
                Found::NoValue => {
                    let word = parser.getopt.before();
                    return Err(Problem::parameter_with(
                        "option `",
                        word,
                        "' requires an argument",
                    ));
                }
            }
        }
        parser.finish()?;
        Ok(parser.order)
    }
}

struct Parser<'a> {
    order: Order,
    getopt: Getopt<'a>,
    /// The options that depend on no protocol, then those of every protocol given so far.
    long: Groups,
    /// The options given of the protocol.
    protocol_given: u32,
    defers_labels: bool,
    deferred_labels: Vec<(bool, &'a [u8])>,
    names: &'a mut LabelNames,
}

impl<'a> Parser<'a> {
    fn take(&mut self, option: i32, value: Option<&'a [u8]>) -> Result<(), Problem> {
        let Ok(letter) = u8::try_from(option) else {
            return self.take_protocol_option(option, value.unwrap_or_default());
        };
        let is_attached = value.is_some();
        let text = value.unwrap_or_default();
        let order = &mut self.order;
        match letter {
            b'L' | b'I' | b'D' | b'G' | b'F' | b'E' | b'V' | b'h' | b'C' | b'S' | b'U' | b'A' => {
                return self.take_command(letter, is_attached);
            }
            b's' => return self.take_address(CtOption::OrigSrc, EntryAttr::OrigSrc, text),
            b'd' => return self.take_address(CtOption::OrigDst, EntryAttr::OrigDst, text),
            b'r' => return self.take_address(CtOption::ReplSrc, EntryAttr::ReplSrc, text),
            b'q' => return self.take_address(CtOption::ReplDst, EntryAttr::ReplDst, text),
            b'[' => return self.take_address(CtOption::TupleSrc, EntryAttr::OrigSrc, text),
            b']' => return self.take_address(CtOption::TupleDst, EntryAttr::OrigDst, text),
            b'{' => return self.take_address(CtOption::MaskSrc, EntryAttr::OrigSrc, text),
            b'}' => return self.take_address(CtOption::MaskDst, EntryAttr::OrigDst, text),
            b'n' => return self.take_nat(CtOption::SrcNat, is_attached.then_some(text)),
            b'g' => return self.take_nat(CtOption::DstNat, is_attached.then_some(text)),
            b'j' => return self.take_nat(CtOption::AnyNat, is_attached.then_some(text)),
            b'l' => return self.take_labels(CtOption::Label, Some(text)),
            b'<' => return self.take_labels(CtOption::LabelAdd, Some(text)),
            b'>' => return self.take_labels(CtOption::LabelDel, is_attached.then_some(text)),
            b'p' => return self.take_protocol(text),
            b't' => {
                order.given.add(CtOption::Timeout);
                order.target.entry.timeout = Some(atol(text) as u32);
            }
            b'u' => {
                order.given.add(CtOption::Status);
                order.status.add(text)?;
                order.target.entry.status = Some(order.status.set);
            }
            b'e' => {
                order.given.add(CtOption::EventMask);
                order.events |= values::words(text, values::EVENTS)?;
            }
            b'o' => return self.take_output(text),
            b'z' => order.given.add(CtOption::Zero),
            b'w' => {
                order.given.add(CtOption::Zone);
                order.target.entry.zone = Some(strtoul(text, 0).0 as u16);
            }
            b'(' => {
                order.given.add(CtOption::OrigZone);
                order
                    .target
                    .entry
                    .set_zone_of(EntryAttr::OrigZone, strtoul(text, 0).0 as u16);
            }
            b')' => {
                order.given.add(CtOption::ReplZone);
                order
                    .target
                    .entry
                    .set_zone_of(EntryAttr::ReplZone, strtoul(text, 0).0 as u16);
            }
            b'i' => {
                order.given.add(CtOption::Id);
                order.target.entry.id = Some(strtoul(text, 0).0 as u32);
            }
            b'c' => {
                order.given.add(CtOption::Secmark);
                order.target.entry.secmark = Some(strtoul(text, 0).0 as u32);
            }
            b'm' => {
                order.given.add(CtOption::Mark);
                order.mark = Some(values::mark(text));
            }
            b'a' => message::write(b"WARNING: ignoring -a, deprecated option.\n"),
            b'f' => {
                order.given.add(CtOption::Family);
                let family = match text {
                    text if text.starts_with(b"ipv4") => Family::Ipv4,
                    text if text.starts_with(b"ipv6") => Family::Ipv6,
                    _ => return Err(Problem::parameter_with("`", text, "' unsupported protocol")),
                };
                return self.set_family(family);
            }
            b'b' => {
                order.given.add(CtOption::BufferSize);
                order.buffer_size = atol(text);
            }
            b'M' => {
                self.names.set_path(text.to_vec())?;
                order.given.add(CtOption::LabelMap);
            }
            _ => {}
        }
        Ok(())
    }

    /// A command may be followed by its table's name, but not attached: text after the letter is ignored, which scripts
    /// with bundled options rely on.
    fn take_command(&mut self, letter: u8, is_attached: bool) -> Result<(), Problem> {
        let named = if is_attached { None } else { self.getopt.detached() };
        let table = match named {
            None => TableName::Conntrack,
            Some(name) => {
                TableName::named(name).ok_or_else(|| Problem::parameter_with("unknown type `", name, "'"))?
            }
        };
        let command = Command::of(letter, table)?;
        if self.order.command.is_some() {
            return Err(Problem::parameter("Invalid commands combination"));
        }
        self.order.command = Some(command);
        self.order.table = table;
        Ok(())
    }

    fn set_family(&mut self, family: Family) -> Result<(), Problem> {
        match self.order.family {
            Some(known) if known != family => Err(Problem::parameter("mismatched address family")),
            _ => {
                self.order.family = Some(family);
                Ok(())
            }
        }
    }

    fn take_address(&mut self, option: CtOption, attr: EntryAttr, typed: &[u8]) -> Result<(), Problem> {
        let (address, after_slash) = values::address(typed)
            .ok_or_else(|| Problem::parameter_with("Invalid IP address `", typed, "'"))?;
        let Address { family, bytes } = address;
        self.set_family(family)?;
        let may_have_mask = matches!(
            option,
            CtOption::OrigSrc | CtOption::OrigDst | CtOption::TupleSrc | CtOption::TupleDst
        );
        let name = match option {
            CtOption::ReplSrc => "reply-src",
            CtOption::ReplDst => "reply-dst",
            CtOption::MaskSrc => "mask-src",
            _ => "mask-dst",
        };
        if after_slash != AfterSlash::None && !may_have_mask {
            return Err(no_prefix(name));
        }
        if after_slash == AfterSlash::Invalid {
            return Err(Problem::parameter("Invalid netmask"));
        }
        self.order.given.add(option);
        let target = &mut self.order.target;
        let object = match option {
            CtOption::TupleSrc | CtOption::TupleDst => &mut target.expected,
            CtOption::MaskSrc | CtOption::MaskDst => &mut target.mask,
            _ => &mut target.entry,
        };
        object.set_address(attr, family, bytes);
        if let AfterSlash::Bits(bits) = after_slash
            && bits < Address::bits(family)
        {
            let mask = match attr {
                EntryAttr::OrigSrc => CtOption::MaskSrc,
                _ => CtOption::MaskDst,
            };
            self.order.given.add(mask);
            self.order
                .target
                .mask
                .set_address(attr, family, Address::mask(bits));
        }
        Ok(())
    }

    fn take_nat(&mut self, option: CtOption, attached: Option<&'a [u8]>) -> Result<(), Problem> {
        self.order.given.add(option);
        let Some(value) = attached.or_else(|| self.getopt.detached()) else {
            return Ok(());
        };
        let (typed, port) = values::address_and_port(value)?;
        let (address, after_slash) = values::address(typed)
            .ok_or_else(|| Problem::parameter_with("Invalid IP address `", typed, "'"))?;
        self.set_family(address.family)?;
        if after_slash != AfterSlash::None {
            return Err(no_prefix(match option {
                CtOption::SrcNat => "src-nat",
                CtOption::DstNat => "dst-nat",
                _ => "any-nat",
            }));
        }
        let entry = &mut self.order.target.entry;
        entry.set_family(false, address.family);
        let set = |nat: &mut TypedNat| {
            nat.addr = Some(address.bytes);
            nat.family = Some(address.family);
            nat.port = port.or(nat.port);
        };
        if option != CtOption::DstNat {
            set(&mut entry.snat);
        }
        if option != CtOption::SrcNat {
            set(&mut entry.dnat);
        }
        Ok(())
    }

    fn take_protocol(&mut self, typed: &[u8]) -> Result<(), Problem> {
        self.order.given.add(CtOption::Proto);
        let (protocol, number) = protocols::find(typed)
            .ok_or_else(|| Problem::parameter_with("`", typed, "' unsupported protocol"))?;
        self.order.protocol = Some((protocol, number));
        self.long.add(protocol.long);
        self.order.target.entry.set_protocol(number);
        Ok(())
    }

    /// An option of the last protocol, or of an earlier one: the last protocol then interprets it as its own option of
    /// the same number.
    fn take_protocol_option(&mut self, option: i32, value: &[u8]) -> Result<(), Problem> {
        let own = option.rem_euclid(GROUP_OFFSET) as u8;
        match self.order.protocol {
            Some((protocol, _)) => {
                protocol.take(own, value, &mut self.order.target, &mut self.protocol_given)
            }
            None => Ok(()),
        }
    }

    fn take_output(&mut self, typed: &[u8]) -> Result<(), Problem> {
        self.order.given.add(CtOption::Output);
        self.order.output |= values::words(typed, values::OUTPUT)?;
        let output = self.order.output;
        if output & output::LABELS != 0 && !self.defers_labels {
            self.names.read();
        }
        if output & output::SAVE != 0 && output != output::SAVE {
            return Err(Problem::other(
                "cannot combine save output with any other output type, use -o save only",
            ));
        }
        Ok(())
    }

    fn take_labels(&mut self, option: CtOption, attached: Option<&'a [u8]>) -> Result<(), Problem> {
        self.order.given.add(option);
        let value = attached.or_else(|| {
            let may_follow = option == CtOption::LabelDel;
            may_follow.then(|| self.getopt.detached()).flatten()
        });
        match value {
            _ if self.defers_labels => {}
            Some(list) => self.names.read_for(list),
            None => self.names.read(),
        }
        let given = self.order.given;
        if given.has(CtOption::LabelAdd) && given.has(CtOption::LabelDel) {
            return Err(Problem::other(
                "cannot use --label-add and --label-del at the same time",
            ));
        }
        // All labels.
        let Some(value) = value else {
            return Ok(());
        };
        let is_change = option != CtOption::Label;
        if self.defers_labels {
            self.deferred_labels.push((is_change, value));
            return Ok(());
        }
        self.add_labels(is_change, value)
    }

    fn add_labels(&mut self, is_change: bool, list: &[u8]) -> Result<(), Problem> {
        let bits = if is_change {
            &mut self.order.label_change
        } else {
            &mut self.order.label
        };
        self.names.bits(list, bits.get_or_insert_default())
    }

    fn finish(&mut self) -> Result<(), Problem> {
        let command = self.order.command();
        if self.order.family.is_none() && !command.is_of_any_family() {
            self.order.family = Some(Family::Ipv4);
        }
        if self.defers_labels {
            if self.order.output & output::LABELS != 0 {
                self.names.read();
            }
            for (is_change, list) in std::mem::take(&mut self.deferred_labels) {
                self.names.read_for(list);
                self.add_labels(is_change, list)?;
            }
        }
        let given = self.order.given;
        if given.has(CtOption::AnyNat) && given.has_any(OptionSet::of(&[CtOption::SrcNat, CtOption::DstNat]))
        {
            return Err(Problem::parameter(
                "cannot specify `--src-nat' or `--dst-nat' with `--any-nat'",
            ));
        }
        given.check(command)?;
        if command != Command::Help
            && let Some((protocol, _)) = self.order.protocol
        {
            protocol.finish(self.protocol_given, command, &mut self.order.target.entry)?;
        }
        Ok(())
    }
}

fn no_prefix(name: &str) -> Problem {
    Problem::parameter(format!("CIDR notation unavailable for `--{name}'"))
}

#[cfg(test)]
mod tests;
