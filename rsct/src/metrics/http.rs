//! The part of HTTP/1.1 that a scrape needs: one request without a body, whose answer ends the connection.
//!
//! A library would add keep-alive, bodies, chunks and upgrades, each of which a client could abuse; none has a use here.

use super::exposition::Format;

/// The longest head of a request.
pub(crate) const HEAD_BYTES: usize = 8 << 10;

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// GET.
    Get,
    /// HEAD: the answer has no body.
    Head,
    /// Any other.
    Other,
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The method.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The format that the client prefers.
    pub format: Format,
}

/// Parses the bytes up to the empty line; none if they are no request.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") || words.next().is_some() || !target.starts_with('/') {
        return None;
    }
    let mut accepted = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("accept") {
            accepted.push(value.trim());
        }
    }
    Some(Head {
        method: match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        },
        path: target.split('?').next().unwrap_or(target).to_owned(),
        format: preferred(&accepted.join(",")),
    })
}

/// The format with the highest quality in a header Accept; Prometheus' own if it names neither.
fn preferred(accept: &str) -> Format {
    let mut best = (0.0, Format::Prometheus);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let (mut quality, mut version) = (1.0, None);
        for part in parts {
            match part.split_once('=') {
                Some(("q", value)) => quality = value.parse().unwrap_or(0.0),
                Some(("version", value)) => version = Some(value.trim_matches('"')),
                _ => {}
            }
        }
        let format = match (kind, version) {
            ("application/openmetrics-text", None | Some("1.0.0" | "0.0.1")) => Format::OpenMetrics,
            ("text/plain", None | Some("0.0.4")) => Format::Prometheus,
            _ => continue,
        };
        if quality > best.0 {
            best = (quality, format);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prometheus_itself_gets_openmetrics() {
        for accept in [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ] {
            assert_eq!(preferred(accept), Format::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn others_get_text() {
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;q=0.1,text/plain",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=x",
        ] {
            assert_eq!(preferred(accept), Format::Prometheus, "{accept}");
        }
    }

    #[test]
    fn a_request_is_parsed() {
        let parsed =
            head(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\naccept: application/openmetrics-text\r\n\r\n");
        assert_eq!(
            parsed,
            Some(Head {
                method: Method::Get,
                path: "/metrics".to_owned(),
                format: Format::OpenMetrics,
            })
        );
        for (text, method) in [("HEAD", Method::Head), ("POST", Method::Other)] {
            let bytes = format!("{text} / HTTP/1.0\r\n\r\n");
            assert_eq!(head(bytes.as_bytes()).unwrap().method, method);
        }
    }

    #[test]
    fn anything_else_is_no_request() {
        for bytes in [
            &b""[..],
            b"GET /metrics\r\n\r\n",
            b"GET metrics HTTP/1.1\r\n\r\n",
            b"GET /metrics HTTP/2\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"\xff\xfe / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(head(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_parsed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = head(&bytes);
        }

        #[test]
        fn any_accept_selects_a_format(accept in "[ -~]*") {
            let _ = preferred(&accept);
        }
    }
}
