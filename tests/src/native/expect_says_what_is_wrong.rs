//! Every error in a request for an expectation is reported in one sentence on stderr, and in the exit code.

use anyhow::Result;

use super::namespace::{Namespace, rsct};
use crate::{
    lab::ftp::{self, Ftp, PORT},
    sentence::one_sentence,
};

pub fn run() -> Result<()> {
    messages(&ftp::namespace()?)
}

/// Checks the sentences in this namespace.
pub fn messages(namespace: &Namespace) -> Result<()> {
    let mut ftp = Ftp::connect(namespace, "127.0.0.1", PORT)?;
    ftp.passive(50010)?;
    namespace.create("-p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1000 --dport 21 --state ESTABLISHED -t 300")?;
    let sport = ftp.client_port()?;
    let master = format!("-p tcp -s 127.0.0.1 -d 127.0.0.1 --sport {sport} --dport {PORT}");
    let without_helper = "-p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1000 --dport 21";
    let tuple = "--tuple-dst 10.0.0.3 --tuple-port-dst 9";
    for (args, code, sentence) in [
        (
            format!("create {master} --tuple-src 127.0.0.1 --tuple-dst 127.0.0.1 --tuple-port-dst 50010"),
            1,
            "its tuple is expected already",
        ),
        (
            format!("create {master} {tuple} -w 9"),
            1,
            "the table has no entry of protocol 6 from 127.0.0.1 to 127.0.0.1 with these ports in zone 9",
        ),
        (format!("create {without_helper} {tuple}"), 1, "has no helper"),
        (
            format!("create {without_helper} {tuple} --class 1"),
            1,
            "has no helper",
        ),
        (
            format!("create {master} {tuple} --class 7"),
            1,
            "the helper ftp has no such class",
        ),
        (
            format!("create {master} --tuple-dst 10.0.0.3"),
            2,
            "give --tuple-port-dst",
        ),
        (
            format!("create {master} {tuple} --mask-dst 255.255.0.0"),
            2,
            "--mask-dst: the kernel compares every bit",
        ),
        (
            format!("create {master} {tuple} --mask-port-dst 255"),
            2,
            "--mask-port-dst: the kernel compares every bit",
        ),
        (
            format!("create {master} {tuple} --mask-src 255.0.0.0"),
            2,
            "--tuple-src",
        ),
        (
            format!("create {master} {tuple} --tuple-src 10.0.0.0/8"),
            2,
            "expected one address",
        ),
        (
            format!("create {master} {tuple} --tuple-src 10.0.0.1 --mask-src ffff::"),
            2,
            "the other addresses are ipv4",
        ),
        (
            format!("create {master} --tuple-dst ::1 --tuple-port-dst 9"),
            2,
            "different address families",
        ),
        (
            format!("create {master} {tuple} --netns all"),
            2,
            "in one network namespace",
        ),
        (format!("create {tuple}"), 2, "--proto"),
        (
            "delete".to_owned(),
            2,
            "`rsct expect flush` deletes all expectations",
        ),
        (
            "delete --tuple-src 10.0.0".to_owned(),
            2,
            "--tuple-src \"10.0.0\"",
        ),
        (
            "list --tuple-port-dst http".to_owned(),
            2,
            "--tuple-port-dst \"http\"",
        ),
        (
            "list -s 10.0.0.1 --tuple-dst ::1".to_owned(),
            2,
            "no expectation has both families",
        ),
        (
            "list --netns no-such-one".to_owned(),
            1,
            "no such name under /run/netns",
        ),
        ("flush --quiet -o json".to_owned(), 2, "cannot be used with"),
        ("watch -w 5".to_owned(), 2, "events do not have the zone"),
        ("watch --count 0".to_owned(), 2, "0 is not in 1.."),
        (
            "watch --duration soon".to_owned(),
            2,
            "expected a number with a unit",
        ),
        (
            "watch --buffer-size 1".to_owned(),
            2,
            "expected a number of bytes",
        ),
        ("watch -e update".to_owned(), 2, "invalid value 'update'"),
    ] {
        let args: Vec<&str> = std::iter::once("expect").chain(args.split(' ')).collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    for args in [
        "list".to_owned(),
        "flush".to_owned(),
        "delete --helper ftp".to_owned(),
        "watch".to_owned(),
        format!("create {master} {tuple}"),
    ] {
        let mut unprivileged = namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all"]);
        unprivileged
            .arg("--")
            .arg(rsct())
            .arg("expect")
            .args(args.split(' '));
        one_sentence(&mut unprivileged, 1, "not permitted; run as root")?;
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    one_sentence(
        namespace.rsct(&["expect", "list"]).stdout(full),
        1,
        "No space left on device",
    )
}
