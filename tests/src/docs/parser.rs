//! Command lines in the code blocks of a page. xtask includes this file too, so it uses the standard library only.

/// A command line that a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// The page.
    pub page: String,
    /// Its line in the page, from 1 on.
    pub line: usize,
    /// The command line without prompt and comment.
    pub command: String,
    /// Its output in the page; none for a line of a list of commands.
    pub shown: Option<Vec<String>>,
}

/// A part of a command line, and the operator after it.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// A simple command.
    pub command: &'a str,
    /// `;`, `|`, `&&`, `||`, or nothing at the end.
    pub operator: &'a str,
}

const FENCE: &str = "```";
/// Markdown's other fence, which pages do not use.
const OTHER_FENCE: &str = "~~~";
/// Languages of blocks that are not commands.
const LANGUAGES: [&str; 4] = ["text", "json", "toml", "rust,no_run"];
/// The prompt of a command whose output follows.
const PROMPT: &str = "# ";
const OPERATORS: [&str; 4] = ["&&", "||", ";", "|"];

/// The command lines of a page: those of all code blocks without a language. A block that is not understood is an error.
pub fn commands(page: &str, text: &str) -> Result<Vec<Documented>, String> {
    let mut found = Vec::new();
    let mut block: Option<(bool, Vec<(usize, &str)>)> = None;
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{page}:{}", index + 1);
        match (line.trim_start().strip_prefix(FENCE), &mut block) {
            (Some(language), None) => {
                let language = language.trim();
                if !language.is_empty() && !LANGUAGES.contains(&language) {
                    let known = LANGUAGES.join(", ");
                    return Err(format!(
                        "{}: a block of {language}, expected none, {known}",
                        place()
                    ));
                }
                block = Some((language.is_empty(), Vec::new()));
            }
            (Some(_), Some((is_read, lines))) => {
                if *is_read {
                    found.extend(of_block(page, lines)?);
                }
                block = None;
            }
            (None, Some((_, lines))) => lines.push((index + 1, line)),
            (None, None) if line.trim_start().starts_with(OTHER_FENCE) => {
                return Err(format!("{}: a block of {OTHER_FENCE}, expected {FENCE}", place()));
            }
            (None, None) => {}
        }
    }
    match block {
        None => Ok(found),
        Some(_) => Err(format!("{page}: the last code block has no end")),
    }
}

/// A block with a prompt has commands with output; any other is a list of commands.
fn of_block(page: &str, lines: &[(usize, &str)]) -> Result<Vec<Documented>, String> {
    let has_prompt = lines.iter().any(|(_, line)| line.starts_with(PROMPT));
    let mut found: Vec<Documented> = Vec::new();
    let mut continued = String::new();
    for &(number, line) in lines {
        let command = match (line.strip_prefix(PROMPT), has_prompt) {
            (Some(command), true) => command,
            (None, true) if continued.is_empty() => {
                let shown = found.last_mut().and_then(|command| command.shown.as_mut());
                let place = || format!("{page}:{number}: output before the first command of its block");
                shown.ok_or_else(place)?.push(line.to_owned());
                continue;
            }
            _ => line,
        };
        let command = without_comment(command);
        if let Some(start) = command.strip_suffix('\\') {
            continued.push_str(start);
            continue;
        }
        let command = std::mem::take(&mut continued) + command;
        if !command.trim().is_empty() {
            found.push(Documented {
                page: page.to_owned(),
                line: number,
                command: command.trim().to_owned(),
                shown: has_prompt.then(Vec::new),
            });
        }
    }
    let place = || format!("{page}:{}", lines.first().map_or(0, |(number, _)| *number));
    if !continued.is_empty() {
        return Err(format!("{}: the last line of the block continues", place()));
    }
    if found.is_empty() {
        return Err(format!(
            "{}: a block without a command, and without a language",
            place()
        ));
    }
    for command in &mut found {
        let shown = command.shown.iter_mut().flatten();
        let length = shown.enumerate().filter(|(_, line)| !line.is_empty()).last();
        let length = length.map_or(0, |(index, _)| index + 1);
        if let Some(shown) = &mut command.shown {
            shown.truncate(length);
        }
    }
    Ok(found)
}

/// The line without a shell comment at its end.
pub fn without_comment(line: &str) -> &str {
    let comment = unquoted(line).find(|&(at, c)| c == '#' && line[..at].ends_with([' ', '\t']));
    let end = comment.map_or(line.len(), |(at, _)| at);
    line[..end].trim_end()
}

/// The simple commands of a command line.
pub fn parts(line: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, _) in unquoted(line) {
        if at < begin {
            continue;
        }
        if let Some(operator) = OPERATORS
            .iter()
            .find(|operator| line[at..].starts_with(*operator))
        {
            parts.push(Part {
                command: line[begin..at].trim(),
                operator,
            });
            begin = at + operator.len();
        }
    }
    if !line[begin..].trim().is_empty() {
        parts.push(Part {
            command: line[begin..].trim(),
            operator: "",
        });
    }
    parts
}

/// The words of a simple command up to its first redirection, without their quotes.
pub fn words(command: &str) -> Vec<String> {
    let is_plain: Vec<usize> = unquoted(command).map(|(at, _)| at).collect();
    let mut words = vec![];
    let mut word: Option<String> = None;
    for (at, c) in command.char_indices() {
        match (is_plain.contains(&at), c) {
            (true, '<' | '>') => break,
            (true, ' ' | '\t') => words.extend(word.take()),
            // A quote belongs to no word, and makes even an empty one.
            (false, '\'' | '"') => drop(word.get_or_insert_with(String::new)),
            _ => word.get_or_insert_with(String::new).push(c),
        }
    }
    words.extend(word);
    words
}

/// The characters outside quotes, with their offsets.
fn unquoted(line: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut quote = None;
    line.char_indices().filter(move |&(_, c)| {
        let was = quote;
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        was.is_none() && quote.is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Title

`rsct list` in a sentence is not read.

```
rsct list   # all of them
rsct list > table && rsct load \\
    table   # two lines

```

```json
rsct no command
```

```
# rsct count
3
…

# rsct list -o save  # comment
-A
```
";

    fn read(text: &str) -> Vec<(usize, String, Option<Vec<String>>)> {
        let commands = commands("page.md", text).unwrap();
        let of = |found: Documented| (found.line, found.command, found.shown);
        commands.into_iter().map(of).collect()
    }

    #[test]
    fn lists_and_prompts_are_read() {
        let shown = |lines: &[&str]| Some(lines.iter().map(|&line| line.to_owned()).collect());
        assert_eq!(
            read(PAGE),
            [
                (6, "rsct list".to_owned(), None),
                (8, "rsct list > table && rsct load     table".to_owned(), None),
                (17, "rsct count".to_owned(), shown(&["3", "…"])),
                (21, "rsct list -o save".to_owned(), shown(&["-A"])),
            ]
        );
    }

    #[test]
    fn blocks_that_are_not_understood_are_errors() {
        for (text, expected) in [
            (
                "```\n3\n# rsct count\n```\n",
                "page.md:2: output before the first",
            ),
            (
                "text\n```\nrsct count\n",
                "page.md: the last code block has no end",
            ),
            (
                "```\n  # only a comment\n```\n",
                "page.md:2: a block without a command",
            ),
            (
                "```\nrsct load \\\n```\n",
                "page.md:2: the last line of the block continues",
            ),
            ("```sh\nrsct count\n```\n", "page.md:1: a block of sh"),
            ("~~~\nrsct count\n~~~\n", "page.md:1: a block of ~~~"),
        ] {
            let error = commands("page.md", text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn quoted_characters_start_no_comment_and_end_no_command() {
        assert_eq!(without_comment("echo '# a; b' # c"), "echo '# a; b'");
        assert_eq!(without_comment("echo a#b"), "echo a#b");
        let split: Vec<_> = parts("a 'x;y' | b && c > d; e")
            .into_iter()
            .map(|part| (part.command, part.operator))
            .collect();
        assert_eq!(split, [("a 'x;y'", "|"), ("b", "&&"), ("c > d", ";"), ("e", "")]);
    }

    #[test]
    fn words_lose_their_quotes() {
        assert_eq!(
            words("grep 'table full'  \"\" a'b'c > file"),
            ["grep", "table full", "", "abc"]
        );
    }
}
