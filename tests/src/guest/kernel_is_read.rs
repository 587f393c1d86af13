//! rsct's library reads the running kernel: types, symbols, and another namespace's settings.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, ensure};
use rsct::internals::kernel::{
    btf::{Field, Func, KernelTypes},
    netns,
    symbols::{Fate, fates},
    sysctl::Where,
};

use crate::native::namespace::succeeds;

pub fn run() -> Result<()> {
    succeeds(std::process::Command::new("modprobe").arg("nf_conntrack"))?;
    let types = KernelTypes::open()?;
    it_knows_its_packets(&types)?;
    it_knows_its_connections(&types)?;
    it_knows_its_symbols()?;
    another_namespaces_settings_are_its_own()
}

fn it_knows_its_packets(types: &KernelTypes) -> Result<()> {
    is(types.field("sk_buff", "len")?.size, 4, "sk_buff.len")?;
    is(types.struct_size("list_head")?, 16, "list_head")?;
    is(types.field("list_head", "prev")?.offset, 8, "list_head.prev")?;
    let free = function(types, "kfree")?;
    ensure!(
        free.param_index("object") == Some(0) && free.module.is_none(),
        "{free}"
    );
    ensure!(types.func("this_function_does_not_exist")?.is_none());
    Ok(())
}

fn it_knows_its_connections(types: &KernelTypes) -> Result<()> {
    let field = |container, path| -> Result<Field> { Ok(types.field(container, path)?) };
    is(field("sk_buff", "_nfct")?.size, 8, "sk_buff._nfct")?;
    is(field("nf_conn", "status")?.size, 8, "nf_conn.status")?;
    is(field("nf_conn", "timeout")?.size, 4, "nf_conn.timeout")?;
    is(field("nf_conn", "proto.tcp.state")?.size, 1, "the TCP state")?;
    let tuples = field("nf_conn", "tuplehash")?;
    is(field("nf_conn", "tuplehash[0].tuple")?.size, 40, "a tuple")?;
    let reply = field("nf_conn", "tuplehash[1].hnnode")?;
    is(reply.offset, tuples.offset + tuples.size / 2, "the reply's place")?;
    is(
        types.enum_value(None, "IPS_CONFIRMED_BIT")?,
        3,
        "IPS_CONFIRMED_BIT",
    )?;
    let established = types.enum_value(Some("tcp_conntrack"), "TCP_CONNTRACK_ESTABLISHED")?;
    is(established, 3, "TCP_CONNTRACK_ESTABLISHED")?;
    let entry = function(types, "nf_conntrack_in")?.to_string();
    ensure!(
        entry == "nf_conntrack_in(sk_buff *skb, nf_hook_state *state) -> u32",
        "{entry}"
    );
    Ok(())
}

fn it_knows_its_symbols() -> Result<()> {
    let fates = fates(&["this_function_does_not_exist", "kfree"])?;
    is(
        fates,
        vec![Fate::Absent, Fate::Present],
        "what became of functions",
    )?;
    Ok(())
}

fn another_namespaces_settings_are_its_own() -> Result<()> {
    let fresh = netns::fresh()?;
    let name = "net.ipv4.ip_default_ttl".to_owned();
    let there = Where::Inside(fresh.as_fd());
    let of = |at: Where<'_>| -> Result<_> {
        let settings = at.read(std::slice::from_ref(&name))?;
        settings.into_iter().next().flatten().context("no such setting")
    };
    let here = of(Where::Here)?;
    there.write(&name, "77").context("write a setting")?;
    let written = of(there)?;
    ensure!(written.value.as_deref() == Ok("77"), "{written:?}");
    let now = of(Where::Here)?;
    ensure!(now == here, "{now:?} where {here:?} was");
    Ok(())
}

fn function(types: &KernelTypes, name: &str) -> Result<Func> {
    types.func(name)?.with_context(|| format!("no function {name}"))
}

fn is<T: PartialEq + std::fmt::Debug>(found: T, expected: T, what: &str) -> Result<()> {
    ensure!(found == expected, "{what}: {found:?}, expected {expected:?}");
    Ok(())
}
