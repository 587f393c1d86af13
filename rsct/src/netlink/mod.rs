//! ctnetlink, the authoritative source for which entries exist.
//!
//! [`Socket`] sends requests and receives datagrams, [`message`] splits them and [`conntrack`] decodes them
//! in place. Nothing here prints.

pub mod attr;
pub mod batch;
pub mod change;
pub mod conntrack;
pub mod dump;
pub mod emit;
mod error;
pub mod event;
mod exchange;
pub mod expect;
pub mod helper;
pub mod lookup;
pub mod message;
pub mod nft_timeout;
mod request;
mod socket;
pub mod stats;
pub mod timeout;
pub mod walk;

pub use error::Error;
pub use socket::Socket;
