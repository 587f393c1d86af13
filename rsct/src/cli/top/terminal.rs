//! The terminal: raw while the screen is open, restored however rsct ends.

use std::{
    io::{self, Stdout},
    panic,
    rc::Rc,
    thread,
    time::Duration,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        event::{self, Event, KeyEventKind},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

use super::app::App;
use crate::{
    flow::TupleKey,
    kernel::interfaces::Names,
    message,
    render::top::screen,
    snapshot::{Collector, Snapshot},
};

/// The request of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// None that is left to do.
    Continue,
    /// To end.
    End,
}

/// An open screen.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    app: App,
    shown: Option<(Rc<Snapshot>, Rc<Snapshot>)>,
}

impl Screen {
    /// Opens it.
    pub(super) fn open(app: App) -> io::Result<Self> {
        // The message of a panic must be readable, and the shell usable after it.
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            report(info);
        }));
        message::hold();
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(Self {
            terminal,
            app,
            shown: None,
        })
    }

    /// Returns whether a visible part shows causes.
    pub(super) fn needs_causes(&self) -> bool {
        self.app.needs_causes()
    }

    /// Returns an entry whose reply direction a visible part needs, once.
    pub(super) fn lacks_entry(&mut self) -> Option<TupleKey> {
        self.app.lacks_entry()
    }

    /// Draws the figures of an interval, unless it is paused.
    pub(super) fn show(
        &mut self,
        now: &Rc<Snapshot>,
        earlier: &Rc<Snapshot>,
        names: &Names,
        of: &Collector,
    ) -> io::Result<()> {
        self.app.passed(&now.since(earlier));
        if self.app.takes_figures() || self.shown.is_none() {
            self.shown = Some((Rc::clone(now), Rc::clone(earlier)));
            return self.draw(names, of);
        }
        Ok(())
    }

    /// Reads the keys that were pressed.
    pub(super) fn read_keys(&mut self, names: &Names, of: &Collector) -> io::Result<Wish> {
        let mut has_changed = false;
        while event::poll(Duration::ZERO)? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if self.app.press(key) == Wish::End {
                        return Ok(Wish::End);
                    }
                    has_changed = true;
                }
                Event::Resize(..) => {
                    self.terminal.clear()?;
                    has_changed = true;
                }
                _ => {}
            }
        }
        if has_changed {
            self.draw(names, of)?;
        }
        Ok(Wish::Continue)
    }

    /// Stays open after the end of a recording, until a key ends it.
    pub(super) fn stay(&mut self, names: &Names, of: &Collector) -> io::Result<()> {
        self.app.end();
        self.draw(names, of)?;
        while self.read_keys(names, of)? != Wish::End {
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn draw(&mut self, names: &Names, of: &Collector) -> io::Result<()> {
        let Some((now, earlier)) = &self.shown else {
            return Ok(());
        };
        let drawn = self.app.view(&now.since(earlier), names, of);
        let view = self.app.shown(&drawn);
        self.terminal.draw(|frame| screen::draw(frame, &view))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    // Nothing is left to do if the terminal is gone.
    let _ = disable_raw_mode();
    let _ = execute!(
        io::stdout(),
        LeaveAlternateScreen,
        ratatui::crossterm::cursor::Show
    );
    message::release();
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Read as _,
        os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        process::Command,
    };

    use super::*;

    /// Set in the process that panics.
    const PANICS: &str = "RSCT_TEST_PANICS";

    /// The settings of a terminal.
    fn settings(terminal: &OwnedFd) -> (u32, u32, u32, u32) {
        // SAFETY: all-zero bytes are a termios.
        let mut of: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, and the struct outlives the call.
        assert_eq!(unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut of) }, 0);
        (of.c_iflag, of.c_oflag, of.c_cflag, of.c_lflag)
    }

    #[test]
    fn a_panic_restores_the_terminal() {
        if std::env::var_os(PANICS).is_some() {
            let _screen = Screen::open(App::new("rsct top".to_owned(), false, false)).unwrap();
            panic!("a panic with an open screen");
        }
        let (mut ours, mut theirs) = (0, 0);
        let none = std::ptr::null_mut();
        // SAFETY: the pointers to descriptors are valid; name, attributes and size may be null.
        let opened = unsafe {
            libc::openpty(
                &raw mut ours,
                &raw mut theirs,
                none,
                std::ptr::null(),
                std::ptr::null(),
            )
        };
        assert_eq!(opened, 0);
        // SAFETY: both descriptors are new, and have no other owner.
        let (ours, theirs) = unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
        let before = settings(&theirs);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "cli::top::terminal::tests::a_panic_restores_the_terminal",
            ])
            .env(PANICS, "1")
            .env("TERM", "xterm")
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut written = Vec::new();
        let mut buffer = [0; 4096];
        let mut ours = ours;
        let has = |written: &[u8], text: &str| String::from_utf8_lossy(written).contains(text);
        // The message comes after the screen.
        while !has(&written, "a panic with an open screen") {
            let length = ours.read(&mut buffer).unwrap();
            written.extend_from_slice(&buffer[..length]);
        }
        assert!(!child.wait().unwrap().success());
        let written = String::from_utf8_lossy(&written);
        let place = |text: &str| {
            written
                .find(text)
                .unwrap_or_else(|| panic!("no {text:?}: {written:?}"))
        };
        assert!(place("\u{1b}[?1049h") < place("\u{1b}[?1049l"));
        assert!(place("\u{1b}[?1049l") < place("a panic with an open screen"));
        assert_eq!(settings(&theirs), before);
    }
}
