//! The terminal: raw while the screen is open, restored however rsct ends.

use std::{
    io::{self, Stdout},
    panic, thread,
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
use crate::{kernel::interfaces::Names, message, observe::Model, render::top::screen, snapshot::Snapshot};

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
    shown: Option<(Snapshot, Snapshot)>,
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

    /// Draws the figures of an interval, unless it is paused.
    pub(super) fn show(
        &mut self,
        now: &Snapshot,
        earlier: &Snapshot,
        names: &Names,
        model: &Model,
    ) -> io::Result<()> {
        self.app.passed(&now.since(earlier));
        if self.app.takes_figures() || self.shown.is_none() {
            self.shown = Some((now.clone(), earlier.clone()));
            return self.draw(names, model);
        }
        Ok(())
    }

    /// Reads the keys that were pressed.
    pub(super) fn read_keys(&mut self, names: &Names, model: &Model) -> io::Result<Wish> {
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
            self.draw(names, model)?;
        }
        Ok(Wish::Continue)
    }

    /// Stays open after the end of a recording, until a key ends it.
    pub(super) fn stay(&mut self, names: &Names, model: &Model) -> io::Result<()> {
        self.app.end();
        self.draw(names, model)?;
        while self.read_keys(names, model)? != Wish::End {
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn draw(&mut self, names: &Names, model: &Model) -> io::Result<()> {
        let Some((now, earlier)) = &self.shown else {
            return Ok(());
        };
        let drawn = self.app.view(&now.since(earlier), names, model);
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
