//! The page as HTML: one file, without scripts, without a network.

use std::fmt::Write as _;

use super::document::{Block, CauseCard, Document, Section};
use crate::{
    render::top::table::{Cell, Table},
    report::Finding,
};

const STYLE: &str = include_str!("style.css");
/// The browser loads nothing, runs nothing, and sends nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Text without characters that HTML would read.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A sentence with its `commands` as code.
fn with_code(text: &str) -> String {
    let text = escaped(text);
    if !text.matches('`').count().is_multiple_of(2) {
        return text;
    }
    let tag = |number: usize| match number {
        0 => "",
        odd if odd % 2 == 1 => "<code>",
        _ => "</code>",
    };
    text.split('`')
        .enumerate()
        .map(|(number, part)| format!("{}{part}", tag(number)))
        .collect()
}

/// Makes the page.
pub(crate) fn write(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"{POLICY}\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style></head>\n<body><header><h1>{title}</h1>\n<p class=\"sub\">{}</p>\n<nav>",
        escaped(&document.subtitle)
    );
    for section in &document.sections {
        let _ = write!(out, "<a href=\"#{}\">{}</a>", anchor(section), section.heading);
    }
    out.push_str("</nav></header>\n<main>\n");
    for section in &document.sections {
        let _ = writeln!(
            out,
            "<section id=\"{}\"><h2>{}</h2>",
            anchor(section),
            section.heading
        );
        for block in &section.blocks {
            write_block(&mut out, block);
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main></body></html>\n");
    out
}

fn anchor(section: &Section) -> String {
    section.heading.to_lowercase().replace(' ', "-")
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Findings(findings) => {
            out.push_str("<ol class=\"findings\">\n");
            findings.iter().for_each(|finding| write_finding(out, finding));
            out.push_str("</ol>\n");
        }
        Block::Figures(figures) => {
            out.push_str("<dl class=\"figures\">\n");
            for (name, value) in figures {
                let _ = writeln!(
                    out,
                    "<div><dt>{}</dt><dd>{}</dd></div>",
                    escaped(name),
                    escaped(value)
                );
            }
            out.push_str("</dl>\n");
        }
        Block::Charts(charts) => {
            out.push_str("<div class=\"charts\">\n");
            for chart in charts {
                let _ = writeln!(out, "<figure><h3>{}</h3>", escaped(chart.title));
                chart.svg(out);
                chart.legend(out);
                out.push_str("</figure>\n");
            }
            out.push_str("</div>\n");
        }
        Block::Table(caption, table) => {
            let _ = writeln!(out, "<h3>{}</h3>", escaped(caption));
            write_table(out, caption, table);
        }
        Block::Causes(causes) => {
            out.push_str("<div class=\"causes\">\n");
            causes.iter().for_each(|cause| write_cause(out, cause));
            out.push_str("</div>\n");
        }
        Block::Text(text) => {
            let _ = writeln!(out, "<p>{}</p>", escaped(text));
        }
        Block::Facts(caption, facts) => {
            if !caption.is_empty() {
                let _ = writeln!(out, "<h3>{}</h3>", escaped(caption));
            }
            out.push_str("<dl class=\"facts\">\n");
            for (name, value) in facts {
                let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
            }
            out.push_str("</dl>\n");
        }
    }
}

fn write_finding(out: &mut String, finding: &Finding) {
    let weight = finding.weight.name();
    let _ = write!(
        out,
        "<li class=\"{weight}\"><b>{weight}</b><span>{}</span>",
        with_code(&finding.sentence)
    );
    if let Some(advice) = &finding.advice {
        let _ = write!(out, "<span class=\"advice\">{}</span>", with_code(advice));
    }
    out.push_str("</li>\n");
}

fn write_cause(out: &mut String, cause: &CauseCard) {
    let _ = write!(
        out,
        "<article><h3>{} <span>{}, {}</span></h3><p>{}</p>",
        escaped(cause.name),
        escaped(cause.topic),
        escaped(&cause.count),
        with_code(&cause.meaning)
    );
    if let Some(advice) = &cause.advice {
        let _ = write!(out, "<p class=\"advice\">{}</p>", with_code(advice));
    }
    if !cause.examples.is_empty() {
        out.push_str("<ul>");
        for example in &cause.examples {
            let _ = write!(out, "<li>{}</li>", escaped(example));
        }
        out.push_str("</ul>");
    }
    out.push_str("</article>\n");
}

fn write_table(out: &mut String, caption: &str, table: &Table) {
    let Some(first) = table.rows.first() else {
        let _ = writeln!(out, "<p>{}</p>", escaped(table.empty));
        return;
    };
    let class = |cell: &Cell| if cell.is_text() { "" } else { " class=\"n\"" };
    // With the keyboard, only a focused element scrolls.
    let _ = write!(
        out,
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{}\"><table><thead><tr>",
        escaped(caption)
    );
    for (column, cell) in table.columns.iter().zip(&first.cells) {
        let _ = write!(out, "<th{}>{}</th>", class(cell), escaped(column));
    }
    out.push_str("</tr></thead>\n<tbody>");
    for row in &table.rows {
        out.push_str("<tr>");
        for cell in &row.cells {
            let _ = write!(out, "<td{}>{}</td>", class(cell), escaped(&cell.text()));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_html() {
        assert_eq!(escaped("<a b='c'>&\""), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn commands_are_code() {
        assert_eq!(with_code("run `a <b>`."), "run <code>a &lt;b&gt;</code>.");
        assert_eq!(with_code("it`s"), "it`s");
    }
}
