//! `cargo xtask picture`: draws terminal text with its colours as the picture of the README.

use std::{fmt::Write as _, fs, io, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{paths, progress};

/// Draw coloured terminal text as docs/img/trace.svg
#[derive(Args)]
pub struct Options {
    /// File with the text (default: standard input)
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Longer lines are cut.
const COLUMNS: usize = 120;
/// Advance of a character of a 14 px monospace font, in tenths of a pixel.
const ADVANCE: usize = 84;
/// Height of a line, and the margin, in pixels.
const LINE: usize = 20;
const MARGIN: usize = 16;

const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d6d9df";
/// The colours of SGR 30 to 37 and 90 to 97.
const COLORS: [&str; 16] = [
    "#4b5263", "#f0717a", "#8fce72", "#e5c07b", "#6cb6ff", "#d08cf0", "#5ccfd0", "#d6d9df", //
    "#7f8796", "#ff8f96", "#a8e08c", "#f2d795", "#8cc8ff", "#e0a8fa", "#82e2e2", "#ffffff",
];

/// The look of a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    /// Index into [`COLORS`].
    color: Option<usize>,
    bold: bool,
    dim: bool,
    underlined: bool,
    reversed: bool,
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    let text = match &options.file {
        Some(path) => fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?,
        None => io::read_to_string(io::stdin()).context("read standard input")?,
    };
    let lines = parse(&text);
    if lines.iter().all(Vec::is_empty) {
        bail!("the text is empty: pipe the coloured output of a command into `cargo xtask picture`");
    }
    let cut = lines.iter().filter(|line| line.len() > COLUMNS).count();
    if cut > 0 {
        progress::note(&format!(
            "lines longer than {COLUMNS} columns, which were cut: {cut}"
        ));
    }
    let path = paths::root().join("docs/img/trace.svg");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    fs::write(&path, svg(&lines)).with_context(|| format!("write {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The picture of text with escape sequences.
pub fn drawn(text: &str) -> String {
    svg(&parse(text))
}

/// A character and its look.
type Cell = (Style, char);

/// Splits text into lines of characters. Escape sequences other than SGR are dropped.
fn parse(text: &str) -> Vec<Vec<Cell>> {
    let mut style = Style::default();
    text.lines().map(|line| parse_line(line, &mut style)).collect()
}

fn parse_line(line: &str, style: &mut Style) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\x1b' if chars.as_str().starts_with('[') => {
                chars.next();
                let mut parameters = String::new();
                for char in chars.by_ref() {
                    match char {
                        'm' => style.apply(&parameters),
                        '@'..='~' => {}
                        char => {
                            parameters.push(char);
                            continue;
                        }
                    }
                    break;
                }
            }
            '\t' => cells.resize((cells.len() / 8 + 1) * 8, (*style, ' ')),
            char if char.is_control() => {}
            char => cells.push((*style, char)),
        }
    }
    cells
}

impl Style {
    /// Applies the parameters of an SGR sequence; those for other attributes change nothing.
    fn apply(&mut self, parameters: &str) {
        for parameter in parameters.split(';') {
            match parameter.parse().unwrap_or(0) {
                0_usize => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                4 => self.underlined = true,
                7 => self.reversed = true,
                22 => (self.bold, self.dim) = (false, false),
                24 => self.underlined = false,
                27 => self.reversed = false,
                color @ 30..=37 => self.color = Some(color - 30),
                39 => self.color = None,
                color @ 90..=97 => self.color = Some(color - 90 + 8),
                _ => {}
            }
        }
    }

    fn attributes(self) -> String {
        let color = match self.reversed {
            true => BACKGROUND,
            false => self.color(),
        };
        let underlined = if self.underlined {
            r#" text-decoration="underline""#
        } else {
            ""
        };
        let bold = if self.bold { r#" font-weight="bold""# } else { "" };
        let dim = if self.dim { r#" opacity="0.6""# } else { "" };
        format!(r#"fill="{color}"{bold}{dim}{underlined}"#)
    }

    fn color(self) -> &'static str {
        self.color.map_or(FOREGROUND, |color| COLORS[color])
    }
}

fn svg(lines: &[Vec<Cell>]) -> String {
    let lines: Vec<Vec<Cell>> = lines.iter().map(|line| cut(line)).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = (columns * ADVANCE).div_ceil(10) + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\" font-size=\"14\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" xml:space=\"preserve\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let mut column = 0;
        for run in line.chunk_by(|one, next| one.0 == next.0) {
            let text: String = run.iter().map(|cell| cell.1).collect();
            let indent = text.chars().take_while(|char| *char == ' ').count();
            let text = text.trim_matches(' ');
            if run[0].0.reversed {
                let _ = writeln!(
                    svg,
                    r#"<rect x="{}" y="{}" width="{}" height="{LINE}" fill="{}"/>"#,
                    pixels(column),
                    number * LINE,
                    pixels(run.len()),
                    run[0].0.color()
                );
            }
            // A run has a column and a width of its own, so that columns align in every font.
            if !text.is_empty() {
                // Writing to a String can't fail.
                let _ = writeln!(
                    svg,
                    r#"<text x="{}" y="{}" textLength="{}" {}>{}</text>"#,
                    pixels(column + indent),
                    number * LINE + 15,
                    pixels(text.chars().count()),
                    run[0].0.attributes(),
                    escape(text)
                );
            }
            column += run.len();
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn cut(line: &[Cell]) -> Vec<Cell> {
    if line.len() <= COLUMNS {
        return line.to_vec();
    }
    let mut line = line[..COLUMNS].to_vec();
    line[COLUMNS - 1].1 = '…';
    line
}

/// The width of some characters in pixels.
fn pixels(characters: usize) -> String {
    let tenths = characters * ADVANCE;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let svg = svg(&parse(text));
        let texts = svg.lines().filter(|line| line.starts_with("<text"));
        texts.map(str::to_owned).collect()
    }

    #[test]
    fn runs_have_their_colour_and_column() {
        let red = COLORS[1];
        let bright_blue = COLORS[12];
        assert_eq!(
            texts(" ab \x1b[31mcd\x1b[0m\n\x1b[1;94me\x1b[0;2mf\x1b[m"),
            [
                format!(r#"<text x="8.4" y="15" textLength="16.8" fill="{FOREGROUND}">ab</text>"#),
                format!(r#"<text x="33.6" y="15" textLength="16.8" fill="{red}">cd</text>"#),
                format!(
                    r#"<text x="0.0" y="35" textLength="8.4" fill="{bright_blue}" font-weight="bold">e</text>"#
                ),
                format!(
                    r#"<text x="8.4" y="35" textLength="8.4" fill="{FOREGROUND}" opacity="0.6">f</text>"#
                ),
            ]
        );
    }

    #[test]
    fn reversed_text_has_a_background() {
        let svg = svg(&parse("\x1b[7m 1 \x1b[27m\x1b[4m2\x1b[24m"));
        assert!(
            svg.contains(&format!(
                r#"<rect x="0.0" y="0" width="25.2" height="{LINE}" fill="{FOREGROUND}"/>"#
            )),
            "{svg}"
        );
        assert!(svg.contains(&format!(r#"fill="{BACKGROUND}">1</text>"#)), "{svg}");
        assert!(svg.contains(r#"text-decoration="underline">2</text>"#), "{svg}");
    }

    #[test]
    fn text_is_escaped() {
        let texts = texts("<script>&\x07\x1b[2K\x1b]x");
        assert_eq!(texts.len(), 1);
        assert!(texts[0].ends_with(">&lt;script&gt;&amp;]x</text>"), "{texts:?}");
    }

    #[test]
    fn long_lines_are_cut() {
        let lines = parse(&format!("{}\n{}", "x".repeat(COLUMNS), "y".repeat(COLUMNS + 1)));
        assert_eq!(cut(&lines[0]).len(), COLUMNS);
        let cut = cut(&lines[1]);
        assert_eq!((cut.len(), cut[COLUMNS - 1].1), (COLUMNS, '…'));
    }

    #[test]
    fn tabs_advance_to_the_next_stop() {
        let lines = parse("a\tb\n\tc");
        assert_eq!(lines[0].len(), 9);
        assert_eq!(lines[1].len(), 9);
    }

    #[test]
    fn the_picture_has_the_size_of_its_text() {
        let svg = svg(&parse("0123456789\nab\n"));
        assert!(svg.contains(r#"width="116" height="72""#), "{svg}");
        assert!(svg.ends_with("</svg>\n") && !svg.contains("<script"), "{svg}");
    }
}
