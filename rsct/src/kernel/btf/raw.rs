//! The BTF format: kinds, members, parameters.
//!
//! Written against include/uapi/linux/btf.h. All values are in the machine's byte order: a running kernel's
//! BTF is never byte-swapped.

/// First two bytes of every BTF object.
pub(super) const MAGIC: u16 = 0xeb9f;
/// Size of `struct btf_header` as first released; newer ones only append to it.
pub(super) const HEADER_BYTES: usize = 24;
/// Size of `struct btf_type`.
pub(super) const TYPE_BYTES: usize = 12;

/// The kind of a type (`BTF_KIND_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    /// `volatile`, `const`, `restrict` and type tags: they do not change size or layout.
    Qualifier,
    Func,
    FuncProto,
    Var,
    Datasec,
    Float,
    DeclTag,
    Enum64,
}

impl Kind {
    pub(super) fn from_info(info: u32) -> Option<Self> {
        Some(match kind_number(info) {
            1 => Self::Int,
            2 => Self::Ptr,
            3 => Self::Array,
            4 => Self::Struct,
            5 => Self::Union,
            6 => Self::Enum,
            7 => Self::Fwd,
            8 => Self::Typedef,
            9 | 10 | 11 | 18 => Self::Qualifier,
            12 => Self::Func,
            13 => Self::FuncProto,
            14 => Self::Var,
            15 => Self::Datasec,
            16 => Self::Float,
            17 => Self::DeclTag,
            19 => Self::Enum64,
            _ => return None,
        })
    }

    /// Bytes that follow `struct btf_type` for a type of this kind with `vlen` parts.
    pub(super) fn extra_bytes(self, vlen: usize) -> usize {
        let (all, part) = match self {
            Self::Int | Self::Var | Self::DeclTag => (4, 0),
            Self::Array => (12, 0),
            Self::Struct | Self::Union | Self::Datasec | Self::Enum64 => (0, 12),
            Self::Enum | Self::FuncProto => (0, 8),
            Self::Ptr | Self::Fwd | Self::Typedef | Self::Qualifier | Self::Func | Self::Float => (0, 0),
        };
        all + vlen * part
    }

    /// Returns whether types of this kind are looked up by name.
    pub(super) fn is_looked_up(self) -> bool {
        matches!(
            self,
            Self::Struct | Self::Union | Self::Enum | Self::Enum64 | Self::Typedef | Self::Func
        )
    }
}

/// The kind's number. Two bits wider than today's kinds need: those bits were always zero.
pub(super) fn kind_number(info: u32) -> u32 {
    (info >> 24) & 0x7f
}

/// Number of members, parameters or values that follow. Its upper eight bits were always zero before kernels
/// used them for this.
pub(super) fn vlen(info: u32) -> usize {
    (info & 0x00ff_ffff) as usize
}

/// The common beginning of every type (`struct btf_type`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) name_offset: u32,
    info: u32,
    /// The size in bytes or the type referred to, depending on the kind.
    pub(super) size_or_type: u32,
}

impl Head {
    /// The head of the type that starts at `at` in `section`; `None` if it is truncated or of a kind unknown
    /// to this reader.
    #[inline]
    pub(super) fn at(section: &[u8], at: usize) -> Option<Self> {
        let head: &[u8; TYPE_BYTES] = section.get(at..)?.first_chunk()?;
        let info = word(head, 4);
        Some(Self {
            kind: Kind::from_info(info)?,
            name_offset: word(head, 0),
            info,
            size_or_type: word(head, 8),
        })
    }

    /// Offset of the type's end, if it is within `section`.
    #[inline]
    pub(super) fn end(self, section: &[u8], at: usize) -> Option<usize> {
        let end = at + TYPE_BYTES + self.kind.extra_bytes(vlen(self.info));
        (end <= section.len()).then_some(end)
    }
}

/// One type, with its extra bytes cut to the length that its kind requires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type<'a> {
    pub(super) kind: Kind,
    pub(super) name_offset: u32,
    info: u32,
    /// The size in bytes or the type referred to, depending on the kind.
    pub(super) size_or_type: u32,
    extra: &'a [u8],
}

/// A member of a struct or union (`struct btf_member`).
pub(super) struct Member {
    pub(super) name_offset: u32,
    pub(super) type_id: u32,
    pub(super) bit_offset: u32,
    /// Width, for a bitfield.
    pub(super) bit_width: Option<u32>,
}

/// A parameter of a function (`struct btf_param`).
pub(super) struct Param {
    pub(super) name_offset: u32,
    pub(super) type_id: u32,
}

impl<'a> Type<'a> {
    /// The type that starts at `at` in `section`; `None` if it is truncated or of a kind unknown to this
    /// reader.
    pub(super) fn at(section: &'a [u8], at: usize) -> Option<Self> {
        let head = Head::at(section, at)?;
        Some(Self {
            kind: head.kind,
            name_offset: head.name_offset,
            info: head.info,
            size_or_type: head.size_or_type,
            extra: section.get(at + TYPE_BYTES..head.end(section, at)?)?,
        })
    }

    fn kind_flag(&self) -> bool {
        self.info >> 31 == 1
    }

    /// Members of a struct or union; empty for other kinds.
    pub(super) fn members(self) -> impl Iterator<Item = Member> + 'a {
        let bitfields = self.kind_flag();
        self.parts(&[Kind::Struct, Kind::Union], 12).map(move |part| {
            let (name_offset, type_id, offset) = (word(part, 0), word(part, 4), word(part, 8));
            // With kind_flag the upper eight bits are a bitfield's width (BTF_MEMBER_BITFIELD_SIZE).
            if bitfields {
                let width = offset >> 24;
                let bit_width = (width != 0).then_some(width);
                Member {
                    name_offset,
                    type_id,
                    bit_offset: offset & 0x00ff_ffff,
                    bit_width,
                }
            } else {
                Member {
                    name_offset,
                    type_id,
                    bit_offset: offset,
                    bit_width: None,
                }
            }
        })
    }

    /// Parameters of a function prototype; empty for other kinds. A last one of type 0 is C's `...`.
    pub(super) fn params(self) -> impl Iterator<Item = Param> + 'a {
        self.parts(&[Kind::FuncProto], 8).map(|part| Param {
            name_offset: word(part, 0),
            type_id: word(part, 4),
        })
    }

    /// Names (as string offsets) and values of an enum; empty for other kinds.
    pub(super) fn values(self) -> impl Iterator<Item = (u32, i64)> + 'a {
        let (signed, wide) = (self.kind_flag(), self.kind == Kind::Enum64);
        self.parts(&[Kind::Enum, Kind::Enum64], if wide { 12 } else { 8 })
            .map(move |part| {
                let low = word(part, 4);
                let value = if wide {
                    (u64::from(word(part, 8)) << 32 | u64::from(low)).cast_signed()
                } else if signed {
                    i64::from(low.cast_signed())
                } else {
                    i64::from(low)
                };
                (word(part, 0), value)
            })
    }

    /// Element type and count of an array; `None` for other kinds.
    pub(super) fn array(self) -> Option<(u32, u32)> {
        let mut parts = self.parts(&[Kind::Array], 12);
        parts.next().map(|part| (word(part, 0), word(part, 8)))
    }

    /// Returns whether an integer is signed (`BTF_INT_SIGNED`), or an enum has negative values.
    pub(super) fn is_signed(self) -> bool {
        match self.kind {
            Kind::Int => self
                .parts(&[Kind::Int], 4)
                .next()
                .is_some_and(|part| (word(part, 0) >> 24) & 1 == 1),
            _ => self.kind_flag(),
        }
    }

    fn parts(self, kinds: &[Kind], bytes: usize) -> std::slice::ChunksExact<'a, u8> {
        let extra = if kinds.contains(&self.kind) {
            self.extra
        } else {
            &[]
        };
        extra.chunks_exact(bytes)
    }
}

/// The `u32` at `at`, which the caller has checked to be inside `bytes`.
#[inline]
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
