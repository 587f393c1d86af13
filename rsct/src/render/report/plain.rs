//! The page as text and as Markdown, with the charts in words.

use std::fmt::Write as _;

use super::document::{Block, Document};
use crate::render::top::table::Table;

/// The page as text.
pub(crate) fn text(document: &Document) -> String {
    let mut out = format!("{}\n{}\n", document.title, document.subtitle);
    for section in &document.sections {
        let _ = write!(out, "\n{}\n", section.heading.to_uppercase());
        for block in &section.blocks {
            match block {
                Block::Table(caption, table) => {
                    let _ = writeln!(out, "\n{caption}");
                    if table.rows.is_empty() {
                        let _ = writeln!(out, "  {}", table.empty);
                        continue;
                    }
                    let widths = table.widths();
                    let _ = writeln!(out, "  {}", table.header(&widths).join("  ").trim_end());
                    for row in &table.rows {
                        let _ = writeln!(out, "  {}", table.aligned(&widths, row).join("  ").trim_end());
                    }
                }
                other => lines(&mut out, other, "  "),
            }
        }
    }
    out
}

/// The page as Markdown.
pub(crate) fn markdown(document: &Document) -> String {
    let mut out = format!(
        "# {}\n\n{}\n",
        escaped(&document.title),
        escaped(&document.subtitle)
    );
    for section in &document.sections {
        let _ = write!(out, "\n## {}\n\n", section.heading);
        for block in &section.blocks {
            match block {
                Block::Table(caption, table) => rows(&mut out, caption, table),
                other => lines(&mut out, other, "- "),
            }
        }
    }
    out
}

fn lines(out: &mut String, block: &Block, bullet: &str) {
    let is_markdown = bullet.starts_with('-');
    let shown = |text: &str| match is_markdown {
        true => escaped(text),
        false => text.to_owned(),
    };
    match block {
        Block::Findings(findings) => {
            for (number, finding) in findings.iter().enumerate() {
                let _ = write!(out, "{}. {}", number + 1, shown(&finding.sentence));
                if let Some(advice) = &finding.advice {
                    let _ = write!(out, " {}", shown(advice));
                }
                out.push('\n');
            }
            out.push('\n');
        }
        Block::Charts(charts) => {
            for chart in charts {
                let _ = writeln!(out, "{bullet}{}", shown(&chart.words()));
            }
        }
        Block::Causes(causes) => {
            for cause in causes {
                let _ = write!(
                    out,
                    "{bullet}{} ({}), {}: {}",
                    shown(cause.name),
                    cause.topic,
                    cause.count,
                    shown(&cause.meaning)
                );
                if let Some(advice) = &cause.advice {
                    let _ = write!(out, " {}", shown(advice));
                }
                out.push('\n');
                for example in &cause.examples {
                    let _ = writeln!(out, "  {bullet}{}", shown(example));
                }
            }
        }
        Block::Text(text) => {
            let _ = match is_markdown {
                true => writeln!(out, "{}\n", escaped(text)),
                false => writeln!(out, "  {text}"),
            };
        }
        Block::Figures(facts) => names_and_values(out, facts, bullet, &shown),
        Block::Facts(caption, facts) => {
            if !caption.is_empty() {
                let _ = match is_markdown {
                    true => write!(out, "\n{caption}:\n\n"),
                    false => writeln!(out, "\n{caption}"),
                };
            }
            names_and_values(out, facts, bullet, &shown);
        }
        Block::Table(..) => {}
    }
}

fn names_and_values(
    out: &mut String,
    facts: &[(String, String)],
    bullet: &str,
    shown: &dyn Fn(&str) -> String,
) {
    for (name, value) in facts {
        let _ = writeln!(out, "{bullet}{name}: {}", shown(value));
    }
}

fn rows(out: &mut String, caption: &str, table: &Table) {
    let _ = write!(out, "\n{caption}:\n\n");
    if table.rows.is_empty() {
        let _ = writeln!(out, "{}", table.empty);
        return;
    }
    let _ = writeln!(out, "| {} |", table.columns.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(table.columns.len()));
    for row in &table.rows {
        let cells: Vec<String> = row.cells.iter().map(|cell| escaped(&cell.text())).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

/// Text without characters that Markdown would read.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_<>[]|#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markdown() {
        assert_eq!(escaped("a|b_c"), "a\\|b\\_c");
    }
}
