//! `cargo xtask lint words`: finds the words that rsct avoids in help, documentation and comments.

mod list;
mod markdown;
mod paragraph;
mod source;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use self::{
    paragraph::{Hit, Paragraph},
    source::{Kind, Piece, Source},
};
use crate::{paths, progress};

/// Hits in comments that are tolerated, in all files together.
const IN_COMMENTS: usize = 300;
/// Documents at the root that users read; `docs` is read as a whole.
const DOCUMENTS: &[&str] = &["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
/// Derives that print doc comments: as help, and as descriptions of the JSON Schema.
const PRINTING: &[&str] = &["Args", "Parser", "Subcommand", "ValueEnum", "JsonSchema"];
/// Sources whose literals are the words of the old tools.
const OF_OLD_TOOLS: &[&str] = &["rsct/src/conntrack", "rsct/src/nfct"];

/// Hits by the text that they are in.
#[derive(Debug, Default)]
struct Found {
    /// In documentation and help: none is tolerated.
    for_users: Vec<Place>,
    /// In the other comments.
    in_comments: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    hit: Hit,
}

/// Fails with the list of hits where there are too many.
pub fn check() -> Result<()> {
    let mut found = Found::default();
    for path in files(paths::root())? {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        found.read(path.strip_prefix(paths::root()).unwrap_or(&path), &text);
    }
    let count = found.in_comments.len();
    progress::note(&format!(
        "words: {count} to avoid in comments, at most {IN_COMMENTS} allowed"
    ));
    match found.complaint() {
        Some(complaint) => bail!("{complaint}"),
        None => Ok(()),
    }
}

impl Found {
    /// Adds the hits of a file; `path` is relative to the root.
    fn read(&mut self, path: &Path, text: &str) {
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if !is_rust {
            let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
            self.for_users.extend(hits(path, markdown::paragraphs(lines)));
            return;
        }
        let source = Source::parse(text);
        let help = source.items(|code| {
            let derived = code.split_once("derive(").map_or("", |(_, derived)| derived);
            derived
                .split([',', ')', ' '])
                .any(|name| PRINTING.contains(&name))
        });
        let tests = source.items(|code| code.contains("#[cfg(test)]"));
        let within = |items: &[std::ops::RangeInclusive<usize>], piece: &Piece| {
            items.iter().any(|item| item.contains(&piece.lines[0].0))
        };
        for piece in &source.pieces {
            let found = match piece.kind {
                Kind::Literal if !has_messages(path) || within(&tests, piece) || piece.is_name() => continue,
                Kind::Literal => &mut self.for_users,
                Kind::Doc if path.starts_with("rsct/src") && within(&help, piece) => &mut self.for_users,
                _ => &mut self.in_comments,
            };
            found.extend(hits(path, piece.paragraphs()));
        }
    }

    fn complaint(&self) -> Option<String> {
        let mut complaint = String::new();
        if !self.for_users.is_empty() {
            let count = self.for_users.len();
            let _ = writeln!(complaint, "words to avoid in documentation and help: {count}");
            list(&self.for_users, &mut complaint);
        }
        if self.in_comments.len() > IN_COMMENTS {
            let count = self.in_comments.len();
            let _ = writeln!(
                complaint,
                "words to avoid in comments: {count}, at most {IN_COMMENTS} allowed"
            );
            list(&self.in_comments, &mut complaint);
        }
        (!complaint.is_empty()).then_some(complaint)
    }
}

impl Piece {
    fn paragraphs(&self) -> Vec<Paragraph> {
        markdown::paragraphs(self.lines.iter().map(|(number, line)| (*number, line.as_str())))
    }

    /// Returns whether a literal is a name or a key, not text.
    fn is_name(&self) -> bool {
        !self.lines.iter().any(|(_, line)| line.trim().contains(' '))
    }
}

/// Returns whether the file's literals are messages of rsct, which tests and the old tools' command lines do not have.
fn has_messages(path: &Path) -> bool {
    let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
    let is_ours = ["rsct/src", "rsct-common/src"]
        .iter()
        .any(|dir| path.starts_with(dir));
    is_ours && !is_test && !OF_OLD_TOOLS.iter().any(|dir| path.starts_with(dir))
}

fn hits(path: &Path, paragraphs: Vec<Paragraph>) -> Vec<Place> {
    let hits = paragraphs.into_iter().flat_map(|paragraph| paragraph.hits());
    let place = |hit| Place {
        path: path.to_owned(),
        hit,
    };
    hits.map(place).collect()
}

fn list(places: &[Place], text: &mut String) {
    for Place { path, hit } in places {
        let Hit { line, word, write } = hit;
        let _ = writeln!(text, "{}:{line}: {word} (write: {write})", path.display());
    }
}

/// Returns the files to read, in the order of their paths.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        // Cargo marks its own output so.
        if directory.join("CACHEDIR.TAG").exists() {
            continue;
        }
        let entries = fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("list {}", directory.display()))?;
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.to_string_lossy().starts_with('.');
            if entry.file_type()?.is_dir() && !hidden {
                directories.push(path);
            } else if path.strip_prefix(root).is_ok_and(is_read) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn is_read(path: &Path) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => true,
        Some("md") => {
            path.starts_with("docs") || DOCUMENTS.iter().any(|document| path == Path::new(document))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the hits for users and in comments, as `line word`.
    fn read(path: &str, text: &str) -> (Vec<String>, Vec<String>) {
        let mut found = Found::default();
        found.read(Path::new(path), text);
        let short = |places: &[Place]| {
            let short = places
                .iter()
                .map(|place| format!("{} {}", place.hit.line, place.hit.word));
            short.collect()
        };
        (short(&found.for_users), short(&found.in_comments))
    }

    const COMMAND: &str = r#"//! It says.

/// What it does.
///
/// ```
/// say
/// ```
#[derive(Debug, Args)]
struct Options {
    /// Lines that `say` takes.
    #[arg(help = "So many
        as asked")]
    lines: u32, // goes
}

/// Takes it.
fn f() {
    message("asked", "1 entry is gone", "{gone} entries");
}

#[cfg(test)]
mod tests {
    // By
    // hand.
    const TEXT: &str = "nobody reads it";
}
"#;

    #[test]
    fn commands_are_read_for_help_messages_and_comments() {
        let (for_users, in_comments) = read("rsct/src/cli/a.rs", COMMAND);
        assert_eq!(
            for_users,
            ["3 What", "10 takes", "11 So many", "12 asked", "18 gone"]
        );
        assert_eq!(in_comments, ["1 says", "13 goes", "16 Takes", "23 By hand"]);
    }

    #[test]
    fn elsewhere_only_comments_are_read() {
        let (for_users, in_comments) = read("xtask/src/a.rs", COMMAND);
        assert_eq!(for_users, [""; 0]);
        assert_eq!(
            in_comments,
            [
                "1 says",
                "3 What",
                "10 takes",
                "13 goes",
                "16 Takes",
                "23 By hand"
            ]
        );
        for path in ["rsct/src/cli/a/tests.rs", "rsct/src/conntrack/a.rs"] {
            assert_eq!(read(path, COMMAND).0, ["3 What", "10 takes"], "{path}");
        }
    }

    #[test]
    fn messages_and_schemas_are_read_in_all_of_rsct() {
        let text =
            "/// It says.\n#[derive(Serialize, JsonSchema)]\nstruct A;\nconst B: &str = \"it goes on\";\n";
        assert_eq!(read("rsct/src/why/a.rs", text).0, ["1 says", "4 goes"]);
        assert_eq!(read("rsct-common/src/a.rs", text).0, ["4 goes"]);
    }

    #[test]
    fn documents_are_read_without_code() {
        let (for_users, in_comments) = read("docs/a.md", "It says `say`:\n\n```\ntold\n```\n");
        assert_eq!((for_users, in_comments), (vec!["1 says".to_owned()], Vec::new()));
    }

    #[test]
    fn comments_have_a_limit_and_documents_none() {
        let mut found = Found::default();
        assert_eq!(found.complaint(), None);
        found.read(Path::new("a.rs"), &"// says\n\n".repeat(IN_COMMENTS));
        assert_eq!(found.complaint(), None);
        found.read(Path::new("README.md"), "It says\n");
        let complaint = found.complaint().unwrap();
        assert_eq!(
            complaint,
            "words to avoid in documentation and help: 1\nREADME.md:1: says (write: prints, states, reports)\n"
        );
        found.read(Path::new("b.rs"), "// one more asks\n");
        let complaint = found.complaint().unwrap();
        assert!(complaint.contains("words to avoid in comments: 301, at most 300 allowed\na.rs:1: says"));
        assert!(complaint.ends_with("b.rs:1: asks (write: requests, queries)\n"));
    }

    #[test]
    fn documents_and_sources_are_read_and_nothing_else() {
        for path in ["README.md", "docs/a/b.md", "rsct/src/a.rs"] {
            assert!(is_read(Path::new(path)), "{path}");
        }
        for path in ["tests/README.md", "Cargo.toml", "xtask/src/init.sh"] {
            assert!(!is_read(Path::new(path)), "{path}");
        }
        let files = files(paths::root()).unwrap();
        assert!(files.contains(&paths::root().join("README.md")));
        assert!(files.iter().any(|file| file.ends_with("xtask/src/words/mod.rs")));
        assert!(
            !files
                .iter()
                .any(|file| file.starts_with(paths::root().join("target")))
        );
    }
}
