//! The form of an output line: the line with its variable parts replaced, so that two runs of a command can be compared.

/// Stands for a number, with or without a unit.
const NUMBER: char = '#';
/// Stands for an address, with or without a port.
const ADDRESS: char = '@';
/// Stands for the bars of a histogram.
const BAR: char = '█';
const UNITS: [&str; 17] = [
    "ns", "us", "µs", "ms", "s", "m", "h", "d", "%", "B", "KiB", "MiB", "GiB", "x", "/s", "k", "M",
];

/// The form of a line. Variable are numbers with their units, addresses with their ports, words in brackets and the bars of
/// histograms. The width of space is variable too, because it depends on the values. A noun after a number, or after a
/// number and one more word, is reduced to its singular.
pub fn form(line: &str) -> String {
    let mut form = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after_word = form.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        // A version such as v1.2.3.
        let after_word = after_word
            && !(form.ends_with('v') && !form.trim_end_matches('v').ends_with(char::is_alphanumeric));
        let token = &rest[..rest.find(|c| !is_of_token(c)).unwrap_or(rest.len())];
        if c == '[' {
            match rest.find(']') {
                Some(end) => {
                    form.push_str("[]");
                    rest = &rest[end + 1..];
                }
                None => {
                    form.push(c);
                    rest = &rest[1..];
                }
            }
        } else if c.is_whitespace() {
            if !form.ends_with(' ') {
                form.push(' ');
            }
            rest = &rest[c.len_utf8()..];
        } else if ('▀'..='▟').contains(&c) {
            if !form.ends_with(BAR) {
                form.push(BAR);
            }
            rest = &rest[c.len_utf8()..];
        } else if !after_word && is_address(token) {
            form.push(ADDRESS);
            rest = &rest[token.trim_end_matches([':', '.']).len()..];
        } else if !after_word && c.is_ascii_digit() {
            rest = after_number(rest);
            if !form.ends_with(NUMBER) {
                form.push(NUMBER);
            }
        } else if c.is_ascii_digit() {
            // Part of a name such as eth0 or P99.9.
            let length = rest.len() - after_digits(rest).len();
            form.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            form.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    singular(form.trim())
}

/// Returns whether a form has a variable part.
pub fn is_variable(form: &str) -> bool {
    form.contains([NUMBER, ADDRESS, BAR]) || form.contains("[]")
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_hexdigit() || c == '.' || c == ':'
}

fn is_address(token: &str) -> bool {
    let token = token.trim_end_matches(['.', ':']);
    let v4 = token.split(':').next().unwrap_or_default();
    let is_v4 = v4.split('.').count() == 4 && v4.split('.').all(|part| part.parse::<u8>().is_ok());
    is_v4 || token.parse::<std::net::Ipv6Addr>().is_ok()
}

/// The rest of a line after the digits, full stops and commas at its beginning, of which the last belongs to the text.
fn after_digits(line: &str) -> &str {
    let end = line.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
    let length = line[..end.unwrap_or(line.len())]
        .trim_end_matches(['.', ','])
        .len();
    &line[length..]
}

/// The rest of a line after the number at its beginning and the number's unit.
fn after_number(line: &str) -> &str {
    let rest = match line.strip_prefix("0x") {
        Some(hex) => hex.trim_start_matches(|c: char| c.is_ascii_hexdigit()),
        None => after_digits(line),
    };
    // A unit stands next to its number or after one space.
    let spaced = rest.strip_prefix(' ').unwrap_or(rest);
    let end = spaced.find(|c: char| !c.is_alphabetic() && !matches!(c, '%' | '/'));
    let unit = &spaced[..end.unwrap_or(spaced.len())];
    if UNITS.contains(&unit) {
        &spaced[unit.len()..]
    } else {
        rest
    }
}

/// Reduces `# entries are` to `# entry is`, and `# flow entries` to `# flow entry`.
fn singular(form: &str) -> String {
    let is_number = |word: &String| word.ends_with(NUMBER);
    let mut words: Vec<String> = form.split(' ').map(str::to_owned).collect();
    for index in 1..words.len() {
        let word = &words[index];
        words[index] = match word.as_str() {
            "are" => "is".to_owned(),
            "have" => "has".to_owned(),
            "were" => "was".to_owned(),
            "is" | "has" | "was" => continue,
            _ if !words[index.saturating_sub(2)..index].iter().any(is_number) => continue,
            word => {
                let noun = word.trim_end_matches(['.', ',', ':', ';']);
                let rest = &word[noun.len()..];
                match (noun.strip_suffix("ies"), noun.strip_suffix('s')) {
                    (Some(stem), _) => format!("{stem}y{rest}"),
                    (None, Some(stem)) if !stem.ends_with('s') => format!("{stem}{rest}"),
                    _ => continue,
                }
            }
        };
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_are_replaced() {
        for (line, expected) in [
            (
                "7 packets are INVALID in 1.1 s (6.6/s)",
                "# packet is INVALID in # (#)",
            ),
            (
                "1 packet is INVALID in 16 µs (1/s)",
                "# packet is INVALID in # (#)",
            ),
            (
                "  example    udp 192.168.34.12:54569 > fd34::11 [CONFIRMED], 29s left, by conntrack[291]",
                "example udp @ > @ [], # left, by conntrack[]",
            ),
            (
                "nf_conntrack_udp_timeout of eth0, 4,000 entries.",
                "nf_conntrack_udp_timeout of eth0, # entry.",
            ),
            (
                "conntrack v0.1.0 (conntrack-tools): 3 flow entries",
                "conntrack v# (conntrack-tools): # flow entry",
            ),
            ("128 events were lost of 2", "# event was lost of #"),
            (
                "1 packet and 2 entry events in 3",
                "# packet and # entry event in #",
            ),
            ("OUTCOME    COUNT   P50   P99.9", "OUTCOME COUNT P50 P99.9"),
            ("  1.02us  938  70.8% ██████▋", "# # # █"),
            ("mark=0x1f dport=53", "mark=# dport=#"),
            ("a[", "a["),
        ] {
            assert_eq!(form(line), expected);
        }
    }

    #[test]
    fn headers_have_no_variable_part() {
        assert!(!is_variable(&form("OUTCOME   COUNT  P50 P99.9")));
        assert!(is_variable(&form("all   3")) && is_variable(&form("[UNREPLIED]")));
    }
}
