//! Parsing of a command line into an order, or an error message.

use super::{
    command::{Command, Table},
    getopt::{GROUP_OFFSET, Getopt, Groups, Met},
    labels::{Bits, Names},
    object::{Attr, Nat},
    options::{Given, LONG, Opt, SHORT},
    problem::Problem,
    protocols::{self, Protocol, Target},
    values::{self, Address, Behind, StatusBits, output},
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
    pub(super) table: Table,
    /// The options that were given.
    pub(super) given: Given,
    /// The family, if given or implied.
    pub(super) family: Option<Family>,
    /// The last protocol given, and its number.
    pub(super) protocol: Option<(&'static Protocol, u8)>,
    /// The entry and the tuples of an expectation.
    pub(super) target: Target,
    /// `--mark`.
    pub(super) mark: Option<MaskedU32>,
    /// `--status`.
    pub(super) status: StatusBits,
    /// `--label`.
    pub(super) label: Option<Bits>,
    /// `--label-add` or `--label-del`; `None` for all labels with the latter.
    pub(super) label_change: Option<Bits>,
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
    pub(super) fn parse(words: Vec<&[u8]>, names: &mut Names) -> Result<Self, Problem> {
        // Labels from another file can be resolved only after the file is known.
        let late = words
            .iter()
            .any(|word| word.starts_with(b"-M") || word.starts_with(b"--labelm"));
        let mut parser = Parser {
            order: Self::default(),
            getopt: Getopt::new(words, SHORT),
            long: Groups::new(&LONG),
            protocol_given: 0,
            late,
            late_labels: Vec::new(),
            names,
        };
        while let Some(met) = parser.getopt.meet(&parser.long) {
            match met {
                Met::Option(option, value) => parser.take(option, value)?,
                Met::Unknown => {
                    let word = parser.getopt.before();
                    return Err(Problem::parameter_with("unknown option `", word, "'"));
                }
                Met::NoValue => {
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
    late: bool,
    late_labels: Vec<(bool, &'a [u8])>,
    names: &'a mut Names,
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
            b's' => return self.take_address(Opt::OrigSrc, Attr::OrigSrc, text),
            b'd' => return self.take_address(Opt::OrigDst, Attr::OrigDst, text),
            b'r' => return self.take_address(Opt::ReplSrc, Attr::ReplSrc, text),
            b'q' => return self.take_address(Opt::ReplDst, Attr::ReplDst, text),
            b'[' => return self.take_address(Opt::TupleSrc, Attr::OrigSrc, text),
            b']' => return self.take_address(Opt::TupleDst, Attr::OrigDst, text),
            b'{' => return self.take_address(Opt::MaskSrc, Attr::OrigSrc, text),
            b'}' => return self.take_address(Opt::MaskDst, Attr::OrigDst, text),
            b'n' => return self.take_nat(Opt::SrcNat, is_attached.then_some(text)),
            b'g' => return self.take_nat(Opt::DstNat, is_attached.then_some(text)),
            b'j' => return self.take_nat(Opt::AnyNat, is_attached.then_some(text)),
            b'l' => return self.take_labels(Opt::Label, Some(text)),
            b'<' => return self.take_labels(Opt::LabelAdd, Some(text)),
            b'>' => return self.take_labels(Opt::LabelDel, is_attached.then_some(text)),
            b'p' => return self.take_protocol(text),
            b't' => {
                order.given.add(Opt::Timeout);
                order.target.entry.timeout = Some(atol(text) as u32);
            }
            b'u' => {
                order.given.add(Opt::Status);
                order.status.add(text)?;
                order.target.entry.status = Some(order.status.set);
            }
            b'e' => {
                order.given.add(Opt::EventMask);
                order.events |= values::words(text, values::EVENTS)?;
            }
            b'o' => return self.take_output(text),
            b'z' => order.given.add(Opt::Zero),
            b'w' => {
                order.given.add(Opt::Zone);
                order.target.entry.zone = Some(strtoul(text, 0).0 as u16);
            }
            b'(' => {
                order.given.add(Opt::OrigZone);
                order
                    .target
                    .entry
                    .set_zone_of(Attr::OrigZone, strtoul(text, 0).0 as u16);
            }
            b')' => {
                order.given.add(Opt::ReplZone);
                order
                    .target
                    .entry
                    .set_zone_of(Attr::ReplZone, strtoul(text, 0).0 as u16);
            }
            b'i' => {
                order.given.add(Opt::Id);
                order.target.entry.id = Some(strtoul(text, 0).0 as u32);
            }
            b'c' => {
                order.given.add(Opt::Secmark);
                order.target.entry.secmark = Some(strtoul(text, 0).0 as u32);
            }
            b'm' => {
                order.given.add(Opt::Mark);
                order.mark = Some(values::mark(text));
            }
            b'a' => message::write(b"WARNING: ignoring -a, deprecated option.\n"),
            b'f' => {
                order.given.add(Opt::Family);
                let family = match text {
                    text if text.starts_with(b"ipv4") => Family::Ipv4,
                    text if text.starts_with(b"ipv6") => Family::Ipv6,
                    _ => return Err(Problem::parameter_with("`", text, "' unsupported protocol")),
                };
                return self.set_family(family);
            }
            b'b' => {
                order.given.add(Opt::BufferSize);
                order.buffer_size = atol(text);
            }
            b'M' => {
                self.names.set_path(text.to_vec())?;
                order.given.add(Opt::LabelMap);
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
            None => Table::Conntrack,
            Some(name) => {
                Table::named(name).ok_or_else(|| Problem::parameter_with("unknown type `", name, "'"))?
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

    fn take_address(&mut self, option: Opt, attr: Attr, typed: &[u8]) -> Result<(), Problem> {
        let (address, behind) = values::address(typed)
            .ok_or_else(|| Problem::parameter_with("Invalid IP address `", typed, "'"))?;
        let Address { family, bytes } = address;
        self.set_family(family)?;
        let may_have_mask = matches!(
            option,
            Opt::OrigSrc | Opt::OrigDst | Opt::TupleSrc | Opt::TupleDst
        );
        let name = match option {
            Opt::ReplSrc => "reply-src",
            Opt::ReplDst => "reply-dst",
            Opt::MaskSrc => "mask-src",
            _ => "mask-dst",
        };
        if behind != Behind::Nothing && !may_have_mask {
            return Err(no_prefix(name));
        }
        if behind == Behind::Wrong {
            return Err(Problem::parameter("Invalid netmask"));
        }
        self.order.given.add(option);
        let target = &mut self.order.target;
        let object = match option {
            Opt::TupleSrc | Opt::TupleDst => &mut target.expected,
            Opt::MaskSrc | Opt::MaskDst => &mut target.mask,
            _ => &mut target.entry,
        };
        object.set_address(attr, family, bytes);
        if let Behind::Bits(bits) = behind
            && bits < Address::bits(family)
        {
            let mask = match attr {
                Attr::OrigSrc => Opt::MaskSrc,
                _ => Opt::MaskDst,
            };
            self.order.given.add(mask);
            self.order
                .target
                .mask
                .set_address(attr, family, Address::mask(bits));
        }
        Ok(())
    }

    fn take_nat(&mut self, option: Opt, attached: Option<&'a [u8]>) -> Result<(), Problem> {
        self.order.given.add(option);
        let Some(value) = attached.or_else(|| self.getopt.detached()) else {
            return Ok(());
        };
        let (typed, port) = values::address_and_port(value)?;
        let (address, behind) = values::address(typed)
            .ok_or_else(|| Problem::parameter_with("Invalid IP address `", typed, "'"))?;
        self.set_family(address.family)?;
        if behind != Behind::Nothing {
            return Err(no_prefix(match option {
                Opt::SrcNat => "src-nat",
                Opt::DstNat => "dst-nat",
                _ => "any-nat",
            }));
        }
        let entry = &mut self.order.target.entry;
        entry.set_family(false, address.family);
        let set = |nat: &mut Nat| {
            nat.addr = Some(address.bytes);
            nat.family = Some(address.family);
            nat.port = port.or(nat.port);
        };
        if option != Opt::DstNat {
            set(&mut entry.snat);
        }
        if option != Opt::SrcNat {
            set(&mut entry.dnat);
        }
        Ok(())
    }

    fn take_protocol(&mut self, typed: &[u8]) -> Result<(), Problem> {
        self.order.given.add(Opt::Proto);
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
        self.order.given.add(Opt::Output);
        self.order.output |= values::words(typed, values::OUTPUT)?;
        let output = self.order.output;
        if output & output::LABELS != 0 && !self.late {
            self.names.read();
        }
        if output & output::SAVE != 0 && output != output::SAVE {
            return Err(Problem::other(
                "cannot combine save output with any other output type, use -o save only",
            ));
        }
        Ok(())
    }

    fn take_labels(&mut self, option: Opt, attached: Option<&'a [u8]>) -> Result<(), Problem> {
        self.order.given.add(option);
        let value = attached.or_else(|| {
            let may_follow = option == Opt::LabelDel;
            may_follow.then(|| self.getopt.detached()).flatten()
        });
        match value {
            _ if self.late => {}
            Some(list) => self.names.read_for(list),
            None => self.names.read(),
        }
        let given = self.order.given;
        if given.has(Opt::LabelAdd) && given.has(Opt::LabelDel) {
            return Err(Problem::other(
                "cannot use --label-add and --label-del at the same time",
            ));
        }
        // All labels.
        let Some(value) = value else {
            return Ok(());
        };
        let is_change = option != Opt::Label;
        if self.late {
            self.late_labels.push((is_change, value));
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
        if self.late {
            if self.order.output & output::LABELS != 0 {
                self.names.read();
            }
            for (is_change, list) in std::mem::take(&mut self.late_labels) {
                self.names.read_for(list);
                self.add_labels(is_change, list)?;
            }
        }
        let given = self.order.given;
        if given.has(Opt::AnyNat) && given.has_any(Given::of(&[Opt::SrcNat, Opt::DstNat])) {
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
