//! Causes that packets and entries of the part claim.

use rsct_common::record::{CauseFamily, CauseRecord, what};

use crate::{
    causes::Why,
    observe::{Observation, Observer},
};

/// The causes that the last input claimed.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) claimed: Vec<CauseRecord>,
}

impl Claims {
    fn claim(&mut self, why: &Why) {
        let record = &why.record;
        // The model derives this cause from the packet: there is no record.
        let is_derived =
            record.family == CauseFamily::Invalid as u8 && record.what == what::INVALID_NO_REASON;
        if !is_derived {
            self.claimed.push(*record);
        }
    }
}

impl Observer for Claims {
    fn observe(&mut self, observation: Observation<'_>) {
        match observation {
            Observation::Packet(.., reason) => {
                if let Some(why) = reason.known() {
                    self.claim(why);
                }
            }
            Observation::Entry(_, _, Some(why)) => self.claim(why),
            Observation::Entry(..) | Observation::Cause(_) => {}
        }
    }
}
