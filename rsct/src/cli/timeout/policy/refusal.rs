//! Explains why the kernel rejected a request for a policy.

use anyhow::anyhow;

use crate::{
    netlink::{Error, Socket, timeout},
    outside::shown,
    timeouts::is_without_cttimeout,
};

/// The error of a request for one policy.
pub(super) async fn of(socket: &mut Socket, doing: &str, name: &[u8], error: Error) -> anyhow::Error {
    let what = format!("{doing} the timeout policy {}", shown(name));
    match error.errno() {
        _ if error.is_not_permitted() => error.into(),
        Some(libc::ENOENT) => anyhow!(
            "{what}: there is no policy of this name; {}",
            existing(socket).await
        ),
        // EBUSY: adding a policy that exists, or deleting one that is in use.
        Some(libc::EBUSY) if doing == "adding" => {
            anyhow!("{what}: a policy of this name exists already; `rsct timeout policy replace` changes it")
        }
        Some(libc::EBUSY) => anyhow!("{what}: {}", in_use(name, None)),
        _ => of_list(error),
    }
}

/// The error of a request for all policies.
pub(in crate::cli::timeout) fn of_list(error: Error) -> anyhow::Error {
    if is_without_cttimeout(&error) {
        anyhow!(
            "timeout policies: the kernel has no cttimeout, and could not load it; run `modprobe nfnetlink_cttimeout`, \
             or use a kernel built with CONFIG_NF_CT_NETLINK_TIMEOUT"
        )
    } else {
        error.into()
    }
}

/// "2 rules use it", and the command that lists them.
pub(super) fn in_use(name: &[u8], rules: Option<usize>) -> String {
    let name = shown(name);
    let users = match rules {
        Some(1) => "1 rule uses it".to_owned(),
        Some(rules @ 2..) => format!("{rules} rules use it"),
        // The kernel reports it, and no program lists the rules.
        _ => "it is in use".to_owned(),
    };
    format!("{users}; `rsct timeout rules {name}` lists the rules")
}

/// The names of the existing policies, for a sentence.
pub(in crate::cli::timeout) fn names(policies: &[timeout::Policy]) -> String {
    let names = policies.iter().filter_map(|policy| policy.name.as_deref());
    let names: Vec<String> = names.map(shown).collect();
    if names.is_empty() {
        "there are no policies".to_owned()
    } else {
        format!("policies are: {}", names.join(", "))
    }
}

async fn existing(socket: &mut Socket) -> String {
    names(&timeout::list(socket).await.unwrap_or_default())
}
