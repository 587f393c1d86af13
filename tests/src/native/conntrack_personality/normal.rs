//! Normalises the output of two runs of one command line: version, times, ids where the tables are not the same, ports
//! that the kernel chose, and the task that caused an event.

/// Similarity of two runs' tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// It is one table.
    Same,
    /// They were filled alike: ids, start times, ephemeral ports and the order of entries differ.
    Alike,
}

/// Output without the parts that may differ.
pub fn output(text: &str, tables: Tables) -> String {
    let mut lines: Vec<String> = text.lines().map(|line| self::line(line, tables)).collect();
    if tables == Tables::Alike {
        lines.sort_unstable();
    }
    lines.join("\n")
}

fn line(line: &str, tables: Tables) -> String {
    // The tools' own version is in their sentences and in the usage.
    let mut line = replace_after(line, "conntrack v", |c| c.is_ascii_digit() || c == '.');
    line = replace_after(&line, "Version ", |c| c.is_ascii_digit() || c == '.');
    if let Some(index) = line.find(" [USERSPACE]") {
        line.truncate(index + " [USERSPACE]".len());
    }
    if line.starts_with("cpu=") {
        return line
            .split(' ')
            .map(|field| field.split('=').next().unwrap_or(""))
            .collect::<Vec<_>>()
            .join(" ");
    }
    // `-o timestamp`.
    let stamped = line.starts_with('[') && line[1..].starts_with(|c: char| c.is_ascii_digit());
    if let (true, Some(tab)) = (stamped, line.find('\t')) {
        line.replace_range(..tab, "[now]");
    }
    for key in ["delta-time=", "<timeout>", "<deltatime>", "-t "] {
        line = replace_after(&line, key, |c| c.is_ascii_digit());
    }
    if let (Some(begin), Some(end)) = (line.find("<when>"), line.find("</when>")) {
        line.replace_range(begin..end, "<when>");
    }
    if tables == Tables::Alike {
        for key in [" id=", "<id>", "<start>", "<stop>"] {
            line = replace_after(&line, key, |c| c.is_ascii_digit());
        }
        for key in ["[start=", "[stop="] {
            line = replace_after(&line, key, |c| c != ']');
        }
        for key in [
            "sport=",
            "dport=",
            "<sport>",
            "<dport>",
            "port-src ",
            "port-dst ",
            "--sport ",
            "--dport ",
        ] {
            line = ephemeral(&line, key);
        }
    }
    timeout(&line)
}

/// A number before the addresses is the timeout.
fn timeout(line: &str) -> String {
    let Some(addresses) = line.find("src=").or_else(|| line.find("proto=")) else {
        return line.to_owned();
    };
    let mut fields: Vec<&str> = line[..addresses].split(' ').collect();
    let is_number = |field: &&str| !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit());
    if let Some(index) = fields.iter().rposition(is_number) {
        fields[index] = "T";
    }
    fields.join(" ") + &line[addresses..]
}

/// Replaces the characters that `is_it` accepts after each occurrence of `key`.
fn replace_after(line: &str, key: &str, is_it: impl Fn(char) -> bool + Copy) -> String {
    let mut parts = line.split(key);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push_str(key);
        let rest = part.trim_start_matches(is_it);
        if rest.len() < part.len() {
            out.push('_');
        }
        out.push_str(rest);
    }
    out
}

/// Replaces ports that the kernel chose.
fn ephemeral(line: &str, key: &str) -> String {
    let mut parts = line.split(key);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &part[..part.len() - rest.len()];
        let chosen = number
            .parse::<u32>()
            .is_ok_and(|port| (32768..61000).contains(&port));
        out.push_str(key);
        out.push_str(if chosen { "_" } else { number });
        out.push_str(rest);
    }
    out
}
