//! The pages of `rsct report`, made from kept recordings and opened in a browser as users open them.
//!
//! The screenshots and prints stay in target/pages, for people to look at.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use super::plan::Listed;
use crate::{
    browser::{Browser, Colors, Tab, address},
    build::Profile,
    exec, paths,
    report::{Tally, Timed},
};

/// A page and the arguments that make it.
struct Page {
    name: &'static str,
    recordings: &'static [&'static str],
    arguments: &'static [&'static str],
    /// The titles of its plots.
    plots: &'static [&'static str],
}

const PLOTS: &[&str] = &[
    "Entries in the table",
    "Entries by state",
    "Packets",
    "Entries inserted and deleted",
    "INVALID packets, drops, failed inserts, lost records",
    "Causes",
    "Durations of nf_conntrack_in",
    "Durations of nf_conntrack_in over time",
];

const PAGES: &[Page] = &[
    Page {
        name: "page_full",
        recordings: &["full"],
        arguments: &[],
        plots: PLOTS,
    },
    Page {
        name: "page_invalid",
        recordings: &["invalid"],
        arguments: &[],
        plots: PLOTS,
    },
    Page {
        name: "page_comparison",
        recordings: &["full", "invalid"],
        arguments: &["--compare"],
        plots: &[
            "Durations of nf_conntrack_in, median",
            "Durations of nf_conntrack_in, 99 % at most",
            "Entries in all tables",
            "INVALID packets, drops and failed inserts",
            "Packets",
            "Entries inserted",
        ],
    },
];

const VIEWS: [(u32, Colors); 3] = [(1200, Colors::Light), (1200, Colors::Dark), (400, Colors::Light)];
/// Plots narrower or lower than this cannot be read.
const LEAST: (u32, u32) = (300, 100);

/// Each plot with its size and number of shapes; then the elements that are wider than the window.
const LOOK: &str = "(() => {
  const lines = [...document.querySelectorAll('svg')].map(svg => {
    const box = svg.getBoundingClientRect();
    const shapes = svg.querySelectorAll('path,rect').length;
    return ['plot', svg.querySelector('title').textContent, Math.round(box.width), Math.round(box.height), shapes].join('|');
  });
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) lines.push('wide|the page|' + root.scrollWidth);
  for (const element of document.querySelectorAll('body *')) {
    const inside = element.closest('.wide, svg');
    if ((!inside || inside === element) && element.getBoundingClientRect().right > innerWidth + 0.5)
      lines.push('wide|' + element.tagName + '.' + element.className + '|' + element.textContent.slice(0, 60));
  }
  return lines.join('\\n');
})()";

/// Opens every page.
pub fn run(listed: &Result<Listed, String>, filter: Option<&str>) -> Result<Tally> {
    if let Err(complaint) = listed {
        bail!("{complaint}");
    }
    let pages: Vec<&Page> = PAGES
        .iter()
        .filter(|page| filter.is_none_or(|filter| page.name.contains(filter)))
        .collect();
    let mut tally = Tally::default();
    if pages.is_empty() {
        return Ok(tally);
    }
    let (_browser, mut tab) = Browser::start()?;
    for page in pages {
        let started = Instant::now();
        let complaints = open(page, &mut tab).unwrap_or_else(|error| vec![format!("{error:#}")]);
        let complaint = (!complaints.is_empty()).then(|| complaints.join("\n"));
        tally.add(Tally::one(page.name, complaint));
        tally.times.push(Timed {
            place: "pages".to_owned(),
            name: page.name.to_owned(),
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    Ok(tally)
}

/// Makes a page and opens it in every view. Returns the complaints.
fn open(page: &Page, tab: &mut Tab) -> Result<Vec<String>> {
    let dir = paths::target().join("pages");
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    let recordings: Vec<PathBuf> = page
        .recordings
        .iter()
        .map(|name| paths::root().join(format!("tests/kept/{name}.rsct")))
        .collect();
    let file = dir.join(format!("{}.html", page.name));
    make(&recordings, page.arguments, &file)?;
    let mut wrong = Vec::new();
    for (width, colors) in VIEWS {
        let view = format!("{width} px, {}", colors.name());
        let mut add = |text: String| wrong.push(format!("{view}: {text}"));
        for complaint in tab.load(&address(&file), width, colors)? {
            add(format!("the page has a message or a request: {complaint}"));
        }
        check(&tab.value(LOOK)?, page.plots)
            .into_iter()
            .for_each(&mut add);
        let height = tab.value("String(document.documentElement.scrollHeight)")?;
        tab.resize(width, height.parse().context("read the height of the page")?)?;
        let picture = dir.join(format!("{}-{width}-{}.png", page.name, colors.name()));
        fs::write(&picture, tab.screenshot()?).with_context(|| format!("write {}", picture.display()))?;
    }
    let printed = dir.join(format!("{}.pdf", page.name));
    let pdf = tab.pdf()?;
    if !pdf.starts_with(b"%PDF") {
        wrong.push("the print is no PDF".to_owned());
    }
    fs::write(&printed, pdf).with_context(|| format!("write {}", printed.display()))?;
    Ok(wrong)
}

/// Makes a page with the built rsct.
pub fn make(recordings: &[PathBuf], arguments: &[&str], file: &Path) -> Result<()> {
    let mut command = Command::new(Profile::Quick.built("rsct"));
    command
        .arg("report")
        .args(arguments)
        .args(recordings)
        .args(["-o", "html", "-O"])
        .arg(file);
    exec::output(&mut command, "make a page").map(drop)
}

/// Compares the plots of a page with those that it must have.
fn check(look: &str, plots: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    for line in look.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        match fields[..] {
            ["plot", title, width, height, shapes] => {
                found.push(title);
                let number = |text: &str| text.parse().unwrap_or(0_u32);
                if number(width) < LEAST.0 || number(height) < LEAST.1 {
                    wrong.push(format!("the plot {title:?} is too small: {width} x {height} px"));
                }
                if number(shapes) == 0 {
                    wrong.push(format!("the plot {title:?} is empty"));
                }
            }
            _ => wrong.push(format!("wider than the window: {line}")),
        }
    }
    if found != plots {
        wrong.push(format!("the plots are {found:?} instead of {plots:?}"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_small_and_wide_things_are_found() {
        assert!(check("plot|A|400|150|9\nplot|B|400|150|1", &["A", "B"]).is_empty());
        for look in [
            "plot|A|400|150|9",
            "plot|A|400|150|9\nplot|B|400|2|1",
            "plot|A|400|150|9\nplot|B|400|150|0",
            "plot|A|400|150|9\nplot|B|400|150|1\nwide|the page|500",
        ] {
            assert_eq!(check(look, &["A", "B"]).len(), 1, "{look}");
        }
    }
}
