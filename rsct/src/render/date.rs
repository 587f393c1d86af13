//! Local time, as C's `ctime` writes it and taken apart.

use std::{io::Write as _, mem::MaybeUninit};

use super::bytes;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment on the calendar and the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
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
    /// A moment in local time (`TZ`, /etc/localtime); `None` past what the C library can tell.
    pub fn local(epoch_s: u64) -> Option<Self> {
        Self::by(libc::localtime_r, epoch_s)
    }

    /// A moment in universal time.
    #[cfg(test)]
    pub(super) fn universal(epoch_s: u64) -> Option<Self> {
        Self::by(libc::gmtime_r, epoch_s)
    }

    /// `Seconds` is C's `time_t`, whose name the libc crate warns of on musl.
    fn by<Seconds: TryFrom<u64>>(
        function: unsafe extern "C" fn(*const Seconds, *mut libc::tm) -> *mut libc::tm,
        epoch_s: u64,
    ) -> Option<Self> {
        let epoch_s = Seconds::try_from(epoch_s).ok()?;
        let mut tm = MaybeUninit::<libc::tm>::uninit();
        // SAFETY: both functions take a number that is there and a place to fill in, which is read only where they
        // say that they did.
        let tm = unsafe {
            if function(&raw const epoch_s, tm.as_mut_ptr()).is_null() {
                return None;
            }
            tm.assume_init()
        };
        let small = |number: libc::c_int| u8::try_from(number).unwrap_or(0);
        Some(Self {
            year: i64::from(tm.tm_year) + 1900,
            month: small(tm.tm_mon) + 1,
            day: small(tm.tm_mday),
            weekday: small(tm.tm_wday) + 1,
            hour: small(tm.tm_hour),
            minute: small(tm.tm_min),
            second: small(tm.tm_sec),
        })
    }

    /// Appends it as `ctime` does: `Sun Nov  8 09:46:40 2026`.
    pub fn ctime(&self, out: &mut Vec<u8>) {
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

    /// Appends it as ISO 8601 has it, in one word: `2026-11-08T09:46:40`.
    pub fn iso(&self, out: &mut Vec<u8>) {
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

/// Appends a moment in local time as `ctime` does; its seconds since the epoch where it is past all calendars.
pub fn ctime(out: &mut Vec<u8>, epoch_s: u64) {
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
