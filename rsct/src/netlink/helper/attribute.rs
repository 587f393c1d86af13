//! Attributes of the cthelper subsystem (include/uapi/linux/netfilter/nfnetlink_cthelper.h).

pub(super) const NFCTH_NAME: u16 = 1;
pub(super) const NFCTH_TUPLE: u16 = 2;
pub(super) const NFCTH_QUEUE_NUM: u16 = 3;
pub(super) const NFCTH_POLICY: u16 = 4;
pub(super) const NFCTH_PRIV_DATA_LEN: u16 = 5;
pub(super) const NFCTH_STATUS: u16 = 6;

/// Inside [`NFCTH_TUPLE`].
pub(super) const NFCTH_TUPLE_L3PROTONUM: u16 = 1;
pub(super) const NFCTH_TUPLE_L4PROTONUM: u16 = 2;

/// Inside [`NFCTH_POLICY`]: the number of policies, and the first of them.
pub(super) const NFCTH_POLICY_SET_NUM: u16 = 1;
pub(super) const NFCTH_POLICY_SET: u16 = 2;

/// Inside each policy.
pub(super) const NFCTH_POLICY_NAME: u16 = 1;
pub(super) const NFCTH_POLICY_EXPECT_MAX: u16 = 2;
pub(super) const NFCTH_POLICY_EXPECT_TIMEOUT: u16 = 3;

/// An attribute's name in messages.
pub(super) fn name(kind: u16) -> &'static str {
    match kind {
        NFCTH_NAME => "NFCTH_NAME",
        NFCTH_TUPLE => "NFCTH_TUPLE",
        NFCTH_QUEUE_NUM => "NFCTH_QUEUE_NUM",
        NFCTH_POLICY => "NFCTH_POLICY",
        NFCTH_PRIV_DATA_LEN => "NFCTH_PRIV_DATA_LEN",
        NFCTH_STATUS => "NFCTH_STATUS",
        _ => "an unknown attribute",
    }
}
