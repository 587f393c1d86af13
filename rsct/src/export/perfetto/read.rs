//! A reader of traces for tests: events in the order of time, and slices closed in the reverse order of their begins, as
//! Perfetto does it.

use std::collections::HashMap;

use super::proto::decoded::{Value, fields};

type Message = Vec<(u32, Value)>;

/// A trace.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The name and the parent of each track.
    pub(crate) tracks: HashMap<u64, (String, Option<u64>)>,
    /// Slices and instants.
    pub(crate) slices: Vec<Slice>,
    /// The values of counters: track, time, value.
    pub(crate) counters: Vec<(u64, u64, u64)>,
    interned: HashMap<(u32, u64), String>,
}

/// A slice or an instant.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) begin_ns: u64,
    /// None if it has no end.
    pub(crate) end_ns: Option<u64>,
    pub(crate) category: String,
    pub(crate) name: String,
    pub(crate) annotations: HashMap<String, String>,
}

impl Read {
    /// Reads a trace. Each packet may only refer to what precedes it.
    pub(crate) fn of(trace: &[u8]) -> Self {
        let mut read = Self::default();
        let mut events = Vec::new();
        for packet in messages(&fields(trace).unwrap(), 1) {
            for track in messages(&packet, 60) {
                let (uuid, parent) = (number(&track, 1).unwrap(), number(&track, 5));
                assert!(parent.is_none_or(|parent| read.tracks.contains_key(&parent)));
                let before = read.tracks.insert(uuid, (text(&track, 2).unwrap(), parent));
                assert_eq!(before, None);
            }
            for data in messages(&packet, 12) {
                for (field, value) in data {
                    let Value::Bytes(bytes) = value else { panic!() };
                    let entry = fields(&bytes).unwrap();
                    let key = (field, number(&entry, 1).unwrap());
                    read.interned.insert(key, text(&entry, 2).unwrap());
                }
            }
            for event in messages(&packet, 11) {
                assert!(read.tracks.contains_key(&number(&event, 11).unwrap()));
                events.push((number(&packet, 8).unwrap(), read.named(&event), event));
            }
        }
        events.sort_by_key(|(time_ns, ..)| *time_ns);
        let mut open: HashMap<u64, Vec<usize>> = HashMap::new();
        for (time_ns, annotations, event) in events {
            read.event(time_ns, annotations, &event, &mut open);
        }
        read
    }

    fn event(
        &mut self,
        time_ns: u64,
        annotations: HashMap<String, String>,
        event: &Message,
        open: &mut HashMap<u64, Vec<usize>>,
    ) {
        let track = number(event, 11).unwrap();
        match number(event, 9).unwrap() {
            kind @ (1 | 3) => {
                if kind == 1 {
                    open.entry(track).or_default().push(self.slices.len());
                }
                self.slices.push(Slice {
                    begin_ns: time_ns,
                    end_ns: (kind == 3).then_some(time_ns),
                    category: self.interned[&(1, number(event, 3).unwrap())].clone(),
                    name: self.interned[&(2, number(event, 10).unwrap())].clone(),
                    annotations,
                });
            }
            2 => {
                let slice = open.get_mut(&track).and_then(Vec::pop);
                let slice = &mut self.slices[slice.expect("an end without a begin")];
                slice.end_ns = Some(time_ns);
                slice.annotations.extend(annotations);
            }
            4 => self.counters.push((track, time_ns, number(event, 30).unwrap())),
            other => panic!("event of type {other}"),
        }
    }

    fn named(&self, event: &Message) -> HashMap<String, String> {
        let annotations = messages(event, 4).into_iter().map(|annotation| {
            let name = self.interned[&(3, number(&annotation, 1).unwrap())].clone();
            let word = number(&annotation, 17).map(|word| self.interned[&(29, word)].clone());
            let value = number(&annotation, 3).map(|value| value.to_string());
            (name, value.or(word).or(text(&annotation, 6)).unwrap())
        });
        annotations.collect()
    }

    /// The slices and instants of a category.
    pub(crate) fn of_category<'a>(&'a self, category: &'a str) -> impl Iterator<Item = &'a Slice> {
        self.slices.iter().filter(move |slice| slice.category == category)
    }

    /// The values of the counters with this name, in the order of time.
    pub(crate) fn values(&self, name: &str) -> Vec<(u64, u64)> {
        let of_name = |track: u64| self.tracks[&track].0 == name;
        let counters = self.counters.iter().filter(|(track, ..)| of_name(*track));
        counters.map(|(_, time_ns, value)| (*time_ns, *value)).collect()
    }

    /// The number of tracks with this name.
    pub(crate) fn count_tracks(&self, has_name: impl Fn(&str) -> bool) -> usize {
        self.tracks.values().filter(|(name, _)| has_name(name)).count()
    }
}

fn number(message: &Message, field: u32) -> Option<u64> {
    message.iter().find_map(|(is, value)| match value {
        Value::Number(number) if *is == field => Some(*number),
        _ => None,
    })
}

fn messages(message: &Message, field: u32) -> Vec<Message> {
    let inner = message.iter().filter_map(|(is, value)| match value {
        Value::Bytes(bytes) if *is == field => Some(fields(bytes).unwrap()),
        _ => None,
    });
    inner.collect()
}

fn text(message: &Message, field: u32) -> Option<String> {
    message.iter().find_map(|(is, value)| match value {
        Value::Bytes(bytes) if *is == field => Some(String::from_utf8(bytes.clone()).unwrap()),
        _ => None,
    })
}
