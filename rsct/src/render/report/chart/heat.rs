//! A heat map: the number of packets by time and duration, both axes in steps, the durations logarithmic.

use std::fmt::Write as _;

use rsct_common::latency::{bounds, bucket_of};

use crate::{
    render::top::table::duration,
    report::{Series, Values},
};

use super::draw::Plane;

/// Buckets of the histogram in a row: half an octave.
const BUCKETS: usize = 8;
/// Degrees of colour.
pub(super) const DEGREES: usize = 6;

/// The number of packets by row.
type Rows = Vec<(usize, u64)>;

/// A heat map.
#[derive(Debug, Default)]
pub(crate) struct Heat {
    /// Begin and end of each column in seconds, and the number of packets by row.
    columns: Vec<(f64, f64, Rows)>,
    /// The median and the 99th percentile of each column.
    lines: [Values; 2],
}

impl Heat {
    /// The durations of each step of a series.
    pub(crate) fn of(series: &Series) -> Self {
        let mut heat = Self::default();
        let start_ns = series.points.first().map_or(0, |point| point.time_ns);
        let seconds = |time_ns: u64| time_ns.saturating_sub(start_ns) as f64 / 1e9;
        for (before, after) in series.steps() {
            let durations = after.durations.since(&before.durations);
            let mut rows = Rows::new();
            for (least, _, count) in durations.buckets() {
                let row = bucket_of(least) / BUCKETS;
                match rows.last_mut() {
                    Some((last, sum)) if *last == row => *sum += count,
                    _ => rows.push((row, count)),
                }
            }
            if !rows.is_empty() {
                for (line, per_mille) in heat.lines.iter_mut().zip([500, 990]) {
                    line.extend(
                        durations
                            .quantile(per_mille)
                            .map(|value| (seconds(after.time_ns), value as f64)),
                    );
                }
                heat.columns
                    .push((seconds(before.time_ns), seconds(after.time_ns), rows));
            }
        }
        heat
    }

    /// Returns whether no packet was timed.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    fn cells(&self) -> impl Iterator<Item = (f64, f64, usize, u64)> {
        self.columns
            .iter()
            .flat_map(|(from, to, rows)| rows.iter().map(move |(row, count)| (*from, *to, *row, *count)))
    }

    /// The count of the fullest cell.
    pub(super) fn most(&self) -> u64 {
        self.cells().map(|(.., count)| count).max().unwrap_or(0)
    }

    /// Its figures in words.
    pub(super) fn words(&self) -> String {
        let range = |values: &Values| {
            let values = values.iter().map(|(_, value)| *value as u64);
            let (least, most) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
            format!("{} to {}", duration(least), duration(most))
        };
        format!(
            "median {}, 99 % at most {}; a cell has at most {} packets",
            range(&self.lines[0]),
            range(&self.lines[1]),
            self.most()
        )
    }

    /// Draws it.
    pub(super) fn draw(&self, plane: &Plane, out: &mut String) {
        let rows = || self.cells().map(|(_, _, row, _)| row);
        let lowest = rows().min().unwrap_or(0);
        let highest = rows().max().unwrap_or(0);
        let least = (bounds(lowest * BUCKETS).0 as f64).max(1.0);
        let beyond = bounds(highest * BUCKETS + BUCKETS - 1).1 as f64;
        let scale = (beyond / least).ln().max(1e-9);
        let y = |value: f64| plane.y_of((value.max(least) / least).ln() / scale);
        let mut decade = 10_f64.powf(least.log10().ceil());
        let mut labels = Vec::new();
        while decade <= beyond {
            labels.push((y(decade), duration(decade as u64)));
            decade *= 10.0;
        }
        if labels.len() < 2 {
            labels = vec![
                (y(least), duration(least as u64)),
                (y(beyond), duration(beyond as u64)),
            ];
        }
        plane.grid(out, &labels);
        let most = (self.most() as f64).ln_1p().max(1e-9);
        for degree in 0..DEGREES {
            let of_degree = |count: u64| {
                let share = (count as f64).ln_1p() / most * DEGREES as f64;
                (share.ceil() as usize).clamp(1, DEGREES) - 1 == degree
            };
            let _ = write!(out, "<path class=\"h{degree}\" d=\"");
            for (from, to, row, _) in self.cells().filter(|(.., count)| of_degree(*count)) {
                let top = y(bounds(row * BUCKETS + BUCKETS - 1).1 as f64);
                let bottom = y((bounds(row * BUCKETS).0 as f64).max(1.0));
                let (left, right) = (plane.x(from), plane.x(to));
                let (width, height) = (right - left, bottom - top);
                let _ = write!(out, "M{left:.1} {bottom:.1}v-{height:.1}h{width:.1}v{height:.1}z");
            }
            out.push_str("\"/>");
        }
        for (number, line) in self.lines.iter().enumerate() {
            let _ = write!(out, "<path class=\"q{number}\" d=\"");
            let mut last = f64::MIN;
            for ((at, value), (from, ..)) in line.iter().zip(&self.columns) {
                let command = if (from - last).abs() < 1e-9 { 'L' } else { 'M' };
                let _ = write!(
                    out,
                    "{command}{:.1} {:.1}H{:.1}",
                    plane.x(*from),
                    y(*value),
                    plane.x(*at)
                );
                last = *at;
            }
            out.push_str("\"/>");
        }
    }
}
