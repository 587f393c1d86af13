//! A tab, controlled over the browser's DevTools pipe: messages of JSON that end with a zero byte.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, ChildStdout},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::text::{decoded, quoted, string};

/// An answer arrives within milliseconds; a busy machine may delay it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The colours that a user prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// Dark text on a light page.
    Light,
    /// Light text on a dark page.
    Dark,
}

impl Colors {
    /// Their name in CSS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A tab.
pub struct Tab {
    input: ChildStdin,
    messages: Receiver<String>,
    session: Option<String>,
    next: u32,
    /// Messages that no command waited for.
    events: Vec<String>,
}

impl Tab {
    /// Opens a tab of a browser that listens on `input`.
    pub(super) fn open(input: ChildStdin, output: ChildStdout) -> Result<Self> {
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut message = Vec::new();
                match output.read_until(0, &mut message) {
                    Ok(read) if read > 0 => {}
                    _ => return,
                }
                message.pop();
                if sender
                    .send(String::from_utf8_lossy(&message).into_owned())
                    .is_err()
                {
                    return;
                }
            }
        });
        let mut tab = Self {
            input,
            messages,
            session: None,
            next: 1,
            events: Vec::new(),
        };
        let created = tab.call("Target.createTarget", "{\"url\":\"about:blank\"}")?;
        let target = string(&created, "targetId").context("open a tab: the answer has no target")?;
        let attach = format!("{{\"targetId\":{},\"flatten\":true}}", quoted(&target));
        let attached = tab.call("Target.attachToTarget", &attach)?;
        tab.session = string(&attached, "sessionId");
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.call(&format!("{domain}.enable"), "{}")?;
        }
        Ok(tab)
    }

    /// Opens an address at a width, and returns the messages and requests of the page.
    pub fn load(&mut self, address: &str, width: u32, colors: Colors) -> Result<Vec<String>> {
        self.call(
            "Emulation.setEmulatedMedia",
            &format!(
                "{{\"features\":[{{\"name\":\"prefers-color-scheme\",\"value\":{}}}]}}",
                quoted(colors.name())
            ),
        )?;
        self.resize(width, 800)?;
        self.events.clear();
        self.call("Page.navigate", &format!("{{\"url\":{}}}", quoted(address)))?;
        while !self.events.iter().any(|event| is(event, "Page.loadEventFired")) {
            let event = self.receive().context("load the page")?;
            self.events.push(event);
        }
        // A second call returns after the messages of the first layout.
        self.value("''")?;
        Ok(self.complaints(address))
    }

    /// Messages on the console, and requests other than that of the page.
    fn complaints(&self, address: &str) -> Vec<String> {
        let is_complaint = |event: &&String| {
            let is_request = is(event, "Network.requestWillBeSent");
            let is_own = string(event, "documentURL").as_deref() == Some(address)
                && (event.contains(&format!("\"url\":{}", quoted(address)))
                    || event.contains("\"url\":\"data:,\""));
            let is_message = [
                "Runtime.consoleAPICalled",
                "Runtime.exceptionThrown",
                "Log.entryAdded",
            ]
            .iter()
            .any(|method| is(event, method));
            is_message || is_request && !is_own
        };
        self.events.iter().filter(is_complaint).cloned().collect()
    }

    /// Sets the size of the window.
    pub fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let size = format!(
            "{{\"width\":{width},\"height\":{height},\"deviceScaleFactor\":1,\"mobile\":{}}}",
            width < 600
        );
        self.call("Emulation.setDeviceMetricsOverride", &size).map(drop)
    }

    /// The value of a JavaScript expression that is a string.
    pub fn value(&mut self, expression: &str) -> Result<String> {
        let parameters = format!("{{\"expression\":{},\"returnByValue\":true}}", quoted(expression));
        let answer = self.call("Runtime.evaluate", &parameters)?;
        if answer.contains("\"exceptionDetails\"") {
            bail!("evaluate {expression}: {answer}");
        }
        string(&answer, "value").with_context(|| format!("evaluate {expression}: no string in {answer}"))
    }

    /// A picture of the window, as PNG.
    pub fn screenshot(&mut self) -> Result<Vec<u8>> {
        let answer = self.call("Page.captureScreenshot", "{\"format\":\"png\"}")?;
        decoded(&string(&answer, "data").context("draw the page: no picture")?)
    }

    /// The page as it is printed, as PDF.
    pub fn pdf(&mut self) -> Result<Vec<u8>> {
        let answer = self.call(
            "Page.printToPDF",
            "{\"preferCSSPageSize\":true,\"printBackground\":false}",
        )?;
        decoded(&string(&answer, "data").context("print the page: no document")?)
    }

    /// Sends a command and waits for its answer.
    fn call(&mut self, method: &str, parameters: &str) -> Result<String> {
        let id = self.next;
        self.next += 1;
        let session = match &self.session {
            Some(session) => format!(",\"sessionId\":{}", quoted(session)),
            None => String::new(),
        };
        let message = format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":{parameters}{session}}}\0");
        self.input
            .write_all(message.as_bytes())
            .and_then(|()| self.input.flush())
            .with_context(|| format!("send {method} to the browser"))?;
        loop {
            let answer = self.receive().with_context(|| format!("wait for {method}"))?;
            if !answer.starts_with(&format!("{{\"id\":{id},")) {
                self.events.push(answer);
            } else if answer.starts_with(&format!("{{\"id\":{id},\"error\":")) {
                bail!("{method}: the browser answers {answer}");
            } else {
                return Ok(answer);
            }
        }
    }

    fn receive(&self) -> Result<String> {
        self.messages
            .recv_timeout(PATIENCE)
            .context("the browser sent no message: it ended, or the machine is too busy")
    }
}

fn is(event: &str, method: &str) -> bool {
    event.starts_with(&format!("{{\"method\":\"{method}\""))
}
