//! Splits Markdown, which comments are too, into paragraphs.

use super::paragraph::Paragraph;

/// Returns the paragraphs of numbered lines: no code blocks, and each list item, heading and table cell on its own.
pub fn paragraphs<'a>(lines: impl IntoIterator<Item = (usize, &'a str)>) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    let mut current = Paragraph::default();
    let mut fence = None;
    for (number, line) in lines {
        let line = line.trim();
        if let Some(open) = fence {
            if line.starts_with(open) {
                fence = None;
            }
            continue;
        }
        fence = ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence));
        if fence.is_some() || line.is_empty() || begins_block(line) {
            paragraphs.push(std::mem::take(&mut current));
        }
        if fence.is_some() {
            continue;
        }
        if line.starts_with('|') {
            for cell in cells(line) {
                let mut paragraph = Paragraph::default();
                paragraph.push(number, cell);
                paragraphs.push(paragraph);
            }
            continue;
        }
        current.push(number, without_marker(line));
        if line.starts_with('#') {
            paragraphs.push(std::mem::take(&mut current));
        }
    }
    paragraphs.push(current);
    paragraphs
}

fn begins_block(line: &str) -> bool {
    line.starts_with(['#', '|']) || without_marker(line).len() < line.len()
}

/// Cuts off the marker of a heading, a quotation or a list item.
fn without_marker(line: &str) -> &str {
    let symbols = line.trim_start_matches(['#', '>']);
    if symbols.len() < line.len() {
        return symbols.trim_start();
    }
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = number.strip_prefix(". ").filter(|_| number.len() < line.len());
    let bullet = || {
        ["- ", "* ", "+ "]
            .iter()
            .find_map(|marker| line.strip_prefix(marker))
    };
    numbered.or_else(bullet).unwrap_or(line)
}

/// Splits a table row at the bars that are in no code span.
fn cells(row: &str) -> Vec<&str> {
    let mut code = false;
    row.split(|c| {
        code ^= c == '`';
        c == '|' && !code
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let hits = paragraphs(lines)
            .into_iter()
            .flat_map(|paragraph| paragraph.hits());
        hits.map(|hit| (hit.line, hit.word)).collect()
    }

    #[test]
    fn code_blocks_are_ignored() {
        let text =
            "It says:\n\n```sh\necho say\n```\n\n~~~\n```\ntold\n~~~\n  ```\n  told\n  ```\nIt goes on\n";
        assert_eq!(found(text), [(1, "says".to_owned()), (14, "goes".to_owned())]);
    }

    #[test]
    fn each_block_begins_a_sentence() {
        let text = "# What it costs\nWhat it is\n- What it does\n  and what not\n2. Who did it\n> What\n";
        let lines: Vec<usize> = found(text).iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 5, 6]);
        assert!(found("it shows\nWhat was lost\n").is_empty());
    }

    #[test]
    fn each_cell_of_a_table_is_read_alone() {
        let text = "| Option | What it does |\n|---|---|\n| `a|say` | by | hand |\n";
        assert_eq!(found(text), [(1, "What".to_owned())]);
    }

    #[test]
    fn numbers_that_wrap_are_no_list() {
        assert_eq!(
            found("about 25\n12 hooks by\nhand\n"),
            [(2, "by hand".to_owned())]
        );
    }
}
