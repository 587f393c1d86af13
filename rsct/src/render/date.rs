//! Local time: calendar fields, and the text of C's `ctime`.

use std::io::Write as _;

use jiff::{Timestamp, tz::TimeZone};

use super::{bytes, zone};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment as calendar date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    /// The year.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// The day of the week, 1 to 7 from Sunday on.
    pub weekday: u8,
    /// The hour.
    pub hour: u8,
    /// The minute.
    pub minute: u8,
    /// The second.
    pub second: u8,
}

impl Date {
    /// A moment in local time (`TZ`, /etc/localtime); `None` past the year 9999.
    pub(crate) fn local(epoch_s: u64) -> Option<Self> {
        Self::of(zone::local(), epoch_s)
    }

    /// A moment in universal time.
    #[cfg(test)]
    pub(super) fn universal(epoch_s: u64) -> Option<Self> {
        Self::of(&TimeZone::UTC, epoch_s)
    }

    /// A moment in a time zone.
    pub(super) fn of(zone: &TimeZone, epoch_s: u64) -> Option<Self> {
        let moment = Timestamp::from_second(i64::try_from(epoch_s).ok()?).ok()?;
        let local = zone.to_datetime(moment);
        let small = |number: i8| u8::try_from(number).unwrap_or(0);
        Some(Self {
            year: local.year().into(),
            month: small(local.month()),
            day: small(local.day()),
            weekday: small(local.weekday().to_sunday_one_offset()),
            hour: small(local.hour()),
            minute: small(local.minute()),
            second: small(local.second()),
        })
    }

    /// Appends it as `ctime` does: `Sun Nov  8 09:46:40 2026`.
    pub(crate) fn ctime(&self, out: &mut Vec<u8>) {
        let name = |names: &[&'static str], number: u8| {
            let index = usize::from(number).wrapping_sub(1);
            names.get(index).copied().unwrap_or("???")
        };
        let (weekday, month) = (name(&WEEKDAYS, self.weekday), name(&MONTHS, self.month));
        let Self {
            year,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        // Writing to a Vec can't fail.
        let _ = write!(
            out,
            "{weekday} {month} {day:>2} {hour:02}:{minute:02}:{second:02} {year}"
        );
    }

    /// Appends it as ISO 8601: `2026-11-08T09:46:40`.
    pub(crate) fn iso(&self, out: &mut Vec<u8>) {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        let _ = write!(
            out,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        );
    }
}

/// Appends a moment in local time as `ctime` does; after the year 9999, seconds since the epoch.
pub(crate) fn ctime(out: &mut Vec<u8>, epoch_s: u64) {
    match Date::local(epoch_s) {
        Some(date) => date.ctime(out),
        None => bytes::number(out, epoch_s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_in_c() {
        let date = Date::universal(1_794_128_760).unwrap();
        let mut out = Vec::new();
        date.ctime(&mut out);
        out.push(b' ');
        date.iso(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Sun Nov  8 09:06:00 2026 2026-11-08T09:06:00"
        );
    }

    #[test]
    fn local_time_is_a_day_from_universal_time_at_most() {
        let date = Date::local(1_795_381_488).unwrap();
        assert_eq!((date.year, date.month, date.second), (2026, 11, 48));
        assert!((21..=23).contains(&date.day), "{date:?}");
    }

    #[test]
    fn any_number_is_a_moment() {
        for epoch_s in [0, u64::MAX / 1_000_000_000, i64::MAX as u64, u64::MAX] {
            let mut out = Vec::new();
            ctime(&mut out, epoch_s);
            assert!(!out.is_empty());
        }
    }
}
