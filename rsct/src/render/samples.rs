//! Messages captured from Linux 6.18, and the output of conntrack 1.4.7 for them in each format within the same
//! second, with `TZ=UTC`, `net.netfilter.nf_conntrack_acct=1`, `nf_conntrack_timestamp=1` and a connlabel.conf of
//! [`LABELS_FILE`].

use super::event_line::Event;

/// The content of /etc/xtables/connlabel.conf.
pub(super) const LABELS_FILE: &[u8] = b"3 from-the-office\n64 night shift\n";

/// The second of all dumped entries.
pub(super) const NOW_S: u64 = 1795643827;

/// An entry of a dump.
pub(super) struct Dumped {
    hex: &'static str,
    /// `conntrack -L -o id`
    pub(super) id: &'static str,
    /// `conntrack -L -o extended,id,ktimestamp,labels`
    pub(super) full: &'static str,
    /// `conntrack -L -o xml,ktimestamp,labels`
    pub(super) xml: &'static str,
    /// `conntrack -L -o save`
    pub(super) save: &'static str,
}

impl Dumped {
    /// The message's payload.
    pub(super) fn payload(&self) -> Vec<u8> {
        bytes(self.hex)
    }
}

/// An event.
pub(super) struct Told {
    hex: &'static str,
    /// The kind.
    pub(super) event: Event,
    /// The netlink port that caused it.
    pub(super) portid: Option<u32>,
    /// The second in which conntrack received it.
    pub(super) now_s: u64,
    /// `conntrack -E -o id,timestamp,ktimestamp,labels`, without the time.
    pub(super) text: &'static str,
    /// `conntrack -E -o xml,timestamp,ktimestamp,labels`
    pub(super) xml: &'static str,
    /// `conntrack -E -o save`
    pub(super) save: &'static str,
}

impl Told {
    /// The message's payload.
    pub(super) fn payload(&self) -> Vec<u8> {
        bytes(self.hex)
    }
}

/// All payloads.
pub(crate) fn payloads() -> impl Iterator<Item = Vec<u8>> {
    let dumped = DUMPED.iter().map(Dumped::payload);
    dumped.chain(TOLD.iter().map(Told::payload))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
        .collect()
}

/// The dumped entries.
pub(super) const DUMPED: [Dumped; 6] = [
    // `echo x > /dev/udp/127.0.0.1/9` under `iptables -A OUTPUT -p udp --dport 9 -m connlabel --label N --set` for
    // 3, 64 and 77
    Dumped {
        hex: "020000003400018014000180080001007f000001080002007f0000011c000280050001001100000006000200b3da\
        000006000300000900003400028014000180080001007f000001080002007f0000011c0002800500010011000000\
        060002000009000006000300b3da00000800030000000188080008000000000008000c00a2ddf14f08000b000000\
        0001080007000000001c1c0009800c00010000000000000000010c000200000000000000001e1c000a800c000100\
        00000000000000000c0002000000000000000000100014800c00010018eb688bcf39361c14001600080000000000\
        00000120000000000000",
        id: r#"udp      17 28 src=127.0.0.1 dst=127.0.0.1 sport=46042 dport=9 packets=1 bytes=30 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9 dport=46042 packets=0 bytes=0 mark=0 delta-time=1 use=1 id=2732454223"#,
        full: r#"ipv4     2 udp      17 28 src=127.0.0.1 dst=127.0.0.1 sport=46042 dport=9 packets=1 bytes=30 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9 dport=46042 packets=0 bytes=0 mark=0 delta-time=1 [start=Wed Nov 25 21:57:06 2026] use=1 id=2732454223 labels=from-the-office,night shift"#,
        xml: r#"<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>46042</sport><dport>9</dport></layer4><counters><packets>1</packets><bytes>30</bytes></counters></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>9</sport><dport>46042</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="independent"><timeout>28</timeout><mark>0</mark><labels><label>from-the-office</label><label>night shift</label></labels><use>1</use><id>2732454223</id><unreplied/><timestamp><start>1795643826123650588</start></timestamp><deltatime>1</deltatime></meta></flow>"#,
        save: r#"-A -t 28 -u UNSET -s 127.0.0.1 -d 127.0.0.1 -r 127.0.0.1 -q 127.0.0.1 -p udp --sport 46042 --dport 9 --reply-port-src 9 --reply-port-dst 46042"#,
    },
    // `echo x > /dev/udp/127.0.0.1/10` under `iptables -A OUTPUT -p udp --dport 10 -m connlabel --label 77 --set`
    Dumped {
        hex: "020000003400018014000180080001007f000001080002007f0000011c000280050001001100000006000200cd1d\
        000006000300000a00003400028014000180080001007f000001080002007f0000011c0002800500010011000000\
        06000200000a000006000300cd1d00000800030000000188080008000000000008000c00b158faad08000b000000\
        0001080007000000001c1c0009800c00010000000000000000010c000200000000000000001e1c000a800c000100\
        00000000000000000c0002000000000000000000100014800c00010018eb688bcf6fbb5014001600000000000000\
        00000020000000000000",
        id: r#"udp      17 28 src=127.0.0.1 dst=127.0.0.1 sport=52509 dport=10 packets=1 bytes=30 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=10 dport=52509 packets=0 bytes=0 mark=0 delta-time=1 use=1 id=2975398573"#,
        full: r#"ipv4     2 udp      17 28 src=127.0.0.1 dst=127.0.0.1 sport=52509 dport=10 packets=1 bytes=30 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=10 dport=52509 packets=0 bytes=0 mark=0 delta-time=1 [start=Wed Nov 25 21:57:06 2026] use=1 id=2975398573 labels"#,
        xml: r#"<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>52509</sport><dport>10</dport></layer4><counters><packets>1</packets><bytes>30</bytes></counters></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>10</sport><dport>52509</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="independent"><timeout>28</timeout><mark>0</mark><labels></labels><use>1</use><id>2975398573</id><unreplied/><timestamp><start>1795643826127223632</start></timestamp><deltatime>1</deltatime></meta></flow>"#,
        save: r#"-A -t 28 -u UNSET -s 127.0.0.1 -d 127.0.0.1 -r 127.0.0.1 -q 127.0.0.1 -p udp --sport 52509 --dport 10 --reply-port-src 10 --reply-port-dst 52509"#,
    },
    // a connection to 127.0.0.1:80 under
    // `iptables -t nat -A OUTPUT -p tcp --dport 80 -j DNAT --to 127.0.0.1:8080` and
    // `iptables -t nat -A POSTROUTING -p tcp --dport 8080 -j SNAT --to 127.0.0.2:4000`
    Dumped {
        hex: "020000003400018014000180080001007f000001080002007f0000011c000280050001000600000006000200b4c2\
        000006000300005000003400028014000180080001007f000001080002007f0000021c0002800500010006000000\
        060002001f900000060003000fa0000008000300000001be080008000000000008000c00de42d89b08000b000000\
        0001080007000006977e300004802c0001800500010003000000050002000a000000050003000a00000006000400\
        2300000006000500230000001c0009800c00010000000000000000040c00020000000000000000dd1c000a800c00\
        010000000000000000030c00020000000000000000ac100014800c00010018eb688bda256b3d",
        id: r#"tcp      6 431998 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=46274 dport=80 packets=4 bytes=221 src=127.0.0.1 dst=127.0.0.2 sport=8080 dport=4000 packets=3 bytes=172 [ASSURED] mark=0 delta-time=1 use=1 id=3728922779"#,
        full: r#"ipv4     2 tcp      6 431998 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=46274 dport=80 packets=4 bytes=221 src=127.0.0.1 dst=127.0.0.2 sport=8080 dport=4000 packets=3 bytes=172 [ASSURED] mark=0 delta-time=1 [start=Wed Nov 25 21:57:06 2026] use=1 id=3728922779"#,
        xml: r#"<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.1</dst></layer3><layer4 protonum="6" protoname="tcp"><sport>46274</sport><dport>80</dport></layer4><counters><packets>4</packets><bytes>221</bytes></counters></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.2</dst></layer3><layer4 protonum="6" protoname="tcp"><sport>8080</sport><dport>4000</dport></layer4><counters><packets>3</packets><bytes>172</bytes></counters></meta><meta direction="independent"><state>ESTABLISHED</state><timeout>431998</timeout><mark>0</mark><use>1</use><id>3728922779</id><assured/><timestamp><start>1795643826306902845</start></timestamp><deltatime>1</deltatime></meta></flow>"#,
        save: r#"-A -t 431998 -u SEEN_REPLY,ASSURED -s 127.0.0.1 -d 127.0.0.1 -r 127.0.0.1 -n 127.0.0.2 -p tcp --sport 46274 --dport 80 --reply-port-src 8080 --reply-port-dst 4000 --state ESTABLISHED"#,
    },
    // `conntrack -I -p udp -s 2001:db8::9 -d 2001:db8::1 --sport 3053 --dport 53 -t 300 -g [2001:db8::77]:4000
    // -m 0x2a`
    Dumped {
        hex: "0a0000004c0001802c0001801400030020010db80000000000000000000000091400040020010db8000000000000\
        0000000000011c0002800500010011000000060002000bed000006000300003500004c0002802c00018014000300\
        20010db80000000000000000000000771400040020010db80000000000000000000000091c000280050001001100\
        0000060002000fa00000060003000bed000008000300000001a8080008000000002a08000c00d94968ad08000b00\
        00000001080007000000012a1c0009800c00010000000000000000000c00020000000000000000001c000a800c00\
        010000000000000000000c0002000000000000000000100014800c00010018eb688bcfa091051c00188008000100\
        0000000008000200000000000800030000000000",
        id: r#"udp      17 298 src=2001:db8::9 dst=2001:db8::1 sport=3053 dport=53 packets=0 bytes=0 [UNREPLIED] src=2001:db8::77 dst=2001:db8::9 sport=4000 dport=3053 packets=0 bytes=0 mark=42 delta-time=1 use=1 id=3645466797"#,
        full: r#"ipv6     10 udp      17 298 src=2001:db8::9 dst=2001:db8::1 sport=3053 dport=53 packets=0 bytes=0 [UNREPLIED] src=2001:db8::77 dst=2001:db8::9 sport=4000 dport=3053 packets=0 bytes=0 mark=42 delta-time=1 [start=Wed Nov 25 21:57:06 2026] use=1 id=3645466797"#,
        xml: r#"<flow><meta direction="original"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::9</src><dst>2001:db8::1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>3053</sport><dport>53</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="reply"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::77</src><dst>2001:db8::9</dst></layer3><layer4 protonum="17" protoname="udp"><sport>4000</sport><dport>3053</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="independent"><timeout>298</timeout><mark>42</mark><use>1</use><id>3645466797</id><unreplied/><timestamp><start>1795643826130424069</start></timestamp><deltatime>1</deltatime></meta></flow>"#,
        save: r#"-A -t 298 -u UNSET -s 2001:db8::9 -d 2001:db8::1 -g 2001:db8::77 -q 2001:db8::9 -p udp --sport 3053 --dport 53 --reply-port-src 4000 --reply-port-dst 3053"#,
    },
    // `conntrack -I -p sctp -s 192.0.2.1 -d 192.0.2.2 --sport 5000 --dport 3868 --state SHUTDOWN_SENT -t 210
    // --orig-vtag 17 --reply-vtag 34 -u SEEN_REPLY,ASSURED`
    Dumped {
        hex: "02000000340001801400018008000100c000020108000200c00002021c0002800500010084000000060002001388\
        0000060003000f1c0000340002801400018008000100c000020208000200c00002011c0002800500010084000000\
        060002000f1c00000600030013880000080003000000000e080008000000000008000c00b6e96da408000b000000\
        000108000700000000d0200004801c0003800500010005000000080002001100000008000300220000001c000980\
        0c00010000000000000000000c00020000000000000000001c000a800c00010000000000000000000c0002000000\
        000000000000100014800c00010018eb688bcfcd857f1c0018800800010000000000080002000000000008000300\
        00000000",
        id: r#"sctp     132 208 SHUTDOWN_SENT src=192.0.2.1 dst=192.0.2.2 sport=5000 dport=3868 packets=0 bytes=0 src=192.0.2.2 dst=192.0.2.1 sport=3868 dport=5000 packets=0 bytes=0 [ASSURED] mark=0 delta-time=1 use=1 id=3068751268"#,
        full: r#"ipv4     2 sctp     132 208 SHUTDOWN_SENT src=192.0.2.1 dst=192.0.2.2 sport=5000 dport=3868 packets=0 bytes=0 src=192.0.2.2 dst=192.0.2.1 sport=3868 dport=5000 packets=0 bytes=0 [ASSURED] mark=0 delta-time=1 [start=Wed Nov 25 21:57:06 2026] use=1 id=3068751268"#,
        xml: r#"<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>192.0.2.1</src><dst>192.0.2.2</dst></layer3><layer4 protonum="132" protoname="sctp"><sport>5000</sport><dport>3868</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>192.0.2.2</src><dst>192.0.2.1</dst></layer3><layer4 protonum="132" protoname="sctp"><sport>3868</sport><dport>5000</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="independent"><state>CLOSE_WAIT</state><timeout>208</timeout><mark>0</mark><use>1</use><id>3068751268</id><assured/><timestamp><start>1795643826133370239</start></timestamp><deltatime>1</deltatime></meta></flow>"#,
        save: r#"-A -t 208 -u SEEN_REPLY,ASSURED -s 192.0.2.1 -d 192.0.2.2 -r 192.0.2.2 -q 192.0.2.1 -p sctp --sport 5000 --dport 3868 --reply-port-src 3868 --reply-port-dst 5000 --state SHUTDOWN_SENT --orig-vtag 17 --reply-vtag 34"#,
    },
    // `conntrack -I -p icmp -s 192.0.2.1 -d 192.0.2.2 --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 30 -w 5`
    Dumped {
        hex: "020000003c0001801400018008000100c000020108000200c000020224000280050001000100000006000400004d\
        0000050005000800000005000600000000003c0002801400018008000100c000020208000200c000020124000280\
        050001000100000006000400004d0000050005000000000005000600000000000600120000050000080003000000\
        0008080008000000000008000c0069685c8508000b0000000001080007000000001c1c0009800c00010000000000\
        000000000c00020000000000000000001c000a800c00010000000000000000000c00020000000000000000001000\
        14800c00010018eb688bd031b1731c001880080001000000000008000200000000000800030000000000",
        id: r#"icmp     1 28 src=192.0.2.1 dst=192.0.2.2 type=8 code=0 id=77 packets=0 bytes=0 [UNREPLIED] src=192.0.2.2 dst=192.0.2.1 type=0 code=0 id=77 packets=0 bytes=0 mark=0 zone=5 delta-time=1 use=1 id=1768447109"#,
        full: r#"ipv4     2 icmp     1 28 src=192.0.2.1 dst=192.0.2.2 type=8 code=0 id=77 packets=0 bytes=0 [UNREPLIED] src=192.0.2.2 dst=192.0.2.1 type=0 code=0 id=77 packets=0 bytes=0 mark=0 zone=5 delta-time=1 [start=Wed Nov 25 21:57:06 2026] use=1 id=1768447109"#,
        xml: r#"<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>192.0.2.1</src><dst>192.0.2.2</dst></layer3><layer4 protonum="1" protoname="icmp"></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>192.0.2.2</src><dst>192.0.2.1</dst></layer3><layer4 protonum="1" protoname="icmp"></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="independent"><timeout>28</timeout><mark>0</mark><zone>5</zone><use>1</use><id>1768447109</id><unreplied/><timestamp><start>1795643826139935091</start></timestamp><deltatime>1</deltatime></meta></flow>"#,
        save: r#"-A -t 28 -u UNSET -w 5 -s 192.0.2.1 -d 192.0.2.2 -r 192.0.2.2 -q 192.0.2.1 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77"#,
    },
];

/// Events: of the first of these, and of the fourth after `conntrack -U … -m 7` and `conntrack -D …`.
pub(super) const TOLD: [Told; 4] = [
    Told {
        hex: "020000003400018014000180080001007f000001080002007f0000011c000280050001001100000006000200b3da\
        000006000300000900003400028014000180080001007f000001080002007f0000011c0002800500010011000000\
        060002000009000006000300b3da000008000c00a2ddf14f0800030000000188080007000000001e140016000800\
        00000000000001200000000000000c001b0018eb688bcf387138",
        event: Event::New,
        portid: None,
        now_s: 1795643826,
        text: r#"    [NEW] udp      17 30 src=127.0.0.1 dst=127.0.0.1 sport=46042 dport=9 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9 dport=46042 id=2732454223 labels=from-the-office,night shift"#,
        xml: r#"<flow type="new"><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>46042</sport><dport>9</dport></layer4></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>127.0.0.1</src><dst>127.0.0.1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>9</sport><dport>46042</dport></layer4></meta><meta direction="independent"><timeout>30</timeout><labels><label>from-the-office</label><label>night shift</label></labels><id>2732454223</id><unreplied/></meta><when><hour>21</hour><min>57</min><sec>06</sec><wday>4</wday><day>25</day><month>11</month><year>2026</year></when></flow>"#,
        save: r#"-A -t 30 -u UNSET -s 127.0.0.1 -d 127.0.0.1 -r 127.0.0.1 -q 127.0.0.1 -p udp --sport 46042 --dport 9 --reply-port-src 9 --reply-port-dst 46042"#,
    },
    Told {
        hex: "0a0000004c0001802c0001801400030020010db80000000000000000000000091400040020010db8000000000000\
        0000000000011c0002800500010011000000060002000bed000006000300003500004c0002802c00018014000300\
        20010db80000000000000000000000771400040020010db80000000000000000000000091c000280050001001100\
        0000060002000fa00000060003000bed000008000c00d94968ad08000300000001a8080007000000012c1c001880\
        080001000000000008000200000000000800030000000000080008000000002a0c001b0018eb688bcfa0941d",
        event: Event::New,
        portid: Some(9975),
        now_s: 1795643826,
        text: r#"    [NEW] udp      17 300 src=2001:db8::9 dst=2001:db8::1 sport=3053 dport=53 [UNREPLIED] src=2001:db8::77 dst=2001:db8::9 sport=4000 dport=3053 mark=42 id=3645466797 [USERSPACE] portid=9975"#,
        xml: r#"<flow type="new"><meta direction="original"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::9</src><dst>2001:db8::1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>3053</sport><dport>53</dport></layer4></meta><meta direction="reply"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::77</src><dst>2001:db8::9</dst></layer3><layer4 protonum="17" protoname="udp"><sport>4000</sport><dport>3053</dport></layer4></meta><meta direction="independent"><timeout>300</timeout><mark>42</mark><id>3645466797</id><unreplied/></meta><when><hour>21</hour><min>57</min><sec>06</sec><wday>4</wday><day>25</day><month>11</month><year>2026</year></when></flow>"#,
        save: r#"-A -t 300 -u UNSET -s 2001:db8::9 -d 2001:db8::1 -g 2001:db8::77 -q 2001:db8::9 -p udp --sport 3053 --dport 53 --reply-port-src 4000 --reply-port-dst 3053"#,
    },
    Told {
        hex: "0a0000004c0001802c0001801400030020010db80000000000000000000000091400040020010db8000000000000\
        0000000000011c0002800500010011000000060002000bed000006000300003500004c0002802c00018014000300\
        20010db80000000000000000000000771400040020010db80000000000000000000000091c000280050001001100\
        0000060002000fa00000060003000bed000008000c00d94968ad08000300000001a808000700000001291c001880\
        08000100000000000800020000000000080003000000000008000800000000070c001b0018eb688c54ea236c",
        event: Event::Update,
        portid: Some(3107370234),
        now_s: 1795643828,
        text: r#" [UPDATE] udp      17 297 src=2001:db8::9 dst=2001:db8::1 sport=3053 dport=53 [UNREPLIED] src=2001:db8::77 dst=2001:db8::9 sport=4000 dport=3053 mark=7 id=3645466797 [USERSPACE] portid=3107370234"#,
        xml: r#"<flow type="update"><meta direction="original"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::9</src><dst>2001:db8::1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>3053</sport><dport>53</dport></layer4></meta><meta direction="reply"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::77</src><dst>2001:db8::9</dst></layer3><layer4 protonum="17" protoname="udp"><sport>4000</sport><dport>3053</dport></layer4></meta><meta direction="independent"><timeout>297</timeout><mark>7</mark><id>3645466797</id><unreplied/></meta><when><hour>21</hour><min>57</min><sec>08</sec><wday>4</wday><day>25</day><month>11</month><year>2026</year></when></flow>"#,
        save: r#"-U -t 297 -u UNSET -s 2001:db8::9 -d 2001:db8::1 -g 2001:db8::77 -q 2001:db8::9 -p udp --sport 3053 --dport 53 --reply-port-src 4000 --reply-port-dst 3053"#,
    },
    Told {
        hex: "0a0000004c0001802c0001801400030020010db80000000000000000000000091400040020010db8000000000000\
        0000000000011c0002800500010011000000060002000bed000006000300003500004c0002802c00018014000300\
        20010db80000000000000000000000771400040020010db80000000000000000000000091c000280050001001100\
        0000060002000fa00000060003000bed000008000c00d94968ad08000300000003a808000700000001291c000980\
        0c00010000000000000000000c00020000000000000000001c000a800c00010000000000000000000c0002000000\
        0000000000001c0014800c00010018eb688bcfa091050c00020018eb688c5a55cf5508000800000000070c001b00\
        18eb688c5a55d09f",
        event: Event::Destroy,
        portid: Some(2481683537),
        now_s: 1795643828,
        text: r#"[DESTROY] udp      17 297 src=2001:db8::9 dst=2001:db8::1 sport=3053 dport=53 packets=0 bytes=0 [UNREPLIED] src=2001:db8::77 dst=2001:db8::9 sport=4000 dport=3053 packets=0 bytes=0 mark=7 delta-time=2 [start=Wed Nov 25 21:57:06 2026] [stop=Wed Nov 25 21:57:08 2026] id=3645466797 [USERSPACE] portid=2481683537"#,
        xml: r#"<flow type="destroy"><meta direction="original"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::9</src><dst>2001:db8::1</dst></layer3><layer4 protonum="17" protoname="udp"><sport>3053</sport><dport>53</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="reply"><layer3 protonum="10" protoname="ipv6"><src>2001:db8::77</src><dst>2001:db8::9</dst></layer3><layer4 protonum="17" protoname="udp"><sport>4000</sport><dport>3053</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="independent"><timeout>297</timeout><mark>7</mark><id>3645466797</id><unreplied/><timestamp><start>1795643826130424069</start><stop>1795643828457557845</stop></timestamp><deltatime>2</deltatime></meta><when><hour>21</hour><min>57</min><sec>08</sec><wday>4</wday><day>25</day><month>11</month><year>2026</year></when></flow>"#,
        save: r#"-D -t 297 -u UNSET -s 2001:db8::9 -d 2001:db8::1 -g 2001:db8::77 -q 2001:db8::9 -p udp --sport 3053 --dport 53 --reply-port-src 4000 --reply-port-dst 3053"#,
    },
];
