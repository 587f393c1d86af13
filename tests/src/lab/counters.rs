//! The kernel's own counters, with which rsct's answers are compared.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use crate::native::namespace::Namespace;

/// Counters of a namespace as `conntrack -S` prints them, summed over the processors.
#[derive(Debug)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads them.
    pub fn of(namespace: &Namespace) -> Result<Self> {
        let mut sum = BTreeMap::new();
        for word in namespace.sh("conntrack -S")?.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let value: u64 = value
                .parse()
                .with_context(|| format!("conntrack -S prints {word:?}"))?;
            *sum.entry(name.to_owned()).or_default() += value;
        }
        Ok(Self(sum))
    }

    /// Returns one of them.
    pub fn get(&self, name: &str) -> Result<u64> {
        self.0
            .get(name)
            .copied()
            .with_context(|| format!("conntrack -S knows no {name}"))
    }

    /// Checks that each of `names` has grown by this number and that every other counter is unchanged.
    pub fn must_have_grown(&self, namespace: &Namespace, by: &[(&str, u64)]) -> Result<()> {
        let now = Self::of(namespace)?;
        let trouble = [
            "insert_failed",
            "drop",
            "early_drop",
            "error",
            "invalid",
            "clash_resolve",
            "chaintoolong",
        ];
        for name in trouble {
            let expected = by
                .iter()
                .find(|(grown, _)| *grown == name)
                .map_or(0, |(_, by)| *by);
            let grown = now.get(name)? - self.get(name)?;
            ensure!(
                grown == expected,
                "{name} has grown by {grown} where {expected} is expected: {self:?}, then {now:?}"
            );
        }
        Ok(())
    }
}

/// One of the kernel's counters of packets and errors in a namespace, such as `IpExt` `InNoRoutes`.
pub fn mib(namespace: &Namespace, group: &str, name: &str) -> Result<u64> {
    let text =
        namespace.read("/proc/thread-self/net/snmp")? + &namespace.read("/proc/thread-self/net/netstat")?;
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks(2) {
        let [names, values] = pair else { continue };
        let (mut names, mut values) = (names.split_whitespace(), values.split_whitespace());
        if names.next().map(|first| first.trim_end_matches(':')) != Some(group) {
            continue;
        }
        values.next();
        if let Some((_, value)) = names.zip(values).find(|(this, _)| *this == name) {
            return value
                .parse()
                .with_context(|| format!("{group} {name} is {value:?}"));
        }
    }
    anyhow::bail!("the kernel counts no {group} {name}")
}
