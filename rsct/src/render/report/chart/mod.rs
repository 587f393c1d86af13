//! Charts as inline SVG, with their figures in words.

mod axis;
mod draw;
mod heat;

use std::fmt::Write as _;

pub(crate) use axis::number;
pub(crate) use heat::Heat;

use super::html::escaped;
use crate::report::Values;
use draw::Plane;

/// A named line or layer.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Values,
}

/// The contents of a chart.
#[derive(Debug)]
pub(crate) enum Plot {
    /// Lines over time.
    Lines(Vec<Line>),
    /// Layers over time, each on top of those before.
    Stack(Vec<Line>),
    /// Bars with labels.
    Bars(Vec<(String, u64)>),
    /// A heat map over time.
    Heat(Heat),
}

/// A chart.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The title.
    pub title: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// Its contents.
    pub plot: Plot,
    /// A fact that the drawing does not show.
    pub note: Option<String>,
    /// The length of the time axis in seconds.
    pub end_s: f64,
}

impl Chart {
    /// A chart of lines. Those without values are omitted.
    pub(super) fn lines<N: Into<String>>(
        title: &'static str,
        unit: &'static str,
        end_s: f64,
        lines: impl IntoIterator<Item = (N, Values)>,
    ) -> Self {
        Self::new(title, unit, end_s, Plot::Lines(named(lines)))
    }

    /// A chart of layers.
    pub(super) fn stack<N: Into<String>>(
        title: &'static str,
        unit: &'static str,
        end_s: f64,
        layers: impl IntoIterator<Item = (N, Values)>,
    ) -> Self {
        Self::new(title, unit, end_s, Plot::Stack(named(layers)))
    }

    /// A chart.
    pub(super) fn new(title: &'static str, unit: &'static str, end_s: f64, plot: Plot) -> Self {
        Self {
            title,
            unit,
            plot,
            note: None,
            end_s,
        }
    }

    /// Returns whether there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        match &self.plot {
            Plot::Lines(lines) | Plot::Stack(lines) => lines.is_empty(),
            Plot::Bars(bars) => bars.is_empty(),
            Plot::Heat(heat) => heat.is_empty(),
        }
    }

    /// Its figures in words.
    pub(super) fn words(&self) -> String {
        if self.is_empty() {
            return format!("{}: nothing was seen.", self.title);
        }
        let mut words = match &self.plot {
            Plot::Lines(lines) | Plot::Stack(lines) => {
                let line = |line: &Line| format!("{} {}", line.name, range(&line.values));
                lines.iter().map(line).collect::<Vec<String>>().join(", ")
            }
            Plot::Bars(bars) => {
                let bar = |(from, count): &(String, u64)| format!("from {from}: {count}");
                bars.iter().map(bar).collect::<Vec<String>>().join(", ")
            }
            Plot::Heat(heat) => heat.words(),
        };
        if let Some(note) = &self.note {
            let _ = write!(words, "; {note}");
        }
        format!("{} ({}): {words}.", self.title, self.unit)
    }

    /// Appends it as SVG.
    pub(super) fn svg(&self, out: &mut String) {
        let plane = Plane { end_s: self.end_s };
        plane.open(out, &escaped(self.title), &escaped(&self.words()));
        match &self.plot {
            _ if self.is_empty() => plane.nothing(out),
            Plot::Lines(lines) => draw::lines(&plane, lines, out),
            Plot::Stack(layers) => draw::stack(&plane, layers, out),
            Plot::Bars(bars) => draw::bars(&plane, bars, out),
            Plot::Heat(heat) => heat.draw(&plane, out),
        }
        out.push_str("</svg>\n");
    }

    /// Appends the unit and the names of the lines, in their colours and with their ranges.
    pub(super) fn legend(&self, out: &mut String) {
        let _ = write!(out, "<figcaption><span>{}</span>", escaped(self.unit));
        match &self.plot {
            Plot::Lines(lines) | Plot::Stack(lines) => {
                for (number, line) in lines.iter().enumerate() {
                    let _ = write!(
                        out,
                        " <span><i class=\"s{number}\"></i>{} <b>{}</b></span>",
                        escaped(&line.name),
                        range(&line.values)
                    );
                }
            }
            Plot::Bars(_) => {}
            Plot::Heat(heat) if !heat.is_empty() => {
                out.push_str(" <span>1 ");
                for degree in 0..heat::DEGREES {
                    let _ = write!(out, "<i class=\"h{degree}\"></i>");
                }
                let _ = write!(
                    out,
                    " {}</span> <span><i class=\"q0\"></i>median</span> <span><i class=\"q1\"></i>99 % at most</span>",
                    heat.most().max(2)
                );
            }
            Plot::Heat(_) => {}
        }
        if let Some(note) = &self.note {
            let _ = write!(out, " <span>{}</span>", escaped(note));
        }
        out.push_str("</figcaption>\n");
    }
}

fn named<N: Into<String>>(lines: impl IntoIterator<Item = (N, Values)>) -> Vec<Line> {
    lines
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| Line {
            name: name.into(),
            values,
        })
        .collect()
}

/// The least and the greatest value.
fn range(values: &Values) -> String {
    let (least, most) = values
        .iter()
        .filter(|(_, value)| !value.is_nan())
        .fold((f64::MAX, f64::MIN), |(least, most), (_, value)| {
            (least.min(*value), most.max(*value))
        });
    match number(least) == number(most) {
        true => number(most),
        false => format!("{} to {}", number(least), number(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(chart: &Chart) -> String {
        let mut svg = String::new();
        chart.svg(&mut svg);
        svg
    }

    #[test]
    fn a_chart_has_its_figures_in_words() {
        let lines = [("packets", vec![(1.0, 2.0), (2.0, 8.0)]), ("none", Vec::new())];
        let chart = Chart::lines("Packets", "packets per second", 2.0, lines);
        let svg = svg(&chart);
        assert!(
            svg.contains("<desc>Packets (packets per second): packets 2 to 8.</desc>"),
            "{svg}"
        );
        // From the start to 1 s at 2, and to 2 s at 8, of a scale up to 8.
        assert!(svg.contains("d=\"M52 127.8H263V8H474\""), "{svg}");
        assert_eq!(svg.matches("class=\"s").count(), 1);
    }

    #[test]
    fn a_gap_is_not_drawn() {
        let values = vec![(1.0, 4.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 2.0)];
        let chart = Chart::lines("Durations", "us", 4.0, [("median", values)]);
        let svg = svg(&chart);
        assert!(svg.contains("d=\"M52 8H157.5M263 87.9H474\""), "{svg}");
        assert!(svg.contains("median 2 to 4."), "{svg}");
    }

    #[test]
    fn layers_stand_on_those_before() {
        let layers = [("a", vec![(1.0, 1.0)]), ("b", vec![(1.0, 3.0)])];
        let svg = svg(&Chart::stack("Entries", "entries", 1.0, layers));
        assert!(svg.contains("d=\"M52 127.8H474V167.7H52z\""), "{svg}");
        assert!(svg.contains("d=\"M52 8H474V127.8H52z\""), "{svg}");
    }

    #[test]
    fn a_chart_without_data_says_so() {
        let chart = Chart::lines::<&str>("Packets", "packets per second", 0.0, []);
        assert_eq!(chart.words(), "Packets: nothing was seen.");
        assert!(svg(&chart).contains(">nothing was seen</text>"));
    }
}
