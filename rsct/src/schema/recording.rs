//! Recordings.

use schemars::JsonSchema;
use serde::Serialize;

use super::{common::Map, tag};

/// A recording: its contents in numbers, up to its end or its first damage.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Recording {
    /// The type of the line
    pub r#type: tag::Recording,
    /// The file
    pub file: String,
    /// `whole`, `torn` (the recorder was killed) or `damaged`
    pub condition: &'static str,
    /// The damage, or the missing part. Absent if the recording is whole
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The first version of rsct that reads the file
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_version: Option<String>,
    /// The version of rsct that recorded it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rsct_version: Option<String>,
    /// The name of the machine
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The release of the machine's kernel
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_release: Option<String>,
    /// The number of concatenated recordings
    pub parts: u64,
    /// The time between the first and the last record or note
    pub duration_ns: u64,
    /// The size of the file
    pub file_bytes: u64,
    /// The number of frames
    pub frames: u64,
    /// The number of records that the recorder lost
    pub lost: u64,
    /// The number of records by kind: `packet`, `entry`, `policy`, `dump`, `cause`, `slow`; a kind that this version of rsct does not know is `kind` with its number
    pub records: Map<u64>,
    /// The size of a record in the file, on average; absent without records
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_bytes: Option<f64>,
    /// The number of notes by name
    pub notes: Map<u64>,
}
