//! Edits the text of a sysctl.d(5) file: changes some settings and keeps everything else.

use std::fmt::Write as _;

const HEADER: &str =
    "# Kept by rsct; read by systemd-sysctl(8) when the machine starts, and by `sysctl --system`.\n";

/// Returns the text with these settings, by dotted name: changed in place, or else appended.
pub(crate) fn merge(before: &str, settings: &[(String, String)]) -> String {
    let mut text = String::new();
    let mut is_written = vec![false; settings.len()];
    for line in before.split_inclusive('\n') {
        let found = settings
            .iter()
            .position(|(name, _)| key(line).as_deref() == Some(name));
        match found {
            Some(index) => {
                is_written[index] = true;
                // A dash before a setting makes sysctl ignore failures.
                let dash = if line.trim_start().starts_with('-') {
                    "-"
                } else {
                    ""
                };
                let (name, value) = &settings[index];
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{dash}{name} = {value}");
            }
            None => text.push_str(line),
        }
    }
    if text.is_empty() {
        text.push_str(HEADER);
    } else if !text.ends_with('\n') {
        text.push('\n');
    }
    for ((name, value), is_written) in settings.iter().zip(is_written) {
        if !is_written {
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    text
}

/// The dotted name of the setting on a line. sysctl.d accepts slashes as well as dots.
fn key(line: &str) -> Option<String> {
    let line = line.trim_start();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (key, _) = line.strip_prefix('-').unwrap_or(line).split_once('=')?;
    Some(key.trim().replace('/', "."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "net.netfilter.nf_conntrack_udp_timeout";

    fn merged(before: &str) -> String {
        merge(before, &[(NAME.to_owned(), "77".to_owned())])
    }

    #[test]
    fn settings_are_changed_in_place() {
        let expected = "# mine\nvm.swappiness=1\nnet.netfilter.nf_conntrack_udp_timeout = 77\n; end\n";
        for line in [
            "net.netfilter.nf_conntrack_udp_timeout=30",
            "  net/netfilter/nf_conntrack_udp_timeout = 30",
            "net.netfilter/nf_conntrack_udp_timeout\t=\t30",
        ] {
            assert_eq!(
                merged(&format!("# mine\nvm.swappiness=1\n{line}\n; end\n")),
                expected
            );
        }
        assert_eq!(merged(&format!("-{NAME}=1\n")), format!("-{NAME} = 77\n"));
        assert_eq!(
            merged(&format!("#{NAME}=1\n")),
            format!("#{NAME}=1\n{NAME} = 77\n")
        );
        assert_eq!(
            merged(&format!("{NAME}_stream=1")),
            format!("{NAME}_stream=1\n{NAME} = 77\n")
        );
    }

    #[test]
    fn a_new_file_names_its_owner() {
        assert_eq!(merged(""), format!("{HEADER}{NAME} = 77\n"));
    }

    proptest! {
        #[test]
        fn merging_again_changes_nothing(before: String) {
            let once = merged(&before);
            prop_assert_eq!(merged(&once), once);
        }

        #[test]
        fn other_lines_stay(lines in proptest::collection::vec("[ a-z.=#]{0,12}", 0..9)) {
            let before = lines.join("\n");
            let after = merged(&before);
            prop_assert!(before.is_empty() || after.starts_with(&before));
        }
    }
}
