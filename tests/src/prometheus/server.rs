//! A running Prometheus.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::lab::metrics::get;

const ADDRESS: &str = "127.0.0.1:9090";
/// A large Go program on an emulated processor starts slowly.
const START: Duration = Duration::from_secs(300);

/// It ends when dropped.
pub struct Prometheus {
    child: Child,
    log: PathBuf,
}

impl Prometheus {
    /// Starts it with the configuration in a directory, and returns when it serves.
    pub fn start(dir: &Path) -> Result<Self> {
        let log = dir.join("log");
        let mut command = Command::new("prometheus");
        command
            .args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={ADDRESS}"))
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let child = command.spawn().context("start prometheus")?;
        let mut started = Self { child, log };
        let begun = Instant::now();
        loop {
            if get(ADDRESS, "/-/ready", "").is_ok_and(|answer| answer.head.contains(" 200 ")) {
                println!("Prometheus is ready after {:.0} s", begun.elapsed().as_secs_f64());
                return Ok(started);
            }
            let ended = started.child.try_wait()?;
            ensure!(
                ended.is_none() && begun.elapsed() < START,
                "Prometheus does not start: {ended:?}\n{}",
                started.log()
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn api(&self, path: &str) -> Result<Value> {
        let answer = get(ADDRESS, path, "")?;
        let value: Value = serde_json::from_str(&answer.body)
            .with_context(|| format!("{path}: {}{}", answer.head, answer.body))?;
        ensure!(value["status"] == "success", "{path}: {value}");
        Ok(value)
    }

    /// The result of a query.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        let mut path = "/api/v1/query?query=".to_owned();
        for byte in query.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => path.push(char::from(byte)),
                byte => path.push_str(&format!("%{byte:02X}")),
            }
        }
        let mut value = self.api(&path).with_context(|| query.to_owned())?;
        match value["data"]["result"].take() {
            Value::Array(result) => Ok(result),
            other => bail!("{query}: {other}"),
        }
    }

    /// Waits until a query has a result.
    pub fn query_until(&self, what: &str, query: &str) -> Result<()> {
        crate::lab::wait::until(what, || Ok(!self.query(query)?.is_empty())).with_context(|| self.log())
    }

    /// The names of the alerts that fire.
    pub fn firing(&self) -> Result<Vec<String>> {
        let value = self.api("/api/v1/alerts")?;
        let alerts = value["data"]["alerts"].as_array().context("no alerts")?;
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
        Ok(firing.filter_map(name).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
