//! The `cargo xtask` command lines of README, docs and the other pages are accepted. A guest scenario runs all other
//! command lines of these pages.

use std::{fs, path::Path};

use clap::Parser as _;

use crate::{Cli, kernels};

#[path = "../../tests/src/docs/parser.rs"]
mod parser;

/// The directories with pages, from the top of the repository.
const DIRECTORIES: [&str; 2] = [".", "docs"];

#[test]
fn documented_command_lines_are_accepted() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut accepted = 0;
    let mut faults = String::new();
    for directory in DIRECTORIES {
        for entry in fs::read_dir(top.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for documented in parser::commands(&path.display().to_string(), &text).unwrap() {
                for part in parser::parts(&documented.command) {
                    let words = parser::words(part.command);
                    if words.first().is_none_or(|word| word != "cargo") {
                        continue;
                    }
                    accepted += 1;
                    if let Err(fault) = check(&words) {
                        let parser::Documented { page, line, .. } = &documented;
                        faults += &format!("{page}:{line}: {}: {fault}\n", part.command);
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
    assert!(accepted > 0, "no page has a cargo command");
}

/// Parses `cargo xtask …`; no page needs another cargo command.
fn check(words: &[String]) -> Result<(), String> {
    let [_, xtask, arguments @ ..] = words else {
        return Err("cargo without a command".to_owned());
    };
    if xtask != "xtask" {
        return Err(format!(
            "xtask installs what its users need: cargo {xtask} is no command for a page"
        ));
    }
    let name = ["cargo xtask".to_owned()];
    Cli::try_parse_from(name.iter().chain(arguments)).map_err(|error| error.to_string())?;
    // The parser accepts any text as a kernel.
    let mut options = arguments.iter();
    while let Some(option) = options.next() {
        if let (true, Some(kernel)) = (option == "--kernel", options.clone().next()) {
            kernels::check(kernel).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

#[test]
fn wrong_command_lines_are_refused() {
    for wrong in [
        "cargo",
        "cargo build",
        "cargo xtask",
        "cargo xtask biuld",
        "cargo xtask test --only everything",
        "cargo xtask test --kernel 5.1",
    ] {
        assert!(check(&parser::words(wrong)).is_err(), "{wrong}");
    }
}
