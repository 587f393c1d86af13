//! Messages of commands that watch, and of listings that a probe accompanies.

use std::time::Duration;

use super::UsageError;
use crate::{
    filter::Filter,
    plural,
    provenance::{Listing, ListingError},
    source::live::StartError,
};

/// The reason why the program that reads the source of timeouts could not start.
pub(super) fn listing_error(error: ListingError) -> anyhow::Error {
    match error {
        ListingError::Session(error) => StartError::of(error).into(),
        error => error.into(),
    }
}

/// Reports records that a listing lost.
pub(super) fn report_lost_records(listing: &Listing) {
    let lost = listing.lost();
    if lost != 0 {
        message!(
            "{} lost: the source of up to {} may be wrong",
            plural::count(lost, "record was", "records were"),
            plural::count(lost, "timeout", "timeouts")
        );
    }
}

/// Reports that a watch begins, which ends after `duration`.
pub(super) fn report_watching(duration: Duration) {
    message!("watching for {} s (Ctrl-C to stop) …", duration.as_secs_f64());
}

/// Refuses conditions on fields that records do not have. `what_can` says what accepts the option.
pub(super) fn records_have(filter: &Filter, what_can: &str) -> Result<(), UsageError> {
    match filter.details.unknown_to_records() {
        Some(option) => Err(UsageError(format!("--{option}: {what_can}"))),
        None => Ok(()),
    }
}
