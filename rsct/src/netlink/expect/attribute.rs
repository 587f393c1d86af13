//! The kernel's numbers for expectations (include/uapi/linux/netfilter/nfnetlink_conntrack.h).

macro_rules! numbers {
    ($($name:ident = $number:literal),* $(,)?) => { $(pub(super) const $name: u16 = $number;)* };
}

numbers! {
    CTA_EXPECT_MASTER = 1, CTA_EXPECT_TUPLE = 2, CTA_EXPECT_MASK = 3, CTA_EXPECT_TIMEOUT = 4, CTA_EXPECT_ID = 5,
    CTA_EXPECT_HELP_NAME = 6, CTA_EXPECT_ZONE = 7, CTA_EXPECT_FLAGS = 8, CTA_EXPECT_CLASS = 9, CTA_EXPECT_NAT = 10,
    CTA_EXPECT_FN = 11,
}

numbers! { CTA_EXPECT_NAT_DIR = 1, CTA_EXPECT_NAT_TUPLE = 2 }
