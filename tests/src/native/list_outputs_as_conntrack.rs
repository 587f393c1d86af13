//! `rsct list -o` prints the same as `conntrack -L -o`, in every form that both have, except for conntrack's faults.

use anyhow::{Context as _, Result, ensure};

use super::{
    namespace::{Namespace, rsct, succeeds},
    table,
};

/// How far two listings taken one after the other may be apart.
const SECONDS_APART: u64 = 2;

pub fn run() -> Result<()> {
    let namespace = table::broad()?;
    agree(&namespace)?;
    let labelled = Labelled { namespace };
    let theirs = labelled.run("conntrack -L -o xml,labels")?;
    ensure!(theirs.contains("<label>third</label>"), "no labels:\n{theirs}");
    same_xml(&labelled.rsct("list -o xml")?, &theirs)?;
    let saved = labelled.rsct("list -o save")?;
    for part in [" -m 5 ", " -m 4294967295 ", " --label-add \"third,sixty fourth\""] {
        ensure!(saved.contains(part), "{part:?} is nowhere in\n{saved}");
    }
    same_save(&saved, &labelled.run("conntrack -L -o save")?)?;
    loads_again(&labelled, &saved)
}

/// Checks that the two tools show the same table in each form, where labels have no names.
pub fn agree(namespace: &Namespace) -> Result<()> {
    table::same_but_for_time(&namespace.list(&["-o", "text"])?, &namespace.conntrack(&[])?)?;
    let both = |form| -> Result<_> {
        Ok((
            namespace.list(&["-o", form])?,
            namespace.conntrack(&["-o", form])?,
        ))
    };
    let (ours, theirs) = both("extended")?;
    table::same_but_for_time(&ours, &theirs)?;
    let (ours, theirs) = both("xml")?;
    same_xml(&ours, &theirs)?;
    let (ours, theirs) = both("save")?;
    same_save(&ours, &theirs)
}

/// A namespace whose commands see a connlabel.conf, in a directory that is mounted over /etc for them alone.
struct Labelled {
    namespace: Namespace,
}

impl Labelled {
    fn run(&self, script: &str) -> Result<String> {
        let script = format!(
            "exec unshare -m sh -ec '
                 mount -t tmpfs none /etc
                 mkdir /etc/xtables
                 echo 3 third > /etc/xtables/connlabel.conf
                 echo 64 sixty fourth >> /etc/xtables/connlabel.conf
                 {script}'"
        );
        self.namespace.sh(&script)
    }

    fn rsct(&self, args: &str) -> Result<String> {
        self.run(&format!("{} {args}", rsct().display()))
    }
}

/// Compares XML with conntrack's faults corrected: SCTP's and DCCP's states have their own names, ICMP its type, code
/// and id.
fn same_xml(ours: &str, theirs: &str) -> Result<()> {
    let pairs = ours.lines().zip(theirs.lines());
    ensure!(ours.lines().count() == theirs.lines().count(), "{ours}\n{theirs}");
    for (our, their) in pairs {
        let mut mended = our.to_owned();
        let is = |name: &str| our.contains(&format!("protoname=\"{name}\""));
        if is("icmp") || is("icmpv6") {
            ensure!(our.contains("<type>"), "{our}");
            for element in ["type", "code", "id"] {
                // In the two directions; the entry's own id stays.
                mended = without(&without(&mended, element), element);
            }
        }
        if is("sctp") {
            let own = ["ESTABLISHED", "SHUTDOWN_SENT"].map(|state| format!("<state>{state}</state>"));
            ensure!(own.iter().any(|state| our.contains(state)), "{our}");
            mended = mended
                .replace("<state>ESTABLISHED<", "<state>FIN_WAIT<")
                .replace("<state>SHUTDOWN_SENT<", "<state>CLOSE_WAIT<");
        }
        if is("dccp") {
            mended = mended.replace("<state>OPEN<", "<state>FIN_WAIT<");
        }
        same_but_for_time(&mended, their, &['<', '>'])?;
    }
    Ok(())
}

/// A line without the first element of a name.
fn without(line: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let (Some(start), Some(end)) = (line.find(&open), line.find(&close)) else {
        return line.to_owned();
    };
    format!("{}{}", &line[..start], &line[end + close.len()..])
}

/// Compares saved lines without the marks and labels that conntrack loses.
fn same_save(ours: &str, theirs: &str) -> Result<()> {
    ensure!(ours.lines().count() == theirs.lines().count(), "{ours}\n{theirs}");
    for (our, their) in ours.lines().zip(theirs.lines()) {
        let mut mended = our.split(" --label-add ").next().unwrap_or("").to_owned();
        if let Some((before, after)) = mended.split_once(" -m ") {
            let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
            mended = format!("{before} {rest}");
        }
        same_but_for_time(&mended, their, &[' '])?;
    }
    Ok(())
}

/// Compares two lines part by part; numbers that are times may differ.
fn same_but_for_time(our: &str, their: &str, separators: &[char]) -> Result<()> {
    let shown = || format!("rsct:      {our}\nconntrack: {their}");
    let (ours, theirs): (Vec<_>, Vec<_>) =
        (our.split(separators).collect(), their.split(separators).collect());
    ensure!(ours.len() == theirs.len(), "another number of parts\n{}", shown());
    let mut before = "";
    for (our, their) in ours.iter().zip(&theirs) {
        let same = match (our.parse::<u64>(), their.parse::<u64>()) {
            (Ok(our), Ok(their)) if matches!(before, "timeout" | "deltatime" | "-t") => {
                our.abs_diff(their) <= SECONDS_APART
            }
            _ => our == their,
        };
        ensure!(same, "{our:?} where conntrack has {their:?}\n{}", shown());
        before = their;
    }
    Ok(())
}

/// conntrack reads the lines that rsct saved and makes the same entries, with their marks and labels. It reads each
/// line alone, because 1.4.7 crashes at a second one as soon as there are labels.
fn loads_again(labelled: &Labelled, saved: &str) -> Result<()> {
    let namespace = &labelled.namespace;
    let lines: Vec<&str> = saved
        .lines()
        // conntrack accepts no DCCP or UDPLITE without ports, but saves them so where the kernel has no handler for
        // them.
        .filter(|line| {
            line.contains("--sport") || !["-p dccp", "-p udplite"].iter().any(|p| line.contains(p))
        })
        .collect();
    let file = format!("/run/{}.saved", namespace.name);
    std::fs::write(&file, lines.join("\n") + "\n").context("write the saved table")?;
    let loaded = succeeds(&mut namespace.command("conntrack", &["-F"])).and_then(|_| {
        labelled.run(&format!(
            "while read -r line; do echo \"$line\" | conntrack -R -; done < {file}"
        ))
    });
    std::fs::remove_file(&file)?;
    loaded?;
    let again = labelled.rsct("list -o save")?;
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| {
                let after_timeout = line.splitn(4, ' ').nth(3).unwrap_or_default();
                after_timeout.to_owned()
            })
            .collect();
        lines.sort();
        lines
    };
    let (before, after) = (sorted(&lines.join("\n")), sorted(&again));
    ensure!(before == after, "saved:\n{before:#?}\nloaded again:\n{after:#?}");
    Ok(())
}
