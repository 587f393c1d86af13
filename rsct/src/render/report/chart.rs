//! Charts as inline SVG, with their figures in words.

use std::fmt::Write as _;

use super::html::escaped;

/// The size of the drawing, without labels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 140.0;
/// The space for the labels of values and of times.
const LEFT: f64 = 64.0;
const BELOW: f64 = 20.0;

/// A chart.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The title.
    pub title: &'static str,
    unit: &'static str,
    lines: Vec<(&'static str, Vec<(f64, f64)>)>,
    bars: Vec<(String, u64)>,
}

impl Chart {
    /// Without data.
    pub(super) fn new(title: &'static str, unit: &'static str) -> Self {
        Self {
            title,
            unit,
            lines: Vec::new(),
            bars: Vec::new(),
        }
    }

    /// Adds a line of values over seconds.
    pub(super) fn line(&mut self, name: &'static str, points: Vec<(f64, f64)>) {
        if !points.is_empty() {
            self.lines.push((name, points));
        }
    }

    /// Sets the bars.
    pub(super) fn bars(&mut self, bars: Vec<(String, u64)>) {
        self.bars = bars;
    }

    /// Its figures in words.
    pub(super) fn words(&self) -> String {
        let mut parts: Vec<String> = self
            .lines
            .iter()
            .map(|(name, points)| {
                let values = points.iter().map(|(_, value)| *value);
                let (least, most) = values.fold((f64::MAX, f64::MIN), |(least, most), value| {
                    (least.min(value), most.max(value))
                });
                format!("{name} {least:.1} to {most:.1}")
            })
            .collect();
        parts.extend(
            self.bars
                .iter()
                .map(|(from, count)| format!("from {from}: {count}")),
        );
        match parts.is_empty() {
            true => format!("{}: nothing was seen.", self.title),
            false => format!("{} ({}): {}.", self.title, self.unit, parts.join(", ")),
        }
    }

    /// Appends it as SVG.
    pub(super) fn svg(&self, out: &mut String) {
        let _ = write!(
            out,
            "<svg viewBox=\"0 0 {} {}\" role=\"img\"><title>{}</title><desc>{}</desc>",
            LEFT + WIDTH,
            HEIGHT + BELOW,
            escaped(self.title),
            escaped(&self.words())
        );
        match self.bars.is_empty() {
            true => self.draw_lines(out),
            false => self.draw_bars(out),
        }
        out.push_str("</svg>\n");
    }

    fn draw_lines(&self, out: &mut String) {
        let all = || self.lines.iter().flat_map(|(_, points)| points);
        let end = all().map(|(at, _)| *at).fold(0.0, f64::max).max(1e-9);
        let most = all().map(|(_, value)| *value).fold(0.0, f64::max).max(1e-9);
        frame(out, most, &format!("{end:.1} s"));
        for (number, (_, points)) in self.lines.iter().enumerate() {
            let _ = write!(out, "<polyline class=\"l{number}\" points=\"");
            for (at, value) in points {
                let x = LEFT + at / end * WIDTH;
                let y = HEIGHT - value / most * (HEIGHT - 4.0);
                let _ = write!(out, "{x:.1},{y:.1} ");
            }
            out.push_str("\"/>");
        }
    }

    fn draw_bars(&self, out: &mut String) {
        let most = self
            .bars
            .iter()
            .map(|(_, count)| *count)
            .max()
            .unwrap_or(1)
            .max(1);
        frame(out, most as f64, "");
        let width = WIDTH / self.bars.len() as f64;
        for (number, (from, count)) in self.bars.iter().enumerate() {
            let height = *count as f64 / most as f64 * (HEIGHT - 4.0);
            let x = LEFT + number as f64 * width;
            let _ = write!(
                out,
                "<rect class=\"b\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{}</text>",
                x + 1.0,
                HEIGHT - height,
                (width - 2.0).max(1.0),
                x + 1.0,
                HEIGHT + 14.0,
                escaped(from)
            );
        }
    }

    /// Appends the names of the lines, in their colours.
    pub(super) fn legend(&self, out: &mut String) {
        let _ = write!(out, "<p class=\"legend\">{}: ", escaped(self.unit));
        for (number, (name, _)) in self.lines.iter().enumerate() {
            let _ = write!(out, "<span class=\"l{number}\">{}</span> ", escaped(name));
        }
        out.push_str("</p>\n");
    }
}

/// The axes, the highest value and the end.
fn frame(out: &mut String, most: f64, end: &str) {
    let _ = write!(
        out,
        "<path class=\"axis\" d=\"M{LEFT} 0V{HEIGHT}H{}\"/><text x=\"0\" y=\"12\">{most:.1}</text><text x=\"0\" y=\"{HEIGHT}\">0</text>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{end}</text>",
        LEFT + WIDTH,
        LEFT + WIDTH,
        HEIGHT + 14.0
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_its_figures_in_words() {
        let mut chart = Chart::new("Packets", "packets per second");
        chart.line("packets", vec![(1.0, 2.0), (2.0, 8.0)]);
        chart.line("none", Vec::new());
        let mut svg = String::new();
        chart.svg(&mut svg);
        assert!(
            svg.contains("<desc>Packets (packets per second): packets 2.0 to 8.0.</desc>"),
            "{svg}"
        );
        assert!(svg.contains("points=\"424.0,106.0 784.0,4.0 \""), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 1);
    }

    #[test]
    fn a_chart_without_data_says_so() {
        let chart = Chart::new("Packets", "packets per second");
        assert_eq!(chart.words(), "Packets: nothing was seen.");
    }
}
