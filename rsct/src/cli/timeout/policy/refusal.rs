//! Why the kernel refuses what is asked about a policy.

use anyhow::anyhow;

use crate::{
    netlink::{Error, Socket, timeout},
    outside::shown,
    timeouts::is_without_cttimeout,
};

/// Puts a refusal into words.
pub(super) async fn of(socket: &mut Socket, doing: &str, name: &[u8], error: Error) -> anyhow::Error {
    let what = format!("{doing} the timeout policy {}", shown(name));
    match error.errno() {
        _ if error.is_not_permitted() => error.into(),
        Some(libc::ENOENT) => anyhow!("{what}: there is none of this name; {}", existing(socket).await),
        // Only what adds meets one that is there already, and only what deletes one that is held.
        Some(libc::EBUSY) if doing == "adding" => {
            anyhow!("{what}: there is one of this name already; `rsct timeout policy replace` changes it")
        }
        Some(libc::EBUSY) => anyhow!("{what}: {}", held(name, None)),
        _ => of_list(error),
    }
}

/// The same of what is about all policies.
pub(in crate::cli::timeout) fn of_list(error: Error) -> anyhow::Error {
    if is_without_cttimeout(&error) {
        anyhow!(
            "timeout policies: the kernel has no cttimeout, and couldn't load it; run `modprobe nfnetlink_cttimeout`, \
             or use a kernel built with CONFIG_NF_CT_NETLINK_TIMEOUT"
        )
    } else {
        error.into()
    }
}

/// Says that rules hold a policy, and how they are found.
pub(super) fn held(name: &[u8], rules: Option<usize>) -> String {
    let name = shown(name);
    let holders = match rules {
        Some(1) => "1 rule uses it".to_owned(),
        Some(rules @ 2..) => format!("{rules} rules use it"),
        // The kernel says so, and no program shows by whom.
        _ => "it is in use".to_owned(),
    };
    format!("{holders}; `rsct timeout rules {name}` finds rules")
}

/// Says which policies there are.
pub(in crate::cli::timeout) fn names(policies: &[timeout::Policy]) -> String {
    let names = policies.iter().filter_map(|policy| policy.name.as_deref());
    let names: Vec<String> = names.map(shown).collect();
    if names.is_empty() {
        "there are none at all".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    }
}

async fn existing(socket: &mut Socket) -> String {
    names(&timeout::list(socket).await.unwrap_or_default())
}
