//! A diagnosis for people: sections of aligned lines, and the verdict last.

use crate::doctor::{Argument, Btf, Conntrack, Diagnosis, Field, Hook, Hooked, Kernel, Privileges, Trial};
use crate::plural;

use super::color::Palette;

/// Columns of the labels before the hooks, whose names are longer.
const LABEL_COLUMNS: usize = 24;

/// Appends the whole diagnosis.
pub(crate) fn text(out: &mut Vec<u8>, diagnosis: &Diagnosis, palette: Palette) {
    let mut page = Page { out, palette };
    kernel(&mut page, &diagnosis.kernel);
    btf(&mut page, &diagnosis.btf);
    privileges(&mut page, &diagnosis.privileges);
    programs(&mut page, diagnosis);
    conntrack(&mut page, diagnosis.conntrack.as_ref(), diagnosis.conntrack_error);
    if let Some(dump) = &diagnosis.ctnetlink {
        match &dump.error {
            None => page.line("ctnetlink", Tone::Good, "dumps entries"),
            Some(error) => page.line("ctnetlink", Tone::Bad, error),
        }
    }
    hooks(&mut page, &diagnosis.hooks);
    fields(&mut page, &diagnosis.fields);
    arguments(&mut page, &diagnosis.arguments);
    verdict(&mut page, diagnosis);
}

/// The meaning of a value.
#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Good,
    Bad,
    Dim,
}

struct Page<'a> {
    out: &'a mut Vec<u8>,
    palette: Palette,
}

impl Page<'_> {
    fn section(&mut self, title: &str) {
        self.out.extend_from_slice(title.as_bytes());
        self.out.push(b'\n');
    }

    fn row(&mut self, columns: usize, label: &str, tone: Tone, value: &str) {
        self.out
            .extend_from_slice(format!("  {label:<columns$}  ").as_bytes());
        self.value(tone, value);
        self.out.push(b'\n');
    }

    /// A line whose value has a remark that is not coloured.
    fn remarked(&mut self, label: &str, tone: Tone, value: &str, remark: &str) {
        self.out
            .extend_from_slice(format!("  {label:<LABEL_COLUMNS$}  ").as_bytes());
        self.value(tone, value);
        self.out.extend_from_slice(remark.as_bytes());
        self.out.push(b'\n');
    }

    fn line(&mut self, label: &str, tone: Tone, value: &str) {
        self.row(LABEL_COLUMNS, label, tone, value);
    }

    fn value(&mut self, tone: Tone, value: &str) {
        let palette = self.palette;
        let color = match tone {
            Tone::Plain => return self.out.extend_from_slice(value.as_bytes()),
            Tone::Good => palette.good,
            Tone::Bad => palette.bad,
            Tone::Dim => palette.dim,
        };
        palette.paint(self.out, color, value.as_bytes());
    }
}

fn kernel(page: &mut Page<'_>, kernel: &Kernel) {
    page.section("kernel");
    page.line("release", Tone::Plain, &kernel.release);
    match (kernel.hz, &kernel.hz_error) {
        (Some(hz), _) => page.line("HZ", Tone::Plain, &hz.to_string()),
        (None, error) => page.line("HZ", Tone::Bad, error.as_deref().unwrap_or("unknown")),
    }
    match kernel.jit {
        Some(true) => page.line("BPF JIT", Tone::Good, "on"),
        Some(false) => page.line(
            "BPF JIT",
            Tone::Bad,
            "off, which raises the cost of each packet: sysctl net.core.bpf_jit_enable=1",
        ),
        None => page.line("BPF JIT", Tone::Dim, "not readable here"),
    }
    match kernel.lockdown {
        Some("confidentiality") => page.line(
            "lockdown",
            Tone::Bad,
            "confidentiality: eBPF programs may not read kernel memory",
        ),
        Some("integrity") => page.line("lockdown", Tone::Good, "integrity, which allows tracing"),
        Some(mode) => page.line("lockdown", Tone::Good, mode),
        None => page.line("lockdown", Tone::Dim, "not in this kernel, or not readable here"),
    }
}

fn btf(page: &mut Page<'_>, btf: &Btf) {
    page.section("types (BTF)");
    match &btf.error {
        None => page.line("vmlinux", Tone::Good, "present"),
        Some(error) => page.line("vmlinux", Tone::Bad, error),
    }
    if btf.modules.is_empty() {
        page.line("modules", Tone::Dim, "no conntrack module");
    } else {
        page.line("modules", Tone::Good, &btf.modules.join(", "));
    }
}

fn privileges(page: &mut Page<'_>, privileges: &Privileges) {
    page.section("privileges");
    if let Some(error) = &privileges.error {
        page.line("capabilities", Tone::Bad, error);
        return;
    }
    for capability in &privileges.capabilities {
        let (tone, held) = match capability.held {
            true => (Tone::Good, "held   "),
            false => (Tone::Bad, "missing"),
        };
        page.remarked(
            capability.name,
            tone,
            held,
            &format!("  for {}", capability.needed_for),
        );
    }
    for group in &privileges.groups {
        let commands = format!(": {}", group.commands.join(", "));
        match group.lacks.is_empty() {
            true => page.remarked(group.purpose, Tone::Good, "held", &commands),
            false => page.remarked(
                group.purpose,
                Tone::Bad,
                &format!("lacks {}", group.lacks.join(", ")),
                &commands,
            ),
        }
    }
    page.line("for ordinary users", Tone::Dim, &privileges.setcap);
    if !privileges.initial_user_namespace {
        page.line(
            "user namespace",
            Tone::Bad,
            "not the initial one: its capabilities do not allow tracing",
        );
    }
}

fn programs(page: &mut Page<'_>, diagnosis: &Diagnosis) {
    let programs = &diagnosis.programs;
    page.section("eBPF programs");
    let offered = |page: &mut Page<'_>, label, trial: &Trial| match &trial.answer {
        None => page.line(label, Tone::Good, "accepted"),
        Some(answer) => page.line(label, Tone::Bad, &format!("refused: {answer}")),
    };
    match &programs.fentry {
        Some(trial) => offered(page, "fentry, fexit", trial),
        None => page.line("fentry, fexit", Tone::Bad, "impossible without BTF"),
    }
    offered(page, "kprobe, kretprobe", &programs.kprobe);
    if programs.kprobe_events == Some(false) {
        page.line(
            "kprobe events",
            Tone::Bad,
            "not in this kernel (CONFIG_KPROBE_EVENTS): only fentry works",
        );
    }
    match diagnosis.programs_run {
        Some(true) => page.line("attached programs", Tone::Good, "run by the kernel"),
        Some(false) => page.line("attached programs", Tone::Bad, "NOT run by the kernel"),
        None => {
            let error = diagnosis.programs_run_error.as_deref().unwrap_or("not tested");
            let text = format!("unknown if the kernel runs them: {error}");
            page.line("attached programs", Tone::Dim, &text);
        }
    }
}

fn conntrack(page: &mut Page<'_>, conntrack: Option<&Conntrack>, unknown: Option<&str>) {
    page.section("conntrack in this network namespace");
    let Some(conntrack) = conntrack else {
        let why = unknown.unwrap_or("not loaded: modprobe nf_conntrack");
        page.line("nf_conntrack", Tone::Bad, why);
        return;
    };
    let how = match conntrack.module {
        Some(true) => "loaded as a module",
        Some(false) => "built in",
        None => "present",
    };
    page.line("nf_conntrack", Tone::Good, how);
    let ((tone4, ipv4), (tone6, ipv6)) = (traversal(&conntrack.ipv4), traversal(&conntrack.ipv6));
    if ipv4 == ipv6 {
        page.line("IPv4, IPv6", tone4, ipv4);
    } else {
        page.line("IPv4", tone4, ipv4);
        page.line("IPv6", tone6, ipv6);
    }
    if let (Some(entries), Some(limit)) = (conntrack.entries, conntrack.limit) {
        // Conntrack drops packets at the limit, and expires entries early from 95 % of it (gc_worker).
        let full = u64::from(entries) * 20 >= u64::from(limit) * 19 && limit != 0;
        let tone = if full { Tone::Bad } else { Tone::Plain };
        page.line("entries", tone, &format!("{entries} of at most {limit}"));
    }
    for sysctl in &conntrack.sysctls {
        let (tone, value) = match sysctl.value {
            None => (Tone::Dim, "not in this kernel"),
            Some(0) => (Tone::Dim, "off"),
            Some(1) => (Tone::Plain, "on"),
            // Only `nf_conntrack_events` has it: Linux 5.19.
            Some(_) => (Tone::Plain, "on while a listener exists"),
        };
        page.line(sysctl.name, tone, &format!("{value}: {}", sysctl.switches));
    }
}

fn traversal(hooked: &Hooked) -> (Tone, &str) {
    match (hooked.hooked, &hooked.error) {
        (Some(true), _) => (Tone::Good, "packets traverse conntrack"),
        (Some(false), _) => (
            Tone::Bad,
            "packets do not traverse conntrack until a rule needs it, such as one with `ct state`",
        ),
        (None, error) => (Tone::Dim, error.as_deref().unwrap_or("unknown")),
    }
}

fn hooks(page: &mut Page<'_>, hooks: &[Hook]) {
    if hooks.iter().all(|hook| hook.attached.is_none()) {
        page.section("hooks");
        return page.line("all", Tone::Dim, "not tried, for the reason on the last line");
    }
    for of_command in hooks.chunk_by(|one, next| one.command == next.command) {
        page.section(&format!("hooks of rsct {}", of_command[0].command));
        of_one_command(page, of_command);
    }
}

fn of_one_command(page: &mut Page<'_>, hooks: &[Hook]) {
    let columns = widest(hooks.iter().map(|hook| hook.function));
    for hook in hooks {
        let why = hook.why_not_better.join("; ");
        let (tone, text) = match (hook.attached, hook.in_btf) {
            (Some(how), _) if why.is_empty() => (Tone::Good, how.to_owned()),
            (Some("not attached"), in_btf) => {
                // A function that this kernel does not have is no error.
                let tone = if in_btf == Some(false) && !hook.essential {
                    Tone::Dim
                } else {
                    Tone::Bad
                };
                (
                    tone,
                    format!("not attached ({why}); not reported: {}", hook.shows),
                )
            }
            (Some(how), _) => (Tone::Plain, format!("{how} ({why})")),
            (None, _) => (Tone::Dim, "not tried".to_owned()),
        };
        page.row(columns, hook.function, tone, &text);
    }
}

fn fields(page: &mut Page<'_>, fields: &[Field]) {
    if fields.is_empty() {
        return;
    }
    page.section("fields");
    let names: Vec<String> = fields
        .iter()
        .map(|field| format!("{}.{}", field.of, field.path))
        .collect();
    let columns = widest(names.iter().map(String::as_str));
    for (field, name) in fields.iter().zip(&names) {
        let (tone, text) = match (field.offset, &field.absent) {
            (Some(offset), _) => {
                let ending = plural::choose(&field.bytes, "", "s");
                (
                    Tone::Plain,
                    format!("at {offset:>4}, {:>3} byte{ending}", field.bytes),
                )
            }
            (None, why) => {
                let tone = if field.required { Tone::Bad } else { Tone::Dim };
                (tone, format!("absent: {}", why.as_deref().unwrap_or("unknown")))
            }
        };
        page.row(columns, name, tone, &text);
    }
}

fn arguments(page: &mut Page<'_>, arguments: &[Argument]) {
    if arguments.is_empty() {
        return;
    }
    page.section("arguments, counted from 0");
    let columns = widest(arguments.iter().map(|argument| argument.function));
    for function in arguments.chunk_by(|one, next| one.function == next.function) {
        let absent = function.iter().any(|argument| argument.position.is_none());
        let texts: Vec<String> = function.iter().map(argument).collect();
        let tone = if absent { Tone::Dim } else { Tone::Plain };
        page.row(columns, function[0].function, tone, &texts.join(", "));
    }
}

fn argument(argument: &Argument) -> String {
    match (argument.name, argument.position) {
        (name, None) => format!("{name} absent"),
        ("return", Some(_)) => "return value".to_owned(),
        (name, Some(position)) => format!("{name} {position}"),
    }
}

fn verdict(page: &mut Page<'_>, diagnosis: &Diagnosis) {
    match &diagnosis.reason {
        None => page.value(Tone::Good, "rsct can trace here."),
        Some(reason) => {
            let stop = if reason.ends_with('.') { "" } else { "." };
            page.value(Tone::Bad, &format!("rsct cannot trace here: {reason}{stop}"));
        }
    }
    page.out.push(b'\n');
}

fn widest<'s>(labels: impl Iterator<Item = &'s str>) -> usize {
    labels.map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::samples;

    fn plain(diagnosis: &Diagnosis) -> String {
        let mut out = Vec::new();
        text(&mut out, diagnosis, Palette::PLAIN);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_machine_that_traces() {
        let expected = "\
kernel
  release                   6.12.95+deb12-amd64
  HZ                        250
  BPF JIT                   on
  lockdown                  none
types (BTF)
  vmlinux                   present
  modules                   nf_conntrack
privileges
  CAP_BPF                   held     for loading programs
  CAP_PERFMON               held     for attaching programs to kernel functions
  CAP_NET_ADMIN             held     for dumping conntrack's entries
  CAP_SYS_ADMIN             held     for fentry on a module's functions, other network namespaces
  to trace                  held: trace, top
  for other namespaces      lacks CAP_SYS_PTRACE: --netns
  for ordinary users        setcap cap_bpf,cap_perfmon,cap_net_admin+ep /usr/bin/rsct
eBPF programs
  fentry, fexit             accepted
  kprobe, kretprobe         accepted
  attached programs         run by the kernel
conntrack in this network namespace
  nf_conntrack              loaded as a module
  IPv4                      packets traverse conntrack
  IPv6                      packets do not traverse conntrack until a rule needs it, such as one with `ct state`
  entries                   3 of at most 65536
  nf_conntrack_acct         off: counters
  ctnetlink                 dumps entries
hooks of rsct trace
  nf_conntrack_in           fentry
  nf_conntrack_dccp_packet  not attached (gone); not reported: its state
hooks of rsct latency
  gc_worker  fentry
fields
  nf_conn.status           at  128,   8 bytes
  nf_conn.proto.tcp.state  at  184,   1 byte
  nf_conn.mark             absent: not built in
arguments, counted from 0
  nf_conntrack_in           skb 0, return value
  nf_conntrack_dccp_packet  ct absent
rsct can trace here.
";
        assert_eq!(plain(&samples::tracing()), expected);
    }

    #[test]
    fn a_refusal_does_not_end_the_diagnosis() {
        let mut diagnosis = samples::refusing();
        diagnosis.reason = Some("it says no".to_owned());
        let text = plain(&diagnosis);
        assert!(
            text.contains("fentry, fexit             refused: EPERM"),
            "{text}"
        );
        assert!(
            text.contains("hooks\n  all                       not tried,"),
            "{text}"
        );
        assert!(text.contains("nf_conn.status           at  128"), "{text}");
        assert!(
            text.contains("unknown if the kernel runs them: no hook is attached"),
            "{text}"
        );
        assert!(
            text.ends_with("\nrsct cannot trace here: it says no.\n"),
            "{text}"
        );
    }

    #[test]
    fn without_btf_there_are_no_fields() {
        let mut diagnosis = samples::refusing();
        diagnosis.fields.clear();
        diagnosis.arguments.clear();
        diagnosis.conntrack = None;
        let text = plain(&diagnosis);
        assert!(!text.contains("fields"), "{text}");
        assert!(text.contains("not loaded: modprobe nf_conntrack"), "{text}");
    }

    #[test]
    fn without_proc_conntrack_is_not_reported_as_unloaded() {
        let mut diagnosis = samples::refusing();
        diagnosis.conntrack = None;
        diagnosis.conntrack_error = Some("/proc is not mounted");
        let text = plain(&diagnosis);
        assert!(!text.contains("not loaded"), "{text}");
        assert!(text.contains("/proc is not mounted"), "{text}");
    }

    #[test]
    fn a_table_about_to_be_full_stands_out() {
        let palette = Palette {
            bad: b"!",
            ..Palette::PLAIN
        };
        let mut diagnosis = samples::tracing();
        for (entries, marked) in [(94, false), (95, true)] {
            let conntrack = diagnosis.conntrack.as_mut().unwrap();
            (conntrack.entries, conntrack.limit) = (Some(entries), Some(100));
            let mut out = Vec::new();
            text(&mut out, &diagnosis, palette);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.contains(&format!("!{entries} of")), marked, "{text}");
        }
    }
}
