//! Parts of a screen: the bars of a history, and a window.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    widgets::{Block, Clear, Paragraph, Wrap},
};

use super::screen::{View, plain};

/// Bars of a history, scaled to its highest value.
pub(super) fn bars(history: &[u64], width: usize, ascii: bool) -> String {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 9] = [' ', '.', '.', ':', ':', '|', '|', '#', '#'];
    let shown = &history[history.len().saturating_sub(width)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| {
        let height = (count * 8).div_ceil(most).min(8) as usize;
        if ascii { ASCII[height] } else { BLOCKS[height] }
    };
    let bars: String = shown.iter().map(bar).collect();
    format!("{bars:>width$}")
}

/// A window above the table, in the middle, as high as its text if that fits.
pub(super) fn window(frame: &mut Frame<'_>, text: &str, view: &View<'_>, area: Rect) {
    let border = if view.ascii { 0 } else { 2 };
    let width = usize::from(area.width.saturating_sub(border)).max(1);
    // A line breaks between words, which may need one line more than its characters.
    let height = |line: &str| match line.chars().count() {
        count if count <= width => 1,
        count => count.div_ceil(width) + 1,
    };
    let lines: usize = text.lines().map(height).sum();
    let lines = u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(border);
    let [_, area, _] = Layout::vertical([
        Constraint::Min(0),
        Constraint::Length(lines.min(area.height)),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(Clear, area);
    let block = match view.ascii {
        true => Block::new(),
        false => Block::bordered(),
    };
    frame.render_widget(
        Paragraph::new(plain(view, text))
            .wrap(Wrap { trim: false })
            .scroll((view.scrolled.min(lines.saturating_sub(area.height)), 0))
            .block(block),
        area,
    );
}
