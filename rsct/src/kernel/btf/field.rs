//! Finds the offset of a field by its name, as C's `offsetof` does at compile time.

use super::error::BtfError;
use super::raw::{Kind, Member, Type};
use super::scope::Scope;

/// Limit on members visited for one field; the largest kernel struct has some hundreds. It ends the search in
/// hostile BTF with endlessly nested anonymous members.
const MAX_MEMBERS: usize = 100_000;
/// Nesting limit of anonymous structs and unions.
const MAX_DEPTH: usize = 16;

/// Offset and size of a field in its struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the struct's start to the field; for a bitfield, to the unit to load.
    pub offset: u32,
    /// Size of the field in bytes; for a bitfield, of the unit to load.
    pub size: u32,
    /// The bits of the unit, for a bitfield.
    pub bits: Option<Bits>,
}

/// Position of a bitfield in the unit at [`Field::offset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Right shift of the loaded unit (on a little-endian machine).
    pub shift: u32,
    /// Number of bits after the shift.
    pub width: u32,
}

/// One step of a path: a member's name and optionally an array index.
struct Step<'p> {
    name: &'p str,
    index: Option<u32>,
}

/// Walks `path` ("proto.tcp.state", "tuplehash\[1\].tuple") from the struct `id`. Returns `None` if a step
/// finds no member; its name is then in `missing`.
pub(super) fn find<'p>(
    scope: Scope<'_>,
    id: u32,
    path: &'p str,
    missing: &mut &'p str,
) -> Result<Option<Field>, BtfError> {
    let too_large = || scope.malformed(format!("the field `{path}` is beyond offset 512 MiB"));
    let mut type_id = id;
    let mut bit_offset = 0_u32;
    let mut bit_width = None;
    let mut budget = MAX_MEMBERS;
    for part in path.split('.') {
        let step = Step::parse(part).ok_or_else(|| BtfError::BadPath {
            path: path.to_owned(),
        })?;
        // A step through an array without an index uses its first element, as in C.
        let container = element_of(scope, type_id)?;
        let found = match container {
            Some(ty) if bit_width.is_none() => member(scope, ty, step.name, 0, &mut budget)?,
            _ => None,
        };
        let Some(found) = found else {
            *missing = part;
            return Ok(None);
        };
        bit_offset = bit_offset.checked_add(found.bit_offset).ok_or_else(too_large)?;
        (type_id, bit_width) = (found.type_id, found.bit_width);
        if let Some(index) = step.index {
            let array = scope.resolve(type_id)?.and_then(Type::array);
            let Some((element, _)) = array.filter(|(_, length)| index < *length) else {
                *missing = part;
                return Ok(None);
            };
            let skipped = scope
                .size(element)?
                .checked_mul(index)
                .and_then(|bytes| bytes.checked_mul(8));
            bit_offset = skipped
                .and_then(|bits| bits.checked_add(bit_offset))
                .ok_or_else(too_large)?;
            type_id = element;
        }
    }
    layout(scope, type_id, bit_offset, bit_width).map(Some)
}

impl<'p> Step<'p> {
    fn parse(part: &'p str) -> Option<Self> {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(']')?.parse().ok()?)),
            None => (part, None),
        };
        (!name.is_empty()).then_some(Self { name, index })
    }
}

/// The struct or union that `id` is, or is an array of.
fn element_of<'a>(scope: Scope<'a>, id: u32) -> Result<Option<Type<'a>>, BtfError> {
    let mut resolved = scope.resolve(id)?;
    for _ in 0..MAX_DEPTH {
        let Some((element, _)) = resolved.and_then(Type::array) else {
            break;
        };
        resolved = scope.resolve(element)?;
    }
    Ok(resolved)
}

/// Finds the member called `name`, also inside anonymous structs and unions, with its offset from the
/// outermost one.
fn member(
    scope: Scope<'_>,
    container: Type<'_>,
    name: &str,
    depth: usize,
    budget: &mut usize,
) -> Result<Option<Member>, BtfError> {
    for member in container.members() {
        *budget = budget
            .checked_sub(1)
            .ok_or_else(|| scope.malformed("its structs are nested too deeply"))?;
        if member.name_offset != 0 {
            if scope.is_named(member.name_offset, name) {
                return Ok(Some(member));
            }
            continue;
        }
        // Unnamed bitfields are padding; other unnamed members are anonymous structs and unions.
        let inner = scope.resolve(member.type_id)?;
        let Some(inner) = inner.filter(|ty| matches!(ty.kind, Kind::Struct | Kind::Union)) else {
            continue;
        };
        if depth == MAX_DEPTH {
            return Err(scope.malformed("its structs are nested too deeply"));
        }
        if let Some(found) = self::member(scope, inner, name, depth + 1, budget)? {
            let bit_offset = found
                .bit_offset
                .checked_add(member.bit_offset)
                .ok_or_else(|| scope.malformed(format!("the field `{name}` is beyond offset 512 MiB")))?;
            return Ok(Some(Member { bit_offset, ..found }));
        }
    }
    Ok(None)
}

/// Converts bits into the unit that a program loads: the field's own bytes, or the smallest aligned unit that
/// holds all of a bitfield.
fn layout(
    scope: Scope<'_>,
    type_id: u32,
    bit_offset: u32,
    bit_width: Option<u32>,
) -> Result<Field, BtfError> {
    let Some(width) = bit_width else {
        if !bit_offset.is_multiple_of(8) {
            return Err(scope.malformed(format!("a field of type {type_id} does not start at a byte")));
        }
        return Ok(Field {
            offset: bit_offset / 8,
            size: scope.size(type_id)?,
            bits: None,
        });
    };
    for size in [1, 2, 4, 8] {
        let offset = bit_offset / 8 / size * size;
        let shift = bit_offset - offset * 8;
        if shift + width <= size * 8 {
            return Ok(Field {
                offset,
                size,
                bits: Some(Bits { shift, width }),
            });
        }
    }
    Err(scope.malformed(format!("a bitfield of {width} bits does not fit into an integer")))
}
