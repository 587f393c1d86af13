//! Parts that rsct's own tests and fuzz targets use. They are no part of the library, and change without notice.

pub mod conntrack {
    //! The command line of `conntrack`.
    pub use crate::conntrack::is_valid_line;
}

pub mod family {
    //! Address families.
    pub use crate::family::Family;
}

pub mod filter {
    //! Filter options.
    pub use crate::filter::Typed;
}

pub mod kernel {
    //! Access to the running kernel.
    pub mod btf {
        //! Types of the kernel.
        pub use crate::kernel::btf::{Field, Func, KernelTypes};
    }
    pub mod netns {
        //! Network namespaces.
        pub use crate::kernel::netns::fresh;
    }
    pub mod symbols {
        //! Symbols of the kernel.
        pub use crate::kernel::symbols::{Fate, fates};
    }
    pub mod sysctl {
        //! Settings.
        pub use crate::kernel::sysctl::Where;
    }
}

pub mod labels {
    //! Names of labels.
    pub use crate::labels::{LabelMap, MAX_BIT};
}

pub mod load {
    //! Files of `rsct load`.
    pub use crate::load::parse;
}

pub mod netlink {
    //! Messages of ctnetlink.
    pub mod conntrack {
        //! Entries.
        pub use crate::netlink::conntrack::{Change, DumpFilter, Entry, MaskedU32, TupleFilter, TupleParts};
    }
    pub mod emit {
        //! Writing attributes.
        pub use crate::netlink::emit::Emitter;
    }
    pub mod event {
        //! Events.
        pub use crate::netlink::event::read;
    }
    pub mod expect {
        //! Expectations.
        pub use crate::netlink::expect::{Event, EventKind, Expectation};
    }
    pub mod helper {
        //! Helpers in user space.
        pub use crate::netlink::helper::Helper;
    }
    pub mod message {
        //! Datagrams.
        pub use crate::netlink::message::{Body, Messages};
    }
    pub mod stats {
        //! Counters.
        pub use crate::netlink::stats::{Cpu, Table, since, total};
    }
    pub mod timeout {
        //! Timeout policies.
        pub use crate::netlink::timeout::Policy;
    }
}

pub mod recording {
    //! The file format of recordings.
    pub use crate::recording::{
        Body, Head, Key, Kinds, LAYOUT, MAX_FRAME_BYTES, MAX_RECORD_BYTES, Needs, Note, Options, ReadError,
        Reader, Records, Rsct, Status, Summary, VERSION, WriteError, Writer, frame, sealed,
    };
}

pub mod render {
    //! Output formats.
    pub mod entry {
        //! Entries.
        pub use crate::render::entry::{About, Format, View};
    }
    pub mod event_line {
        //! Events.
        pub use crate::render::event_line::{Event, Requester};
    }
    pub mod expect {
        //! Expectations.
        pub use crate::render::expect::{About, Format, Happened};
    }
    pub mod nfct {
        //! Lines of nfct.
        pub use crate::render::nfct::{helper, policy, states};
    }
    pub mod stats {
        //! Counters.
        pub use crate::render::stats::{count_json, json, text};
    }
}

pub mod rules {
    //! Rules of iptables and nftables.
    pub use crate::rules::{Tool, parse};
}

pub mod schema {
    //! The schema of the JSON output.
    pub use crate::schema::{Command, Validator};
}
