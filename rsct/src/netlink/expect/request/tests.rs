use super::*;

fn tuple(src: [u8; 4], dst: [u8; 4], protonum: u8, ports: (u16, u16)) -> Tuple {
    let mut tuple = Tuple {
        l3num: 2u16.to_ne_bytes(),
        protonum,
        src_l4: ports.0.to_be_bytes(),
        dst_l4: ports.1.to_be_bytes(),
        ..Tuple::default()
    };
    tuple.src[..4].copy_from_slice(&src);
    tuple.dst[..4].copy_from_slice(&dst);
    tuple
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|d| std::str::from_utf8(d).unwrap());
    pairs.map(|d| u8::from_str_radix(d, 16).unwrap()).collect()
}

/// As sent by `conntrack -I expect -p udp -s 127.0.0.1 -d 127.0.0.1 --sport 5555 --dport 69 --tuple-src
/// 10.0.0.1 --tuple-dst 10.0.0.2 --tuple-port-src 0 --tuple-port-dst 2000 --mask-src 255.255.255.255
/// --mask-dst 255.255.255.255 --mask-port-src 0 --mask-port-dst 65535 -t 300` (strace), except sequence
/// number and port, and without the timeout, which the kernel ignores there.
const CREATE: &str = "
    b0000000 0002 0506 05000000 00000000 02000000
    34000280 14000180 08000100 0a000001 08000200 0a000002
             1c000280 05000100 11000000 06000200 00000000 06000300 07d00000
    34000180 14000180 08000100 7f000001 08000200 7f000001
             1c000280 05000100 11000000 06000200 15b30000 06000300 00450000
    34000380 14000180 08000100 ffffffff 08000200 ffffffff
             1c000280 05000100 11000000 06000200 00000000 06000300 ffff0000";

fn example() -> New<'static> {
    let (one, two, here, ones) = ([10, 0, 0, 1], [10, 0, 0, 2], [127, 0, 0, 1], [255; 4]);
    New {
        master: tuple(here, here, 17, (5555, 69)),
        tuple: tuple(one, two, 17, (0, 2000)),
        mask: tuple(ones, ones, 17, (0, 65535)),
        ..New::default()
    }
}

#[test]
fn create_equals_conntracks_request() {
    assert_eq!(new(&example(), How::Create, 5), bytes(CREATE));
}

#[test]
fn attributes_beyond_conntracks_follow() {
    let request = New {
        flags: 1,
        class: Some(2),
        helper: Some("tftp"),
        function: Some("nat-follow-master"),
        nat: Some(Nat {
            dir: 1,
            tuple: example().tuple,
        }),
        zone: 7,
        ..example()
    };
    let rest = bytes(
        "08000800 00000001 08000900 00000002
         40000a80 08000100 00000001
           34000280 14000180 08000100 0a000001 08000200 0a000002
                    1c000280 05000100 11000000 06000200 00000000 06000300 07d00000
         09000600 74667470 00000000 16000b00 6e61742d 666f6c6c 6f772d6d 61737465 72000000 06000700 00070000",
    );
    let request = new(&request, How::Create, 5);
    assert_eq!(request[4..0xb0], bytes(CREATE)[4..]);
    assert_eq!(request[0xb0..], rest);
}

/// With neither CREATE nor EXCL.
#[test]
fn timeout_change_has_no_create_flags() {
    let request = new(&example(), How::Timeout(300), 5);
    assert_eq!(request[..8], bytes("b8000000 0002 0500"));
    assert_eq!(request[8..0xb0], bytes(CREATE)[8..]);
    assert_eq!(request[0xb0..], bytes("08000400 0000012c"));
}

/// As sent by `conntrack -D expect -p udp -s 10.0.0.1 -d 10.0.0.2 --orig-port-src 0 --orig-port-dst 2000
/// --reply-port-src 1 --reply-port-dst 2` (strace), except sequence number and port.
#[test]
fn delete_equals_conntracks_request() {
    let key = Key {
        tuple: example().tuple,
        ..Key::default()
    };
    let request = "48000000 0202 0500 05000000 00000000 02000000
        34000280 14000180 08000100 0a000001 08000200 0a000002
                 1c000280 05000100 11000000 06000200 00000000 06000300 07d00000";
    assert_eq!(delete(&key, 5), bytes(request));
    let (zone, id) = (7, Some(9));
    let request = get(&Key { zone, id, ..key }, 5);
    assert_eq!(request[..8], bytes("58000000 0102 0500"));
    assert_eq!(request[0x48..], bytes("06000700 00070000 08000500 00000009"));
}

/// As sent by `conntrack -L expect`, `-F expect` and `-S expect` (strace), except sequence number and port,
/// and the family, which the second ignores.
#[test]
fn dumps_equal_conntracks_requests() {
    let listed = bytes("14000000 0102 0103 05000000 00000000 02000000");
    assert_eq!(dump(Of::Family(Family::Ipv4), 5), listed);
    assert_eq!(dump(Of::All, 5)[16..], [0; 4]);
    let flushed = bytes("14000000 0202 0500 05000000 00000000 00000000");
    assert_eq!(delete_all(None, 5), flushed);
    let counted = bytes("14000000 0302 0103 05000000 00000000 00000000");
    assert_eq!(stats_cpu(5), counted);
}

#[test]
fn a_helper_selects_expectations() {
    let request = delete_all(Some("ftp"), 5);
    assert_eq!(request[16..], bytes("00000000 08000600 66747000"));
}
