//! The page as HTML: one file, without scripts, without a network.

use std::fmt::Write as _;

use super::document::{Block, Document};
use crate::render::top::table::Table;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--rule:#c9d1d9;--c0:#0969da;--c1:#bc4c00;--c2:#8250df}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--rule:#30363d;--c0:#58a6ff;--c1:#f0883e;--c2:#bc8cff}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem}h2{font-size:1.15rem;border-bottom:1px solid var(--rule)}h3{font-size:1rem;margin-bottom:.2rem}
li{margin:.4rem 0}.advice{display:block;opacity:.8}
figure{margin:0 0 1rem}svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--ink)}
polyline{fill:none;stroke-width:1.5}.axis{fill:none;stroke:var(--rule)}.b{fill:var(--c0)}
polyline.l0{stroke:var(--c0)}polyline.l1{stroke:var(--c1)}polyline.l2{stroke:var(--c2)}
span.l0{color:var(--c0)}span.l1{color:var(--c1)}span.l2{color:var(--c2)}.legend{margin:0}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px}td,th{text-align:left;padding:.15rem .6rem .15rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dd{margin:0;overflow-wrap:anywhere}
@media print{body{max-width:none;padding:0}figure,table,li{break-inside:avoid}@page{size:A4;margin:15mm}}";

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

/// Makes the page.
pub(crate) fn write(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{STYLE}</style></head>\n\
         <body><h1>{title}</h1>\n"
    );
    for section in &document.sections {
        let _ = writeln!(out, "<section><h2>{}</h2>", section.heading);
        for block in &section.blocks {
            write_block(&mut out, block);
        }
        out.push_str("</section>\n");
    }
    out.push_str("</body></html>\n");
    out
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Findings(findings) => {
            out.push_str("<ol>\n");
            for finding in findings {
                let _ = write!(out, "<li>{}", escaped(&finding.sentence));
                if let Some(advice) = &finding.advice {
                    let _ = write!(out, "<span class=\"advice\">{}</span>", escaped(advice));
                }
                out.push_str("</li>\n");
            }
            out.push_str("</ol>\n");
        }
        Block::Chart(chart) => {
            let _ = writeln!(out, "<figure><h3>{}</h3>", escaped(chart.title));
            chart.svg(out);
            chart.legend(out);
            out.push_str("</figure>\n");
        }
        Block::Table(caption, table) => {
            let _ = writeln!(out, "<h3>{caption}</h3>");
            write_table(out, table);
        }
        Block::Facts(facts) => {
            out.push_str("<dl>\n");
            for (name, value) in facts {
                let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
            }
            out.push_str("</dl>\n");
        }
    }
}

fn write_table(out: &mut String, table: &Table) {
    if table.rows.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escaped(table.empty));
        return;
    }
    out.push_str("<div class=\"wide\"><table><tr>");
    for column in &table.columns {
        let _ = write!(out, "<th>{}</th>", escaped(column));
    }
    out.push_str("</tr>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for cell in &row.cells {
            let class = if cell.is_text() { "" } else { " class=\"n\"" };
            let _ = write!(out, "<td{class}>{}</td>", escaped(&cell.text()));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_html() {
        assert_eq!(escaped("<a b='c'>&\""), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;");
    }
}
