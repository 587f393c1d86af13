//! Filters.

use std::fmt::Display;

use crate::filter::{self, Typed};

/// Conditions on an entry, which has to match all of them. The default matches every entry.
///
/// ```
/// use rsct::Filter;
///
/// let filter = Filter::builder().proto("udp").src("10.0.0.0/8").dport(53).build()?;
///
/// let error = Filter::builder().dport(99999).build().unwrap_err();
/// assert_eq!(error.to_string(), "--dport \"99999\": expected a port from 0 to 65535");
/// # Ok::<(), rsct::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(filter::Filter);

impl Filter {
    /// Begins a filter without conditions.
    pub fn builder() -> FilterBuilder {
        FilterBuilder::default()
    }

    pub(super) fn as_inner(&self) -> &filter::Filter {
        &self.0
    }
}

/// A condition is not valid. Its text names the option of `rsct list` that the condition is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct FilterError(#[from] filter::FilterError);

macro_rules! conditions {
    ($($(#[$doc:meta])* $condition:ident)*) => {
        /// Builds a [`Filter`]. The conditions are the filter options of rsct's command line, with their values.
        #[derive(Clone, Debug, Default)]
        pub struct FilterBuilder {
            $($condition: Option<String>,)*
        }

        impl FilterBuilder {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $condition(mut self, value: impl Display) -> Self {
                    self.$condition = Some(value.to_string());
                    self
                }
            )*

            /// The filter; fails if a value is not valid, or no entry can match all conditions.
            pub fn build(&self) -> Result<Filter, FilterError> {
                let typed = Typed {
                    $($condition: self.$condition.as_deref(),)*
                };
                Ok(Filter(typed.filter()?))
            }
        }
    };
}

conditions! {
    /// Address family: `ipv4` or `ipv6`.
    family
    /// Protocol name or number.
    proto
    /// Source address of the original direction, with an optional prefix length.
    src
    /// Destination address of the original direction, with an optional prefix length.
    dst
    /// Source address of the reply direction, with an optional prefix length.
    reply_src
    /// Destination address of the reply direction, with an optional prefix length.
    reply_dst
    /// Any of the four addresses, with an optional prefix length.
    host
    /// Source port of the original direction.
    sport
    /// Destination port of the original direction.
    dport
    /// Any of the four ports.
    port
    /// Source port of the reply direction.
    reply_port_src
    /// Destination port of the reply direction.
    reply_port_dst
    /// Zone, of both directions or of one; 0 for no zone.
    zone
    /// Zone of the original direction only.
    orig_zone
    /// Zone of the reply direction only.
    reply_zone
    /// Mark with an optional mask, such as `0x10/0xff`.
    mark
    /// Security mark with an optional mask. Only for [`Conntrack`](crate::Conntrack).
    secmark
    /// States of TCP, SCTP or DCCP, such as `ESTABLISHED,TIME_WAIT`, or all with `!` to exclude them.
    state
    /// Status bits, with `!` for clear ones, such as `ASSURED,!SRC_NAT`.
    status
    /// Labels, by name or number. Only for [`Conntrack`](crate::Conntrack).
    label
    /// Name of the helper. Only for [`Conntrack`](crate::Conntrack).
    helper
    /// Id of the entry. Only for [`Conntrack`](crate::Conntrack).
    id
    /// Source NAT to this address, `:port` or both; to any with an empty value.
    src_nat
    /// Destination NAT to this address, `:port` or both; to any with an empty value.
    dst_nat
    /// Source or destination NAT to this address, `:port` or both; to any with an empty value.
    any_nat
    /// Type of an ICMP or ICMPv6 query.
    icmp_type
    /// Code of an ICMP or ICMPv6 query.
    icmp_code
    /// Id of an ICMP or ICMPv6 query.
    icmp_id
}
