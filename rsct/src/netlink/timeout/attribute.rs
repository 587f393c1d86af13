//! `enum ctattr_timeout` (include/uapi/linux/netfilter/nfnetlink_cttimeout.h).

pub(super) const CTA_TIMEOUT_NAME: u16 = 1;
pub(super) const CTA_TIMEOUT_L3PROTO: u16 = 2;
pub(super) const CTA_TIMEOUT_L4PROTO: u16 = 3;
pub(super) const CTA_TIMEOUT_DATA: u16 = 4;
pub(super) const CTA_TIMEOUT_USE: u16 = 5;

/// An attribute's name in messages.
pub(super) fn name(kind: u16) -> &'static str {
    match kind {
        CTA_TIMEOUT_NAME => "CTA_TIMEOUT_NAME",
        CTA_TIMEOUT_L3PROTO => "CTA_TIMEOUT_L3PROTO",
        CTA_TIMEOUT_L4PROTO => "CTA_TIMEOUT_L4PROTO",
        CTA_TIMEOUT_DATA => "CTA_TIMEOUT_DATA",
        CTA_TIMEOUT_USE => "CTA_TIMEOUT_USE",
        _ => "an unknown attribute",
    }
}
