use super::*;

fn parse(line: &str) -> Result<Order, Problem> {
    let words = std::iter::once("conntrack").chain(line.split(' ').filter(|word| !word.is_empty()));
    Order::parse(words.map(str::as_bytes).collect(), &mut LabelNames::default())
}

fn refusal(line: &str) -> String {
    match parse(line) {
        Ok(_) => "none".to_owned(),
        Err(Problem::Parameter(sentence) | Problem::Other(sentence)) => String::from_utf8(sentence).unwrap(),
        Err(Problem::BrokenPipe) => unreachable!(),
    }
}

#[test]
fn tables_may_be_abbreviated_and_stray_words_are_ignored() {
    for (line, command, table) in [
        ("-L", Command::List, TableName::Conntrack),
        ("-L exp", Command::ExpectList, TableName::Expect),
        ("-L dy", Command::List, TableName::Dying),
        ("-L u", Command::List, TableName::Unconfirmed),
        ("x -E e y", Command::ExpectEvent, TableName::Expect),
        ("--dump=expect", Command::List, TableName::Conntrack),
        ("-Lexpect", Command::List, TableName::Conntrack),
        ("-V", Command::Version, TableName::Conntrack),
        ("x", Command::None, TableName::Conntrack),
    ] {
        let order = parse(line).unwrap_or_else(|problem| panic!("{line}: {problem:?}"));
        assert_eq!((order.command(), order.table), (command, table), "{line}");
    }
}

#[test]
fn usage_errors_match_conntrack() {
    for (line, sentence) in [
        ("-L foo", "unknown type `foo'"),
        (
            "-D dying",
            "Can't do that command with tables `dying' and `unconfirmed'",
        ),
        ("-U expect", "Can't do --update on expectations"),
        ("-L -D", "Invalid commands combination"),
        ("-L --sport 5 -p tcp", "unknown option `--sport'"),
        ("-L -s", "option `-s' requires an argument"),
        ("-L -s host", "Invalid IP address `host'"),
        ("-L -s 1.2.3.4/33", "Invalid netmask"),
        ("-L -r 1.2.3.0/24", "CIDR notation unavailable for `--reply-src'"),
        ("-L -s 1.2.3.4 -d ::1", "mismatched address family"),
        ("-L -p nothing", "`nothing' unsupported protocol"),
        ("-L -f ipx", "`ipx' unsupported protocol"),
        ("-L -u nothing", "Bad parameter `nothing'"),
        ("-L -t 5", "Illegal option `--timeout' with this command"),
        (
            "-I -p tcp",
            "You need to supply the `--timeout' option for this command",
        ),
        ("-I -p tcp -t 5", "you have to specify `--src' and `--dst'"),
        (
            "-I -p tcp -t 5 -r 1.1.1.1",
            "you have to specify `--reply-src' and `--reply-dst'",
        ),
        (
            "-I -p tcp -t 5 -s 1.1.1.1 -d 2.2.2.2",
            "You need to supply the `--state' option for this command",
        ),
        (
            "-I -p udp -t 5 -s 1.1.1.1 -d 2.2.2.2 --sport 1",
            "you have to specify `--sport' and `--dport'",
        ),
        ("-L -p tcp --state X", "unknown TCP state `X'"),
        (
            "-L -j -n",
            "cannot specify `--src-nat' or `--dst-nat' with `--any-nat'",
        ),
        (
            "-o save,xml",
            "cannot combine save output with any other output type, use -o save only",
        ),
        (
            "-U --label-add 1 --label-del",
            "cannot use --label-add and --label-del at the same time",
        ),
    ] {
        assert_eq!(refusal(line), sentence, "{line}");
    }
}

#[test]
fn an_attached_optional_value_counts() {
    for line in ["-L -n1.2.3.4", "-L --src-nat=1.2.3.4", "-L -n 1.2.3.4"] {
        let order = parse(line).ok().unwrap();
        assert!(order.target.entry.snat.addr.is_some(), "{line}");
    }
    assert!(parse("-U --label-del=3").ok().unwrap().label_change.is_some());
    assert!(parse("-U --label-del").ok().unwrap().label_change.is_none());
}

#[test]
fn a_status_does_not_become_the_mark() {
    let order = parse("-L -m 5 -u ASSURED").ok().unwrap();
    assert_eq!(order.mark.unwrap().value, 5);
}

#[test]
fn the_last_protocol_interprets_options_of_earlier_ones() {
    // UDP's seventh option, which is not valid for an entry.
    assert_eq!(
        refusal("-L -p tcp -p udp --state 99"),
        "Illegal option `--tuple-port-src' with this command"
    );
    assert_eq!(refusal("-L -p tcp -p udp --spor 1"), "unknown option `--spor'");
}
