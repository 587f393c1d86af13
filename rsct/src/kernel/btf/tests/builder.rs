//! Builds small BTF objects with the layout of a kernel build's.

/// A BTF object under construction. Ids count up from `first_id` in the order of the calls.
pub(super) struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    first_string: u32,
    next_id: u32,
}

impl Builder {
    /// A base, like vmlinux: types start at 1, the first string is empty.
    pub(super) fn base() -> Self {
        Self {
            types: Vec::new(),
            strings: vec![0],
            first_string: 0,
            next_id: 1,
        }
    }

    /// A module on top of `base`: its ids and string offsets continue where the base's end.
    pub(super) fn on(base: &Self) -> Self {
        let first_string = base.first_string + u32::try_from(base.strings.len()).unwrap();
        Self {
            types: Vec::new(),
            strings: Vec::new(),
            first_string,
            next_id: base.next_id,
        }
    }

    pub(super) fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let offset = self.first_string + u32::try_from(self.strings.len()).unwrap();
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        offset
    }

    pub(super) fn raw(&mut self, name: &str, info: u32, size_or_type: u32, extra: &[u32]) -> u32 {
        let name = self.string(name);
        for word in [name, info, size_or_type].iter().chain(extra) {
            self.types.extend_from_slice(&word.to_ne_bytes());
        }
        self.next_id += 1;
        self.next_id - 1
    }

    fn kind(&mut self, kind: u32, name: &str, size_or_type: u32) -> u32 {
        self.raw(name, kind << 24, size_or_type, &[])
    }

    pub(super) fn int(&mut self, name: &str, size: u32, signed: bool) -> u32 {
        self.raw(name, 1 << 24, size, &[(u32::from(signed) << 24) | (size * 8)])
    }

    pub(super) fn ptr(&mut self, to: u32) -> u32 {
        self.kind(2, "", to)
    }

    pub(super) fn array(&mut self, of: u32, length: u32) -> u32 {
        self.raw("", 3 << 24, 0, &[of, of, length])
    }

    pub(super) fn typedef(&mut self, name: &str, of: u32) -> u32 {
        self.kind(8, name, of)
    }

    pub(super) fn constant(&mut self, of: u32) -> u32 {
        self.kind(10, "", of)
    }

    /// A struct of `(name, type, offset in bytes)`.
    pub(super) fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let members: Vec<_> = members
            .iter()
            .map(|(name, ty, offset)| (*name, *ty, offset * 8))
            .collect();
        self.members(4, 0, name, size, &members)
    }

    /// A struct of `(name, type, offset in bits, width)`, width 0 for ordinary members.
    pub(super) fn bitfields(&mut self, name: &str, size: u32, members: &[(&str, u32, u32, u32)]) -> u32 {
        let members: Vec<_> = members
            .iter()
            .map(|(name, ty, offset, width)| (*name, *ty, width << 24 | offset))
            .collect();
        self.members(4, 1, name, size, &members)
    }

    /// A union of `(name, type)`.
    pub(super) fn union(&mut self, name: &str, size: u32, members: &[(&str, u32)]) -> u32 {
        let members: Vec<_> = members.iter().map(|(name, ty)| (*name, *ty, 0)).collect();
        self.members(5, 0, name, size, &members)
    }

    fn members(&mut self, kind: u32, flag: u32, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let info = flag << 31 | kind << 24 | u32::try_from(members.len()).unwrap();
        let extra: Vec<u32> = members
            .iter()
            .flat_map(|(name, ty, offset)| [self.string(name), *ty, *offset])
            .collect();
        self.raw(name, info, size, &extra)
    }

    pub(super) fn enumeration(&mut self, name: &str, values: &[(&str, i32)]) -> u32 {
        let signed = u32::from(values.iter().any(|(_, value)| *value < 0));
        let extra: Vec<u32> = values
            .iter()
            .flat_map(|(name, value)| [self.string(name), value.cast_unsigned()])
            .collect();
        self.raw(
            name,
            signed << 31 | 6 << 24 | u32::try_from(values.len()).unwrap(),
            4,
            &extra,
        )
    }

    pub(super) fn enum64(&mut self, name: &str, values: &[(&str, u64)]) -> u32 {
        let extra: Vec<u32> = values
            .iter()
            .flat_map(|(name, value)| [self.string(name), *value as u32, (*value >> 32) as u32])
            .collect();
        self.raw(name, 19 << 24 | u32::try_from(values.len()).unwrap(), 8, &extra)
    }

    /// A function and its prototype; the id is the function's.
    pub(super) fn func(&mut self, name: &str, returns: u32, params: &[(&str, u32)]) -> u32 {
        let extra: Vec<u32> = params
            .iter()
            .flat_map(|(name, ty)| [self.string(name), *ty])
            .collect();
        let proto = self.raw(
            "",
            13 << 24 | u32::try_from(params.len()).unwrap(),
            returns,
            &extra,
        );
        self.kind(12, name, proto)
    }

    pub(super) fn build(&self) -> Vec<u8> {
        self.build_with_header(24)
    }

    /// With a longer header, as newer kernels have.
    pub(super) fn build_with_header(&self, header_bytes: u32) -> Vec<u8> {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap();
        let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [
            header_bytes,
            0,
            length(&self.types),
            length(&self.types),
            length(&self.strings),
        ] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.resize(header_bytes as usize, 0);
        [bytes, self.types.clone(), self.strings.clone()].concat()
    }
}
