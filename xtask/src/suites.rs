//! Debian's mirror, as configured for this machine's apt.
//!
//! No mirror is built in: every user has one configured, perhaps the only reachable one.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exec;

/// Names of plain Debian suites, to distinguish Debian's sources from others.
const RELEASES: &[&str] = &[
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "sid",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
];
const FORMAT: &str = "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)";
/// Debian's keys, if installed; otherwise apt's default keys apply.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Debian's two archives, as configured on this machine.
#[derive(Debug, PartialEq)]
pub struct Mirror {
    main: String,
    security: Option<String>,
}

impl Mirror {
    /// The mirror this machine's apt uses.
    pub fn of_this_machine() -> Result<Self> {
        let mut command = Command::new("apt-get");
        command.args(["indextargets", "--format", FORMAT]);
        let targets = exec::output(&mut command, "list apt's sources")?;
        Self::from_targets(&targets).context(
            "apt on this machine has no Debian source, so Debian's kernels, tools and QEMU cannot be fetched: add one",
        )
    }

    fn from_targets(targets: &str) -> Option<Self> {
        let mut main = None;
        let mut security = None;
        for target in targets.lines() {
            let fields: Vec<&str> = target.split('|').collect();
            let [created_by, uri, suite, component, origin] = fields[..] else {
                continue;
            };
            // apt prints a field that it does not know unchanged.
            let debian = origin == "Debian" || origin.is_empty() || origin.starts_with('$');
            if created_by != "Packages" || component != "main" || !debian {
                continue;
            }
            let (release, part) = suite.split_once(['-', '/']).unwrap_or((suite, ""));
            if !RELEASES.contains(&release) {
                continue;
            }
            match part {
                "" => main = main.or(Some(uri)),
                "security" => security = security.or(Some(uri)),
                _ => {}
            }
        }
        Some(Self {
            main: main?.to_owned(),
            security: security.map(str::to_owned),
        })
    }

    /// A source line for each of `suites`. Fetches only package lists.
    pub fn sources(&self, suites: &[&str]) -> String {
        let signed_by = if std::path::Path::new(KEYRING).exists() {
            format!(" signed-by={KEYRING}")
        } else {
            String::new()
        };
        suites
            .iter()
            .filter_map(|suite| {
                let uri = if suite.ends_with("-security") {
                    // A mirror without the security archive still has every kernel series.
                    self.security.as_ref()?
                } else {
                    &self.main
                };
                Some(format!(
                    "deb [arch=amd64 target=Packages{signed_by}] {uri} {suite} main\n"
                ))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Mirror;

    #[test]
    fn debian_is_distinguished_from_other_sources() {
        let targets = "\
Packages|http://a.invalid/|cloud-sdk-bookworm|main|$(ORIGIN)
Packages|http://b.invalid/|bookworm|stable|Docker
Packages|http://b.invalid/|bookworm|main|PostgreSQL
Packages|http://mirror.invalid/debian/|bookworm|non-free|Debian
Translations|http://mirror.invalid/debian/|bookworm|main|Debian
Packages|http://mirror.invalid/debian/|bookworm|main|Debian
Packages|http://mirror.invalid/debian/|bookworm-updates|main|Debian
Packages|http://mirror.invalid/sec/|bookworm-security|main|$(ORIGIN)
";
        let mirror = Mirror::from_targets(targets).unwrap();
        assert_eq!(mirror.main, "http://mirror.invalid/debian/");
        assert_eq!(mirror.security.as_deref(), Some("http://mirror.invalid/sec/"));
    }

    #[test]
    fn another_suite_is_the_same_mirror_with_another_name() {
        let mirror = Mirror {
            main: "http://mirror.invalid/debian/".to_owned(),
            security: None,
        };
        let sources = mirror.sources(&["trixie", "trixie-security"]);
        assert_eq!(sources.lines().count(), 1);
        assert!(
            sources.ends_with(" http://mirror.invalid/debian/ trixie main\n"),
            "{sources}"
        );
    }

    #[test]
    fn no_debian_no_mirror() {
        assert_eq!(
            Mirror::from_targets("Packages|http://u.invalid/|noble|main|Ubuntu\n"),
            None
        );
        assert_eq!(Mirror::from_targets(""), None);
    }
}
