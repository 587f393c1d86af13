//! Finds the entries with a tuple in every zone. (The kernel's own lookup needs the zone.)

use std::{ops::ControlFlow, time::Duration};

use rsct_common::Tuple;

use crate::{
    cli::{list_at::named, namespaces::Namespaces, reading, shared_args::TextOrJson},
    family::Family,
    filter::{Filter, Prefix},
    flow::{Flow, TupleKey, tuples::headers},
    kernel::{
        clock,
        interfaces::Names,
        netns::{Netns, NetnsName},
    },
    netlink::{conntrack::Entry, dump},
    observe::Model,
    provenance::Listing,
    render::{
        entry::{self, About, Format, View},
        why_flow,
    },
    source::recorded::table,
    timeouts::TimeoutSource,
};

/// A found entry.
pub(super) struct Found {
    /// Namespace, zone and original direction.
    pub(super) key: TupleKey,
    /// Its reply direction.
    pub(super) reply: Tuple,
    /// Its status bits.
    pub(super) status: u32,
    /// Remaining seconds.
    pub(super) left_s: Option<u32>,
    /// Monotonic time at which it was read.
    pub(super) read_ns: u64,
    /// Its text, with the source of its timeout.
    pub(super) shown: Vec<u8>,
}

impl Found {
    /// Returns whether it has expired, if no packet has arrived since it was read.
    pub(super) fn ran_out(&self, now_ns: u64) -> bool {
        let seconds = |left_s| u64::from(left_s) * 1_000_000_000;
        self.left_s
            .is_some_and(|left_s| self.read_ns + seconds(left_s) <= now_ns)
    }
}

/// Finds entries with the direction `tuple` in each of these namespaces.
pub(super) async fn entries(
    namespaces: &Namespaces,
    tuple: &Tuple,
    mut listing: Option<&mut Listing>,
    format: TextOrJson,
) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    let [by_orig, by_reply] = filters(tuple);
    namespaces
        .visit(async |netns, socket| {
            for filter in [&by_orig, &by_reply] {
                let mut sink = Sink {
                    wanted: headers(*tuple),
                    filter,
                    netns,
                    listing: listing.as_deref_mut(),
                    format,
                    now: entry::now(),
                    begun_at: found.len(),
                    found: &mut found,
                };
                reading::entries(socket, dump::Table::Conntrack, &filter.plan(), &mut sink).await?;
            }
            Ok(())
        })
        .await?;
    // Both directions of a flow to itself are the same.
    let mut keys = Vec::new();
    found.retain(|found: &Found| {
        let is_new = !keys.contains(&found.key);
        keys.push(found.key);
        is_new
    });
    Ok(found)
}

/// Finds entries with the direction `tuple` in the table of a recording; in one namespace, or in all.
pub(super) fn recorded(
    model: &Model,
    names: &Names,
    tuple: &Tuple,
    netns: Option<u32>,
    format: TextOrJson,
) -> Vec<Found> {
    let wanted = headers(*tuple);
    let is_it = |flow: &&&Flow| {
        let is_reply = |reply: Tuple| headers(reply) == wanted;
        netns.is_none_or(|netns| netns == flow.netns)
            && (headers(flow.orig_tuple()) == wanted || flow.reply_tuple().is_some_and(is_reply))
    };
    let flows = table::entries(model);
    let found = flows.iter().filter(is_it).map(|flow| {
        let entry = table::entry(flow, model.now_ns());
        let netns = named(names, flow.netns);
        let mut shown = Vec::new();
        show(&mut shown, &entry, &netns, None, entry::now(), format);
        Found {
            key: flow.tuple_key(),
            reply: entry.reply,
            status: flow.status,
            left_s: entry.timeout,
            read_ns: model.now_ns(),
            shown,
        }
    });
    found.collect()
}

/// Appends the text of an entry, with the source of its timeout if it is known.
fn show(
    out: &mut Vec<u8>,
    entry: &Entry<'_>,
    netns: &NetnsName,
    source: Option<&TimeoutSource<'_>>,
    now: Duration,
    format: TextOrJson,
) {
    match format {
        TextOrJson::Text => why_flow::entry(out, entry, netns, source),
        TextOrJson::Json => {
            let view = View {
                format: Format::Json,
                ..View::default()
            };
            let about = About {
                now,
                netns: Some(netns),
                timeout_source: source,
                ..About::default()
            };
            view.entry(out, entry, &about);
        }
    }
}

/// The filters that find entries by their original and by their reply direction.
fn filters(tuple: &Tuple) -> [Filter; 2] {
    let bits = if tuple.src_addr().is_ipv4() { 32 } else { 128 };
    let whole = |addr| Some(Prefix { addr, bits });
    let (src, dst) = (whole(tuple.src_addr()), whole(tuple.dst_addr()));
    let base = Filter {
        family: Family::from_number(tuple.family()),
        proto: Some(tuple.protonum),
        ..Filter::default()
    };
    [
        Filter { src, dst, ..base },
        Filter {
            reply_src: src,
            reply_dst: dst,
            ..base
        },
    ]
}

struct Sink<'a> {
    wanted: Tuple,
    filter: &'a Filter,
    netns: &'a Netns,
    listing: Option<&'a mut Listing>,
    format: TextOrJson,
    now: Duration,
    begun_at: usize,
    found: &'a mut Vec<Found>,
}

impl dump::Sink for Sink<'_> {
    fn begin(&mut self) {
        self.begun_at = self.found.len();
    }

    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        let is_it = headers(entry.orig) == self.wanted || headers(entry.reply) == self.wanted;
        if !is_it || !self.filter.meets(entry) {
            return ControlFlow::Continue(());
        }
        let inode = self.netns.inode as u32;
        let source = match &mut self.listing {
            Some(listing) => listing.source_of(inode, entry),
            None => None,
        };
        let mut shown = Vec::new();
        show(
            &mut shown,
            entry,
            self.netns,
            source.as_ref(),
            self.now,
            self.format,
        );
        self.found.push(Found {
            key: TupleKey {
                netns: inode,
                zone: entry.zone_number(),
                orig: entry.orig.to_words(),
            },
            reply: entry.reply,
            status: entry.status.unwrap_or(0),
            left_s: entry.timeout,
            read_ns: clock::monotonic_ns(),
            shown,
        });
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.found.truncate(self.begun_at);
        true
    }
}
