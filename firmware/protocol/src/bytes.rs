//! Reading and writing of little-endian fields, and of what both byte strings begin with.

use crate::ProtocolError;

/// What follows the magic, if it is that of `what`.
pub(crate) fn after_magic<'a>(bytes: &'a [u8], magic: [u8; 8], what: &'static str) -> Result<&'a [u8], ProtocolError> {
    let ([name @ .., version], rest) = bytes.split_first_chunk::<8>().ok_or(ProtocolError::Truncated)?;
    let [expected_name @ .., expected_version] = &magic;
    if name != expected_name {
        return Err(ProtocolError::Magic { what });
    }
    if version != expected_version {
        return Err(ProtocolError::Version { what, version: *version });
    }
    Ok(rest)
}

/// Exactly `N` words.
pub(crate) fn words<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let (chunks, rest) = bytes.as_chunks();
    let chunks: &[[u8; 4]; N] = chunks.try_into().ok()?;
    rest.is_empty().then_some(chunks.map(u32::from_le_bytes))
}

pub(crate) fn long(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// A buffer that is filled from the front; what does not fit is a bug and is dropped.
pub(crate) struct Bytes<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) len: usize,
}

impl Bytes<'_> {
    pub(crate) fn push(&mut self, piece: &[u8]) {
        let end = self.len + piece.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(piece);
            self.len = end;
        }
    }

    pub(crate) fn push_words(&mut self, words: &[u32]) {
        for word in words {
            self.push(&word.to_le_bytes());
        }
    }
}
