use proptest::prelude::*;

use super::*;

/// Answer to `conntrack -C` in a namespace with one entry, Linux 6.18.
const TABLE: &[u8] = &[0, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 0, 4, 0, 0];

/// One of the answers to `conntrack -S` there, with its values changed to differ.
fn cpu() -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 1];
    for kind in [2, 4, 8, 9, 10, 11, 12, 13, 14, 15] {
        bytes.extend([8, 0, kind, 0, 0, 0, 1, kind]);
    }
    bytes
}

#[test]
fn the_table_is_counted() {
    assert_eq!(
        Table::parse(TABLE),
        Ok(Table {
            entries: 1,
            max_entries: Some(0x40000)
        })
    );
    assert_eq!(
        Table::parse(&TABLE[..12]),
        Ok(Table {
            entries: 1,
            max_entries: None
        })
    );
}

#[test]
fn a_cpu_has_its_number_and_its_counters_in_order() {
    let parsed = Cpu::parse(&cpu()).unwrap();
    assert_eq!(parsed.cpu, 1);
    assert_eq!(parsed.counters.len(), 10);
    assert_eq!(parsed.counters[0], (2, 258));
    assert_eq!(parsed.counters[9], (15, 271));
}

#[test]
fn damage_is_an_error() {
    assert_eq!(Table::parse(&[0, 0]), Err(DecodeError::Header { got: 2 }));
    let size = AttrError::Size {
        kind: 1,
        expected: 4,
        got: 2,
    };
    assert_eq!(Cpu::parse(&[0, 0, 0, 0, 6, 0, 1, 0, 0, 1]), Err(of_counter(size)));
    assert!(matches!(
        Cpu::parse(&cpu()[..18]),
        Err(DecodeError::Attributes(AttrError::Length { .. }))
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Table::parse(&bytes);
        if let Ok(cpu) = Cpu::parse(&bytes) {
            prop_assert!(cpu.counters.len() <= bytes.len() / 8);
        }
    }
}
