//! The little of JSON and base64 that DevTools need.

use anyhow::{Result, bail};

/// Text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The string value of the first `"key":"…"` in JSON.
pub(super) fn string(json: &str, key: &str) -> Option<String> {
    let begin = json.find(&format!("\"{key}\":\""))? + key.len() + 4;
    let mut chars = json.get(begin..)?.chars();
    let mut out = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok()?;
                    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
}

/// The bytes of base64.
pub(super) fn decoded(base64: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(base64.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in base64.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => bail!("byte {byte} is not base64"),
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_survive() {
        for text in ["a", "a \"quoted\" \\ one", "two\nlines\t", "ü \u{1}"] {
            let json = format!("{{\"id\":1,\"value\":{}}}", quoted(text));
            assert_eq!(string(&json, "value").as_deref(), Some(text), "{json}");
        }
        assert_eq!(string("{\"value\":1}", "value"), None);
        assert_eq!(string("{\"value\":\"cut", "value"), None);
    }

    #[test]
    fn base64_of_every_length_is_decoded() {
        for (base64, text) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
        ] {
            assert_eq!(decoded(base64).unwrap(), text.as_bytes());
        }
        assert!(decoded("a?").is_err());
    }
}
