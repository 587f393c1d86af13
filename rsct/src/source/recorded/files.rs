//! The files of one boot, merged by time.

use std::{path::PathBuf, time::Duration};

use crate::{
    observe::{Consumer, Ended, Fact, Input},
    recording::Status,
};

use super::{FileError, Window, bar::Bar, file::File, seek::seek, wire::Start};

/// The files of one boot.
#[derive(Debug)]
pub(crate) struct Files {
    /// The oldest first.
    files: Vec<File>,
    last_ns: u64,
    ended: Vec<Ended>,
    /// True if the file that ended last has an end.
    has_end: bool,
    is_sought: bool,
    bar: Bar,
}

impl Files {
    /// Opens files of one boot; `-` is standard input.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, FileError> {
        let mut boots = Self::open_by_boot(paths)?.into_iter();
        let one = boots.next().unwrap_or_else(|| Self::of(Vec::new()));
        match (
            one.files.first(),
            boots.next().as_ref().and_then(|boot| boot.files.first()),
        ) {
            (Some(one), Some(other)) => Err(FileError::Differ(one.path.clone(), other.path.clone())),
            _ => Ok(one),
        }
    }

    /// Opens files of several boots. The boot that begins first by the time of day is the first.
    pub(crate) fn open_by_boot(paths: &[PathBuf]) -> Result<Vec<Self>, FileError> {
        let mut boots: Vec<Vec<File>> = Vec::new();
        for path in paths {
            let file = File::open(path)?;
            let is_same = |boot: &&mut Vec<File>| {
                boot.first()
                    .is_some_and(|one| one.start.boot_id == file.start.boot_id)
            };
            match boots.iter_mut().find(is_same) {
                Some(boot) => boot.push(file),
                None => boots.push(vec![file]),
            }
        }
        let mut boots: Vec<Self> = boots.into_iter().map(Self::of).collect();
        boots.sort_by_key(|boot| {
            let begun = boot.files.first();
            begun.map(|file| i128::from(file.begun_ns) + i128::from(file.start.realtime_offset_ns))
        });
        Ok(boots)
    }

    fn of(mut files: Vec<File>) -> Self {
        files.sort_by_key(|file| file.begun_ns);
        Self {
            files,
            last_ns: 0,
            ended: Vec::new(),
            has_end: false,
            is_sought: false,
            bar: Bar::default(),
        }
    }

    /// Reads everything.
    #[cfg(test)]
    pub(super) fn do_not_seek(&mut self) {
        self.is_sought = true;
    }

    /// The head of the first file.
    pub(crate) fn start(&self) -> Option<&Start> {
        self.files.first().map(|file| &file.start)
    }

    /// The files' paths.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// Does not report damage: an earlier reading has reported it.
    pub(crate) fn be_quiet(&mut self) {
        self.files.iter_mut().for_each(|file| file.is_quiet = true);
    }

    /// Returns whether the files can be read again: none is a pipe.
    pub(crate) fn are_regular(&self) -> bool {
        self.files.iter().all(|file| file.size.is_some())
    }

    /// Shows the progress of reading on standard error.
    pub(crate) fn show_progress(&mut self) {
        let sizes = self.files.iter().map(|file| file.size);
        if let Some(total) = sizes.sum::<Option<u64>>() {
            self.bar = Bar::of(total);
        }
    }

    /// The files that are damaged or break off, as sentences.
    pub(crate) fn damage(&self) -> Vec<String> {
        let read = self.files.iter().filter(|file| file.is_done);
        let damage = read.filter_map(|file| match file.reader.status() {
            Status::Whole => None,
            status => Some(format!("{}: {status}", file.path.display())),
        });
        damage.collect()
    }

    /// Passes on everything up to the window's end, the end of the files or the first damage, and reports damage. The last
    /// input is [`Input::Ended`] or [`Input::Cut`].
    pub(crate) fn run<C: Consumer>(&mut self, consumer: &mut C, window: Window) -> Result<(), FileError> {
        while self.run_until(consumer, window, u64::MAX)? {}
        self.end(consumer, window);
        Ok(())
    }

    /// Passes on inputs until all records before `pause_ns` are passed on. Returns false at the end.
    pub(super) fn run_until<C: Consumer>(
        &mut self,
        consumer: &mut C,
        window: Window,
        pause_ns: u64,
    ) -> Result<bool, FileError> {
        if !self.is_sought {
            self.is_sought = true;
            seek(&mut self.files, window.from_ns)?;
        }
        loop {
            let open = (0..).zip(&self.files).filter(|(_, file)| !file.is_done);
            let mut positions: Vec<(u64, usize)> =
                open.map(|(index, file)| (file.position_ns, index)).collect();
            positions.sort_unstable();
            let Some((position_ns, index)) = positions.first().copied() else {
                return Ok(false);
            };
            if position_ns > pause_ns {
                return Ok(true);
            }
            let next_ns = positions.get(1).map_or(u64::MAX, |(next_ns, _)| *next_ns);
            let Some(file) = self.files.get_mut(index) else {
                return Ok(false);
            };
            if !file.has_begun && index > 0 {
                let names = file.start.names.clone();
                consumer.take(Input::Fact(&Fact::Names(names)));
            }
            file.has_begun = true;
            file.run_until(consumer, window, next_ns.min(pause_ns), &mut self.bar)?;
            self.last_ns = self.last_ns.max(file.last_ns);
            if file.is_done {
                self.has_end = file.ended.is_some();
                self.ended.extend(file.ended.take());
            }
            if consumer.is_over() {
                return Ok(false);
            }
        }
    }

    /// The time up to which all records were passed on.
    pub(super) fn position_ns(&self) -> u64 {
        let open = self.files.iter().filter(|file| !file.is_done);
        open.map(|file| file.position_ns).min().unwrap_or(u64::MAX)
    }

    /// Passes on the end.
    pub(super) fn end(&mut self, consumer: &mut impl Consumer, window: Window) {
        self.bar.clear();
        let begun_ns = self.files.first().map_or(0, |file| file.start.setup.started_ns);
        let first_ns = begun_ns.max(window.from_ns);
        match sum(&self.ended) {
            Some(ended) if self.has_end => consumer.take(Input::Ended(&ended)),
            _ => {
                let last_ns = self.last_ns.min(window.to_ns);
                consumer.take(Input::Settled { now_ns: last_ns });
                consumer.take(Input::Cut {
                    elapsed: Duration::from_nanos(last_ns.saturating_sub(first_ns)),
                });
            }
        }
    }
}

/// The closing figures of several recordings together.
fn sum(all: &[Ended]) -> Option<Ended> {
    let (first, others) = all.split_first()?;
    let mut sum = first.clone();
    for ended in others {
        sum.elapsed = sum.elapsed.max(ended.elapsed);
        sum.lost.add(&ended.lost);
        sum.skips.counted += ended.skips.counted;
        sum.skips.uncounted |= ended.skips.uncounted;
        sum.malformed += ended.malformed;
        sum.causes_lost += ended.causes_lost;
        sum.causes_lost_uncounted |= ended.causes_lost_uncounted;
        sum.dump_errors.extend_from_slice(&ended.dump_errors);
        if sum.doubt.is_none() {
            sum.doubt.clone_from(&ended.doubt);
        }
    }
    Some(sum)
}
