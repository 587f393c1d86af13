//! A file of bytes that a command makes from recordings.

use std::{
    io::{self, IsTerminal as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::UsageError;

/// Refuses to write to a terminal or to an input. `kind` is what the file will be: `a recording`.
pub(super) fn check(out: &Path, files: &[PathBuf], kind: &str) -> Result<(), UsageError> {
    if out == Path::new("-") {
        return match io::stdout().is_terminal() {
            true => Err(UsageError(format!(
                "-O -: {kind} cannot be written to a terminal; redirect standard output, or give a file"
            ))),
            false => Ok(()),
        };
    }
    let identity = |path: &Path| path.metadata().map(|of| (of.dev(), of.ino())).ok();
    let Some(written) = identity(out) else {
        return Ok(());
    };
    match files.iter().find(|file| identity(file) == Some(written)) {
        Some(_) => Err(UsageError(format!(
            "-O {}: the file is an input, and writing {kind} would delete it; give another name",
            out.display()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_not_replaced() {
        let dir = std::env::temp_dir().join(format!("rsct-output-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (one, link, other) = (dir.join("a.rsct"), dir.join("link"), dir.join("b.rsct"));
        for file in [&one, &other] {
            std::fs::write(file, "").unwrap();
        }
        let _ = std::fs::hard_link(&one, &link);
        let inputs = [one.clone()];
        for out in [&one, &link] {
            let error = check(out, &inputs, "a recording").unwrap_err().to_string();
            assert!(error.contains("is an input"), "{error}");
        }
        check(&other, &inputs, "a recording").unwrap();
        check(&dir.join("new"), &inputs, "a recording").unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
