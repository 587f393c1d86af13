//! The local time zone, found as glibc's tzset(3) finds it: musl, in a static program, reads `TZ` differently.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use jiff::tz::TimeZone;

/// The directory of zones, unless `TZDIR` names another.
const ZONES: &str = "/usr/share/zoneinfo";
/// The rule of a `TZ` that names a summer time and no rule.
const USUAL_RULE: &str = ",M3.2.0,M11.1.0";

/// The zone of this process.
pub(crate) fn local() -> &'static TimeZone {
    static LOCAL: OnceLock<TimeZone> = OnceLock::new();
    LOCAL.get_or_init(|| {
        let zones = env::var_os("TZDIR").filter(|dir| !dir.is_empty());
        let zones = PathBuf::from(zones.unwrap_or_else(|| OsString::from(ZONES)));
        named(env::var_os("TZ").as_deref(), &zones)
    })
}

/// The zone that a value of `TZ` names; universal time where it names none.
fn named(tz: Option<&OsStr>, zones: &Path) -> TimeZone {
    let Some(tz) = tz else {
        return file(Path::new("/etc/localtime")).unwrap_or(TimeZone::UTC);
    };
    let bytes = tz.as_bytes();
    let name = OsStr::from_bytes(bytes.strip_prefix(b":").unwrap_or(bytes));
    if name.is_empty() {
        return TimeZone::UTC;
    }
    // A path from the root stays as it is.
    file(&zones.join(name))
        .or_else(|| rule(name.to_str()?))
        .unwrap_or(TimeZone::UTC)
}

/// The zone in a file.
fn file(path: &Path) -> Option<TimeZone> {
    TimeZone::tzif(&path.to_string_lossy(), &fs::read(path).ok()?).ok()
}

/// A zone written out in POSIX's form.
fn rule(text: &str) -> Option<TimeZone> {
    let text = text.trim_end_matches(',');
    let whole = TimeZone::posix(text).ok();
    whole.or_else(|| TimeZone::posix(&format!("{text}{USUAL_RULE}")).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::date::Date;

    /// The hours of a moment in winter and one in summer, both 12:00 of universal time.
    fn hours(tz: &str, zones: &str) -> [u8; 2] {
        let zone = named(Some(OsStr::new(tz)), Path::new(zones));
        [1_768_478_400, 1_784_116_800].map(|moment| Date::of(&zone, moment).unwrap().hour)
    }

    #[test]
    fn a_zone_that_is_written_out_has_its_summer_time() {
        for (tz, expected) in [
            ("EST5EDT", [7, 8]),
            ("EST5EDT,", [7, 8]),
            ("EST5EDT4", [7, 8]),
            ("EST5EDT,M3.2.0,M11.1.0", [7, 8]),
            ("CET-1CEST,M3.5.0,M10.5.0/3", [13, 14]),
            ("CET-1", [13, 13]),
            ("<+0530>-5:30", [17, 17]),
            ("IST-2IDT,M3.4.4/26,M10.5.0", [14, 15]),
        ] {
            assert_eq!(hours(tz, "/no/such"), expected, "{tz}");
        }
    }

    #[test]
    fn what_names_no_zone_is_universal_time() {
        for tz in [
            "",
            ":",
            "UTC",
            "UTC0",
            "Europe/Nowhere",
            "nonsense",
            "5",
            "\u{fc}",
        ] {
            assert_eq!(hours(tz, "/no/such"), [12, 12], "{tz:?}");
        }
    }

    #[test]
    fn a_name_is_a_file_before_it_is_a_rule() {
        let dir = env::temp_dir().join(format!("rsct-zones-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        // Version 2, no transitions, one type one hour east of Greenwich, then the rule.
        let block = |version: u8| {
            let mut block = b"TZif".to_vec();
            block.push(version);
            block.extend([0; 15]);
            for count in [0u32, 0, 0, 0, 1, 4] {
                block.extend(count.to_be_bytes());
            }
            block.extend(3600i32.to_be_bytes());
            block.extend([0, 0]);
            block.extend(b"CET\0");
            block
        };
        let text = [block(b'2'), block(b'2'), b"\nCET-1\n".to_vec()].concat();
        fs::write(dir.join("EST5EDT"), text).unwrap();
        let (zones, path) = (
            dir.display().to_string(),
            dir.join("EST5EDT").display().to_string(),
        );
        for tz in ["EST5EDT", ":EST5EDT", &path] {
            assert_eq!(hours(tz, &zones), [13, 13], "{tz}");
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
