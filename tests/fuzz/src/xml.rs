//! A check that the XML of an entry is well-formed.

/// Checks that this is one element and a newline: every element closed, nothing raw inside.
pub fn is_an_element(out: &[u8]) {
    let text = str::from_utf8(out).expect("XML in UTF-8");
    let element = text.strip_suffix('\n').expect("an element and a newline");
    assert!(is_well_formed(element), "{element}");
}

fn is_well_formed(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((before, tag_and_rest)) = rest.split_once('<') {
        if before.contains('>') || (open.is_empty() && !before.is_empty()) {
            return false;
        }
        let Some((tag, after)) = tag_and_rest.split_once('>') else {
            return false;
        };
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or_default());
        }
        rest = after;
    }
    let entities = text.split('&').skip(1).all(|part| {
        let name = part.split_once(';').map_or("", |(name, _)| name);
        match name.strip_prefix('#') {
            Some(number) => number
                .parse::<u32>()
                .is_ok_and(|number| char::from_u32(number).is_some_and(is_allowed)),
            None => ["amp", "lt", "gt", "quot", "apos"].contains(&name),
        }
    });
    // Written raw, a tab or a carriage return would not survive an XML parser's normalisation.
    let is_raw = |char: char| is_allowed(char) && !matches!(char, '\t' | '\r');
    open.is_empty() && rest.is_empty() && entities && text.chars().all(is_raw)
}

/// A character that XML 1.0 may contain, as itself or by its number.
fn is_allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
