//! Owns how a group lies in a tree: packed with LZ4, or as it is where it is short. Must not know what a row is.
//!
//! Rows of the same kind repeat most of their bytes: packed they are a quarter as long, and the tree writes, merges and syncs less.

use std::borrow::Cow;
use std::io;

/// The first byte of what is packed; its length before that follows, four bytes, little-endian.
const PACKED: u8 = 0;
const HEAD: usize = 5;
/// What is shorter is not worth it.
const PLAIN_BYTES: usize = 1 << 10;
/// What says to be longer is damaged: groups are some tens of kilobytes.
const MOST_BYTES: usize = 256 << 20;

/// A group as it is written.
pub(super) fn packed(group: &[u8]) -> Cow<'_, [u8]> {
    // What begins like something packed has to be.
    let is_plain = group.len() < PLAIN_BYTES && group.first() != Some(&PACKED);
    let Some(length) = u32::try_from(group.len()).ok().filter(|_| !is_plain) else { return group.into() };
    let mut packed = vec![PACKED; HEAD + lz4_flex::block::get_maximum_output_size(group.len())];
    packed[1..HEAD].copy_from_slice(&length.to_le_bytes());
    match lz4_flex::block::compress_into(group, &mut packed[HEAD..]) {
        Ok(bytes) => {
            packed.truncate(HEAD + bytes);
            packed.into()
        }
        Err(_) => group.into(), // cannot be: there is room for the longest
    }
}

/// How long a group is that was written so.
pub(super) fn length(written: &[u8]) -> usize {
    match written.split_first_chunk::<HEAD>() {
        Some(([PACKED, a, b, c, d], _)) => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => written.len(),
    }
}

/// The group that was written so.
///
/// # Errors
/// It is damaged.
pub(super) fn unpacked(written: &[u8]) -> io::Result<Vec<u8>> {
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    match written.split_first_chunk::<HEAD>() {
        Some(([PACKED, ..], packed)) => {
            let length = length(written);
            if length > MOST_BYTES {
                return Err(damaged(format!("a group of the journal says to have {length} bytes")));
            }
            let unpacked = lz4_flex::block::decompress(packed, length);
            unpacked.map_err(|error| damaged(format!("a group of the journal cannot be unpacked: {error}")))
        }
        _ => Ok(written.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_group_is_read_as_it_was_whatever_is_in_it(
            start in any::<Vec<u8>>(),
            times in 1_usize..400,
        ) {
            let group = start.repeat(times);
            let written = packed(&group);
            prop_assert_eq!(length(&written), group.len());
            prop_assert_eq!(unpacked(&written).ok(), Some(group));
        }

        #[test]
        fn what_is_damaged_is_an_error_or_another_group(written in any::<Vec<u8>>()) {
            let _ = unpacked(&written);
        }
    }

    #[test]
    fn rows_alike_take_a_fraction_of_their_bytes() {
        let group = b"\x01 a row like all the others, but for a number".repeat(1_000);
        assert!(packed(&group).len() * 10 < group.len());
    }

    #[test]
    fn what_says_to_be_endless_is_damaged() {
        let said = unpacked(&[PACKED, 255, 255, 255, 255, 1, 2, 3]).map_err(|error| error.kind());
        assert_eq!(said, Err(io::ErrorKind::InvalidData));
    }
}
