//! The words that rsct does not use, and the phrases in which they are right.

/// Words and phrases in small letters, each with its replacements.
pub const AVOIDED: &[(&str, &str)] = &[
    ("tell", "print, show, distinguish"),
    ("tells", "prints, shows, distinguishes"),
    ("told", "reported, shown, distinguished"),
    ("telling", "printing, showing, distinguishing"),
    ("say", "print, state, report"),
    ("says", "prints, states, reports"),
    ("said", "printed, stated, reported"),
    ("ask", "request, query"),
    ("asks", "requests, queries"),
    ("asked", "requested, queried"),
    ("asking", "requesting, querying"),
    ("means", "is, matches, selects"),
    ("meant", "matched, intended"),
    ("gives", "returns, sets, assigns"),
    ("takes", "accepts, needs, lasts, acquires"),
    ("comes", "arrives, follows"),
    ("goes", "leaves, is sent, is deleted"),
    ("gone", "destroyed, deleted, no longer present"),
    ("behind", "after"),
    ("beside", "next to, as well as"),
    ("meanwhile", "during that time, by then"),
    ("nobody", "no program, no process, nothing"),
    ("somebody", "a program, a process, an entry"),
    ("whoever", "the program, the reader, the caller"),
    ("thereby", "(leave it away)"),
    ("nevertheless", "still"),
    ("reckon", "calculate"),
    ("reckons", "calculates"),
    ("reckoned", "calculated"),
    ("room", "capacity, space"),
    ("by hand", "by user space, manually"),
    ("so many", "this number of"),
    ("held against", "compared with"),
    ("leave out", "omit, exclude"),
    ("leaves out", "omits, excludes"),
    ("left out", "omitted, excluded"),
    ("leaving out", "omitting, excluding"),
];

/// Openings of sentences that are no questions, and their replacement.
pub const OPENINGS: &[(&str, &str)] = &[
    ("What", "a noun: cost of a packet"),
    ("Who", "a noun: task that deleted the entry"),
    ("That which", "a noun"),
];

/// Phrases in small letters in which an avoided word is ordinary English, each with the reason.
pub const ALLOWED: &[(&str, &str)] = &[
    ("by means of", "a preposition"),
    ("the means to", "a noun"),
    ("behind a nat", "a host's position in the network"),
    ("behind nat", "a host's position in the network"),
    ("takes effect", "the usual phrase for a setting"),
];
