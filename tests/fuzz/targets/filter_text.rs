//! Conditions as they are typed, one to a line: an option's name, a space and its value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::filter::Typed;
use rsct_fuzz::message;

fuzz_target!(|text: &str| {
    let mut typed = Typed::default();
    for line in text.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(option) = option(&mut typed, name) {
            *option = Some(value);
        }
    }
    match typed.filter() {
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
        }
        Ok(filter) => {
            let plan = filter.plan();
            assert!(!plan.queries.is_empty());
            for query in &plan.queries {
                message(|out| query.emit(out));
                assert!(filter.family.is_none() || query.family == filter.family);
            }
            // The kernel or rsct checks every condition.
            assert!(filter.is_empty() || !plan.conditions.is_empty(), "{filter:?}");
        }
    }
});

fn option<'a, 'b>(typed: &'b mut Typed<'a>, name: &str) -> Option<&'b mut Option<&'a str>> {
    macro_rules! options {
        ($($option:ident)*) => {
            match name {
                $(stringify!($option) => Some(&mut typed.$option),)*
                _ => None,
            }
        };
    }
    options! {
        family proto src dst reply_src reply_dst host sport dport port reply_port_src reply_port_dst zone orig_zone
        reply_zone mark secmark state status label helper id src_nat dst_nat any_nat icmp_type icmp_code icmp_id
    }
}
