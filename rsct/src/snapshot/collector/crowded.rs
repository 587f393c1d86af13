//! A collector with as many figures as it can have, for the bounds of screens and pages.

use rsct_common::TupleWords;

use super::Collector;
use crate::{
    causes::{
        Cause,
        tally::{FlowName, TaskName},
    },
    observe::{Selection, Setup},
    snapshot::{Class, Figures, Source},
};

impl Collector {
    /// Of a crowd: many namespaces, every cause, more flows, sources and tasks than are counted each.
    pub(crate) fn crowded(setup: &Setup, namespaces: u32) -> Self {
        let mut collector = Self::new(setup, Selection::default());
        let now = &mut collector.figures.now;
        let figures = Figures {
            packets: 1,
            bytes: 1 << 40,
            created: 1,
            cost_ns: 1,
        };
        for netns in 0..namespaces {
            for state in 0..32 {
                let class = Class {
                    netns,
                    zone: u16::MAX,
                    protonum: state,
                    state,
                };
                now.population.add(class, i64::from(state));
            }
            now.culprits.namespaces.add(netns, &figures);
        }
        let flow = |number: u32| FlowName {
            netns: number % namespaces,
            zone: u16::MAX,
            tuple: TupleWords::from([u64::from(number) << 32 | u64::MAX >> 32; 5]),
        };
        for number in 0..20_000_u32 {
            now.culprits.flows.add(flow(number), &figures);
            let netns = number % namespaces;
            let addr = std::net::Ipv6Addr::from(u128::MAX - u128::from(number)).into();
            now.culprits.sources.add(Source { netns, addr }, &figures);
            let pid = number;
            let comm = *b"<b>\x1b[31m\n\"'&`|\\_";
            now.culprits.tasks.add(TaskName { pid, comm }, &figures);
            now.durations.add_value(u64::from(number).pow(2));
        }
        now.totals.packets = 1 << 50;
        for cause in Cause::all() {
            let of = collector.figures.causes.of_mut(cause);
            of.count = 1 << 50;
            (0..1000).for_each(|number| of.flows.add(flow(number)));
        }
        collector.figures.limits = (0..namespaces).map(|netns| (netns, u32::MAX)).collect();
        collector
    }

    /// Changes every figure, as far as that is possible.
    pub(crate) fn vary(&mut self, number: u64) {
        let now = &mut self.figures.now;
        for shift in 0..40 {
            for part in 0..16 {
                (0..=(number / 7 + shift * part) % 5)
                    .for_each(|_| now.durations.add_value((16 + part) << shift));
            }
        }
        for (place, of) in (0..).zip(&mut self.figures.causes.causes) {
            of.count = of.count.saturating_add(number * place % 97);
        }
        let state = (number / 60 % 32) as u8;
        let class = Class {
            netns: 0,
            zone: 0,
            protonum: state,
            state,
        };
        now.population.add(class, 1_000_000);
        now.totals.packets += number % 1013;
        now.totals.inserted += number % 1019;
        now.totals.deleted += number % 1021;
        now.totals.invalid += number % 1031;
        now.totals.dropped += number % 1033;
        now.totals.insert_failed += number % 1039;
    }
}
