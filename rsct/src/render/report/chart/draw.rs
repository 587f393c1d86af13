//! The drawing of lines, layers and bars.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Line, axis};
use crate::{render::report::html::escaped, report::Values};

/// The size of a chart, in units of its own.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 190.0;
/// The margins around the values: labels of values on the left, of times below.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 6.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 22.3;

/// The plane of a chart.
#[derive(Debug)]
pub(super) struct Plane {
    /// The length of the time axis.
    pub(super) end_s: f64,
}

impl Plane {
    /// The column of a time.
    pub(super) fn x(&self, seconds: f64) -> f64 {
        let share = match self.end_s > 0.0 {
            true => (seconds / self.end_s).clamp(0.0, 1.0),
            false => 1.0,
        };
        rounded(LEFT + share * (WIDTH - LEFT - RIGHT))
    }

    /// The row of a share of the height.
    pub(super) fn y_of(&self, share: f64) -> f64 {
        let height = HEIGHT - TOP - BOTTOM;
        rounded(TOP + height * (1.0 - share.clamp(0.0, 1.0)))
    }

    /// The element, its title and its description.
    pub(super) fn open(&self, out: &mut String, title: &str, words: &str) {
        let _ = write!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{title}</title><desc>{words}</desc>"
        );
    }

    /// Horizontal lines with labels, and the times below.
    pub(super) fn grid(&self, out: &mut String, labels: &[(f64, String)]) {
        for (y, label) in labels {
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y}H{}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 5.0,
                y + 3.5,
                escaped(label)
            );
        }
        let times = axis::times(self.end_s);
        let step = times.get(1).copied().unwrap_or(0.0);
        for at in times {
            let x = self.x(at);
            let anchor = match x {
                _ if x > WIDTH - 24.0 => "end",
                _ if x < LEFT + 10.0 => "start",
                _ => "middle",
            };
            let _ = write!(
                out,
                "<path class=\"axis\" d=\"M{x} {}v4\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                HEIGHT - BOTTOM,
                HEIGHT - 6.0,
                axis::time(at, step)
            );
        }
        self.axis(out);
    }

    fn axis(&self, out: &mut String) {
        let _ = write!(
            out,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{}H{}\"/>",
            HEIGHT - BOTTOM,
            WIDTH - RIGHT
        );
    }

    /// The grid of a linear scale, whose top it returns.
    fn linear<'a>(&self, values: impl Iterator<Item = &'a f64> + Clone, out: &mut String) -> f64 {
        let are_whole = values.clone().all(|value| value.is_nan() || value.fract() == 0.0);
        let (ticks, top) = axis::ticks(greatest(values), are_whole);
        let labels: Vec<(f64, String)> = ticks
            .into_iter()
            .map(|tick| (self.y_of(tick / top), axis::number(tick)))
            .collect();
        self.grid(out, &labels);
        top
    }

    /// A plane without values.
    pub(super) fn nothing(&self, out: &mut String) {
        self.axis(out);
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">nothing was seen</text>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT / 2.0
        );
    }
}

/// A coordinate with one digit after the point.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn greatest<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.copied().fold(0.0, f64::max)
}

/// Steps from the left to the right, with gaps where a value is not a number.
fn steps(plane: &Plane, values: &Values, top: f64) -> String {
    let mut path = String::new();
    let mut at = 0.0;
    let mut before = f64::NAN;
    for (end, value) in values {
        let y = match value.is_nan() {
            true => f64::NAN,
            false => plane.y_of(value / top),
        };
        if y != before {
            // Not a number differs from itself.
            if !before.is_nan() {
                let _ = write!(path, "H{}", plane.x(at));
            }
            let _ = match (y.is_nan(), before.is_nan()) {
                (true, _) => Ok(()),
                (false, true) => write!(path, "M{} {y}", plane.x(at)),
                (false, false) => write!(path, "V{y}"),
            };
        }
        (at, before) = (*end, y);
    }
    if !before.is_nan() {
        let _ = write!(path, "H{}", plane.x(at));
    }
    path
}

/// Draws lines.
pub(super) fn lines(plane: &Plane, lines: &[Line], out: &mut String) {
    let all = lines
        .iter()
        .flat_map(|line| line.values.iter().map(|(_, value)| value));
    let top = plane.linear(all, out);
    for (number, line) in lines.iter().enumerate() {
        let _ = write!(
            out,
            "<path class=\"s{number} l\" d=\"{}\"/>",
            steps(plane, &line.values, top)
        );
    }
}

/// Draws layers. A layer without a value at a moment has none there.
pub(super) fn stack(plane: &Plane, layers: &[Line], out: &mut String) {
    let at = |(end, _): &(f64, f64)| end.to_bits();
    let ends: BTreeSet<u64> = layers
        .iter()
        .flat_map(|layer| layer.values.iter().map(at))
        .collect();
    let ends: Vec<f64> = ends.into_iter().map(f64::from_bits).collect();
    let mut below = vec![0.0; ends.len()];
    let mut bands: Vec<(Values, Values)> = Vec::new();
    for layer in layers {
        let mut values = layer.values.iter().peekable();
        let mut above = below.clone();
        for (end, sum) in ends.iter().zip(&mut above) {
            *sum += values
                .next_if(|(at, _)| at.to_bits() == end.to_bits())
                .map_or(0.0, |(_, value)| *value);
        }
        let of = |sums: &[f64]| ends.iter().copied().zip(sums.iter().copied()).collect();
        bands.push((of(&below), of(&above)));
        below = above;
    }
    let top = plane.linear(below.iter(), out);
    for (number, (below, above)) in bands.iter().enumerate() {
        let _ = write!(
            out,
            "<path class=\"s{number} a\" d=\"{}{}z\"><title>{}</title></path>",
            steps(plane, above, top),
            back(plane, below, top),
            escaped(layers.get(number).map_or("", |layer| &layer.name))
        );
    }
}

/// Steps from the right to the left.
fn back(plane: &Plane, values: &Values, top: f64) -> String {
    let mut path = String::new();
    let mut before = f64::NAN;
    let begins = std::iter::once(0.0).chain(values.iter().map(|(end, _)| *end));
    let spans: Vec<(f64, f64)> = begins.zip(values.iter().map(|(_, value)| *value)).collect();
    let mut spans = spans.into_iter().rev().peekable();
    while let Some((begin, value)) = spans.next() {
        let y = plane.y_of(value / top);
        if y != before {
            let _ = write!(path, "V{y}");
        }
        before = y;
        let goes_on = spans.peek().is_some_and(|(_, next)| plane.y_of(next / top) == y);
        if !goes_on {
            let _ = write!(path, "H{}", plane.x(begin));
        }
    }
    path
}

/// Draws bars.
pub(super) fn bars(plane: &Plane, bars: &[(String, u64)], out: &mut String) {
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(0) as f64;
    let (ticks, top) = axis::ticks(most, true);
    for tick in ticks {
        let y = plane.y_of(tick / top);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {y}H{}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 5.0,
            y + 3.5,
            axis::number(tick)
        );
    }
    plane.axis(out);
    let width = (WIDTH - LEFT - RIGHT) / bars.len().max(1) as f64;
    // A label is about 52 units wide.
    let every = (52.0 / width).ceil().max(1.0) as usize;
    for (number, (from, count)) in bars.iter().enumerate() {
        let x = LEFT + number as f64 * width;
        let y = plane.y_of(*count as f64 / top);
        let _ = write!(
            out,
            "<rect class=\"s0 a\" x=\"{:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{:.1}\"><title>from {}: {count}</title></rect>",
            x + 1.0,
            (width - 2.0).max(1.0),
            HEIGHT - BOTTOM - y,
            escaped(from)
        );
        if number % every == 0 {
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{}\">{}</text>",
                x + 1.0,
                HEIGHT - 6.0,
                escaped(from)
            );
        }
    }
}
