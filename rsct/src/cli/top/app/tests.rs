use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{super::terminal::Wish, *};
use crate::snapshot::Snapshot;

fn pressed(keys: &str) -> App {
    let mut app = App::new("rsct top".to_owned(), false, true);
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            key => KeyCode::Char(key),
        };
        app.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
    app
}

fn status(app: &App) -> String {
    let now = Snapshot::default();
    app.status(&now.since(&now))
}

#[test]
fn keys_select_panes() {
    assert_eq!(pressed("3").pane, Pane::Causes);
    assert_eq!(pressed("9\t").pane, Pane::Overview);
}

#[test]
fn a_paused_screen_takes_figures_step_by_step() {
    let mut app = pressed("pnn");
    assert_eq!([(); 3].map(|()| app.takes_figures()), [true, true, false]);
    assert!(pressed("pp").takes_figures());
}

#[test]
fn a_filter_is_that_of_other_commands() {
    let app = pressed("/-p tcp --dport 443\n");
    assert!(app.filter.is_some() && app.error.is_none());
    assert_eq!(status(&app), "flows: -p tcp --dport 443");
    let wrong = pressed("/--no-such 1\n");
    assert!(wrong.filter.is_none(), "{:?}", wrong.error);
    assert!(status(&wrong).contains("--no-such"), "{}", status(&wrong));
    assert!(pressed("/-p tcp\n/\u{1b}").filter.is_none());
}

#[test]
fn only_q_and_control_c_end_it() {
    let mut app = pressed("");
    assert_eq!(
        app.press(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE)),
        Wish::End
    );
    assert_eq!(
        app.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        Wish::End
    );
    assert_eq!(
        app.press(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)),
        Wish::Continue
    );
}

#[test]
fn causes_are_needed_only_while_they_are_visible() {
    assert!(!pressed("").needs_causes() && !pressed("2").needs_causes());
    assert!(pressed("3").needs_causes());
    assert!(!pressed("31").needs_causes());
    let now = Snapshot {
        time_ns: 5_000_000_000,
        causes_since_ns: Some(3_000_000_000),
        ..Snapshot::default()
    };
    assert!(status(&pressed("3")).contains("being attached"));
    assert_eq!(
        pressed("3").status(&now.since(&now)),
        "causes are counted for 2.0s"
    );
    assert_eq!(pressed("1").status(&now.since(&now)), "");
}
