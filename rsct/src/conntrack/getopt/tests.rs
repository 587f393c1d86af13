use super::*;

const SHORT: &[(u8, OptionArgument)] = &[
    (b'L', OptionArgument::Optional),
    (b'z', OptionArgument::None),
    (b'S', OptionArgument::None),
    (b'p', OptionArgument::Required),
];
const fn long(name: &'static str, argument: OptionArgument, value: u8) -> Long {
    Long {
        name,
        argument,
        value: value as i32,
    }
}
const LONG: &[Long] = &[
    long("dump", OptionArgument::Optional, b'L'),
    long("src", OptionArgument::Required, b's'),
    long("src-nat", OptionArgument::Optional, b'n'),
    long("zero", OptionArgument::None, b'z'),
    long("zone", OptionArgument::Required, b'w'),
    long("orig-src", OptionArgument::Required, b's'),
    long("label", OptionArgument::Required, b'l'),
    long("label-add", OptionArgument::Required, b'<'),
];

/// The result of glibc's getopt_long for the same words: one letter for each option, `?` and `:` for errors, each with
/// its value and the word before the next.
fn read(line: &str) -> String {
    let words = std::iter::once("prog").chain(line.split(' '));
    let mut getopt = Getopt::new(words.map(str::as_bytes).collect(), SHORT);
    let mut all = Vec::new();
    while let Some(found) = getopt.next_option(&Groups::new(LONG)) {
        let before = String::from_utf8_lossy(getopt.before()).into_owned();
        all.push(match found {
            Found::Unknown => format!("?@{before}"),
            Found::NoValue => format!(":@{before}"),
            Found::Option(value, arg) => {
                let letter = char::from(u8::try_from(value).unwrap());
                match arg {
                    Some(arg) => format!("{letter}={}", String::from_utf8_lossy(arg)),
                    None => letter.to_string(),
                }
            }
        });
    }
    all.join(" ")
}

#[test]
fn it_reads_as_glibc_does() {
    for (line, expected) in [
        ("-L -z", "L z"),
        ("-Lz", "L=z"),
        ("-zL", "z L"),
        ("-zLx", "z L=x"),
        ("-zp tcp", "z p=tcp"),
        ("-zptcp", "z p=tcp"),
        ("-p", ":@-p"),
        ("-zp", "z :@-zp"),
        ("-zX", "z ?@-zX"),
        ("-zXz", "z ?@prog z"),
        ("a b -z c", "z"),
        ("a -zXz", "z ?@a z"),
        ("--dump=expect", "L=expect"),
        ("--dum expect", "L"),
        ("--z", "?@--z"),
        ("--ze", "z"),
        ("--ze=5", "?@--ze=5"),
        ("--zo=5", "w=5"),
        ("--zo 5", "w=5"),
        ("--zo", ":@--zo"),
        ("--src=1", "s=1"),
        ("--src-", "n"),
        ("--sr", "?@--sr"),
        ("--src-nat=", "n="),
        ("--lab x", "?@--lab"),
        ("--label", ":@--label"),
        ("--=", "?@--="),
        ("-z -- -z", "z"),
        ("a -- -z", ""),
        ("- -z", "z"),
        ("-p -z", "p=-z"),
        ("-?", "?@-?"),
    ] {
        assert_eq!(read(line), expected, "{line}");
    }
}

/// A word consumed as an optional value counts as an option when words are moved after the options.
#[test]
fn a_detached_value_counts_as_an_option() {
    let long = Groups::new(LONG);
    let words = ["prog", "x", "-L", "table", "-z", "y"].map(str::as_bytes);
    let mut getopt = Getopt::new(words.to_vec(), SHORT);
    assert_eq!(getopt.next_option(&long), Some(Found::Option(b'L'.into(), None)));
    assert_eq!(getopt.detached(), Some(&b"table"[..]));
    assert_eq!(getopt.next_option(&long), Some(Found::Option(b'z'.into(), None)));
    assert_eq!(getopt.detached(), Some(&b"y"[..]));
    assert_eq!(getopt.next_option(&long), None);
    assert_eq!(getopt.words[1..].concat(), b"-Ltable-zyx");
}

/// An option name in two groups belongs to the first; an abbreviation of it is ambiguous.
#[test]
fn groups_have_distinct_codes() {
    const PORTS: &[Long] = &[
        long("sport", OptionArgument::Required, 1),
        long("state", OptionArgument::Required, 9),
    ];
    const LAST: &[Long] = &[long("last", OptionArgument::Required, 2)];
    let mut groups = Groups::new(LONG);
    let find = |groups: &Groups, typed: &str| groups.find(typed.as_bytes()).map(|option| option.value);
    groups.add(&[]);
    groups.add(PORTS);
    assert_eq!(find(&groups, "spo"), Some(GROUP_OFFSET + 1));
    assert_eq!(find(&groups, "s"), None);
    groups.add(PORTS);
    groups.add(&PORTS[..1]);
    assert_eq!(find(&groups, "sport"), Some(GROUP_OFFSET + 1));
    assert_eq!(find(&groups, "spo"), None);
    assert_eq!(find(&groups, "state"), Some(GROUP_OFFSET + 9));
    groups.add(LAST);
    assert_eq!(find(&groups, "las"), Some(4 * GROUP_OFFSET + 2));
}
