//! The options that describe an entry, with all their names.

/// An option that describes an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opt {
    Sport,
    Dport,
    State,
    Proto,
    Src,
    Dst,
    Timeout,
    Status,
    ReplySrc,
    ReplyDst,
    ReplyPortSrc,
    ReplyPortDst,
    Mark,
    Zone,
    OrigZone,
    ReplyZone,
    SrcNat,
    DstNat,
    LabelAdd,
    LabelDel,
    Helper,
    Family,
    Id,
    Secmark,
    IcmpType,
    IcmpCode,
    IcmpId,
    OrigVtag,
    ReplyVtag,
    Role,
    Srckey,
    Dstkey,
    ReplyKeySrc,
    ReplyKeyDst,
    Master,
}

/// An option's names: the primary one, the aliases, and its letter.
struct OptionNames(Opt, &'static str, &'static [&'static str], Option<u8>);

/// In the order of [`Opt`], which has the most frequent options first: the search is linear.
const NAMES: [OptionNames; 35] = [
    OptionNames(Opt::Sport, "sport", &["orig-port-src"], None),
    OptionNames(Opt::Dport, "dport", &["orig-port-dst"], None),
    OptionNames(Opt::State, "state", &[], None),
    OptionNames(Opt::Proto, "proto", &["protonum"], Some(b'p')),
    OptionNames(Opt::Src, "src", &["orig-src"], Some(b's')),
    OptionNames(Opt::Dst, "dst", &["orig-dst"], Some(b'd')),
    OptionNames(Opt::Timeout, "timeout", &[], Some(b't')),
    OptionNames(Opt::Status, "status", &[], Some(b'u')),
    OptionNames(Opt::ReplySrc, "reply-src", &[], Some(b'r')),
    OptionNames(Opt::ReplyDst, "reply-dst", &[], Some(b'q')),
    OptionNames(Opt::ReplyPortSrc, "reply-port-src", &[], None),
    OptionNames(Opt::ReplyPortDst, "reply-port-dst", &[], None),
    OptionNames(Opt::Mark, "mark", &[], Some(b'm')),
    OptionNames(Opt::Zone, "zone", &[], Some(b'w')),
    OptionNames(Opt::OrigZone, "orig-zone", &[], None),
    OptionNames(Opt::ReplyZone, "reply-zone", &[], None),
    OptionNames(Opt::SrcNat, "src-nat", &[], Some(b'n')),
    OptionNames(Opt::DstNat, "dst-nat", &[], Some(b'g')),
    OptionNames(Opt::LabelAdd, "label-add", &["label"], Some(b'l')),
    OptionNames(Opt::LabelDel, "label-del", &[], None),
    OptionNames(Opt::Helper, "helper", &[], None),
    OptionNames(Opt::Family, "family", &[], Some(b'f')),
    OptionNames(Opt::Id, "id", &[], Some(b'i')),
    OptionNames(Opt::Secmark, "secmark", &[], Some(b'c')),
    OptionNames(Opt::IcmpType, "icmp-type", &["icmpv6-type"], None),
    OptionNames(Opt::IcmpCode, "icmp-code", &["icmpv6-code"], None),
    OptionNames(Opt::IcmpId, "icmp-id", &["icmpv6-id"], None),
    OptionNames(Opt::OrigVtag, "orig-vtag", &[], None),
    OptionNames(Opt::ReplyVtag, "reply-vtag", &[], None),
    OptionNames(Opt::Role, "role", &[], None),
    OptionNames(Opt::Srckey, "srckey", &["orig-key-src"], None),
    OptionNames(Opt::Dstkey, "dstkey", &["orig-key-dst"], None),
    OptionNames(Opt::ReplyKeySrc, "reply-key-src", &[], None),
    OptionNames(Opt::ReplyKeyDst, "reply-key-dst", &[], None),
    OptionNames(Opt::Master, "master", &[], None),
];

impl Opt {
    /// The primary long name, without the dashes.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// The option with a long name (without the dashes) or an unambiguous abbreviation of one.
    pub fn by_name(typed: &str) -> Option<Self> {
        let exact = |OptionNames(_, name, more, _): &&OptionNames| *name == typed || more.contains(&typed);
        if let Some(names) = NAMES.iter().find(exact) {
            return Some(names.0);
        }
        let begins = |OptionNames(_, name, more, _): &&OptionNames| {
            name.starts_with(typed) || more.iter().any(|name| name.starts_with(typed))
        };
        let mut found = NAMES.iter().filter(begins);
        match (found.next(), found.next()) {
            (Some(names), None) if !typed.is_empty() => Some(names.0),
            _ => None,
        }
    }

    /// The option with a letter.
    pub fn by_letter(letter: u8) -> Option<Self> {
        let same = |OptionNames(_, _, _, own): &&OptionNames| *own == Some(letter);
        NAMES.iter().find(same).map(|names| names.0)
    }

    /// Returns whether the value is optional.
    pub fn is_value_optional(self) -> bool {
        self == Self::LabelDel
    }

    /// Returns whether the option may be repeated, and its values accumulate.
    pub fn adds_up(self) -> bool {
        matches!(self, Self::LabelAdd | Self::LabelDel)
    }

    pub(super) const fn bit(self) -> u64 {
        1 << self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_in_its_own_place() {
        for (index, OptionNames(opt, name, more, letter)) in NAMES.iter().enumerate() {
            assert_eq!(*opt as usize, index, "{name}");
            for name in more.iter().chain([name]) {
                assert_eq!(Opt::by_name(name), Some(*opt), "{name}");
            }
            if let Some(letter) = letter {
                assert_eq!(Opt::by_letter(*letter), Some(*opt), "{name}");
            }
        }
    }

    #[test]
    fn unambiguous_abbreviations_are_accepted() {
        assert_eq!(Opt::by_name("time"), Some(Opt::Timeout));
        assert_eq!(Opt::by_name("spo"), Some(Opt::Sport));
        for wrong in ["s", "", "reply", "sports", "stat"] {
            assert_eq!(Opt::by_name(wrong), None, "{wrong}");
        }
    }
}
