//! ctnetlink, the authoritative source for which entries exist.
//!
//! [`Socket`] sends requests and receives datagrams, [`message`] splits them and [`conntrack`] decodes them
//! in place. Nothing here prints.

pub(crate) mod attr;
pub(crate) mod batch;
pub(crate) mod change;
pub(crate) mod conntrack;
pub(crate) mod dump;
pub(crate) mod emit;
mod error;
pub(crate) mod event;
mod exchange;
pub(crate) mod expect;
pub(crate) mod helper;
pub(crate) mod lookup;
pub(crate) mod message;
pub(crate) mod nft_timeout;
mod request;
mod socket;
pub(crate) mod stats;
pub(crate) mod timeout;
pub(crate) mod walk;

pub(crate) use error::Error;
pub(crate) use socket::{Socket, open_in};
