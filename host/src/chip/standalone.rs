//! A firmware image with its job inside: it needs no file of the host, so that any tool can run or trace it.

use super::{ChipError, firmware};
use crate::io::atomic;
use std::{fs, path::Path};

/// Bytes of a program header in a 32-bit ELF file.
const PROGRAM_HEADER: usize = 32;

/// Writes the image to `path` with one more segment: `job`, where the firmware looks for one.
///
/// # Errors
/// [`ChipError`]: the image is none, has no room for this job, or a file could not be read or written.
pub(super) fn write(image: &Path, job: &[u8], path: &Path) -> Result<(), ChipError> {
    let wrong = |detail: String| ChipError::Image { path: image.into(), detail };
    let address = |name| firmware::symbol(image, name)?.ok_or_else(|| wrong(format!("it has no symbol {name}")));
    let (start, end) = (address("_job_start")?, address("_job_end")?);
    if job.len() as u64 > end.saturating_sub(start) {
        return Err(ChipError::TooLarge { what: "bytes of a job in an image", count: job.len() });
    }
    let elf = fs::read(image).map_err(ChipError::io(image))?;
    let elf = with_segment(elf, start as u32, job).ok_or_else(|| wrong("its headers are damaged".to_owned()))?;
    atomic::write(path, &elf).map_err(|error| ChipError::Image { path: path.into(), detail: error.to_string() })
}

/// A little-endian ELF file of 32 bits with one more segment to load. The program headers move to the end,
/// where there is room for one more.
fn with_segment(mut elf: Vec<u8>, address: u32, content: &[u8]) -> Option<Vec<u8>> {
    // Fields of the ELF header: the place and number of program headers.
    const PLACE: usize = 28;
    const COUNT: usize = 44;
    const PT_LOAD: u32 = 1;
    const READ_WRITE: u32 = 6;
    let place = u32::from_le_bytes(*elf.get(PLACE..)?.first_chunk()?) as usize;
    let count = u16::from_le_bytes(*elf.get(COUNT..)?.first_chunk()?);
    let mut headers = elf.get(place..)?.get(..usize::from(count) * PROGRAM_HEADER)?.to_vec();
    elf.resize(elf.len().next_multiple_of(16), 0);
    let (offset, bytes) = (u32::try_from(elf.len()).ok()?, u32::try_from(content.len()).ok()?);
    elf.extend_from_slice(content);
    elf.resize(elf.len().next_multiple_of(16), 0);
    for field in [PT_LOAD, offset, address, address, bytes, bytes, READ_WRITE, 16] {
        headers.extend(field.to_le_bytes());
    }
    let place = u32::try_from(elf.len()).ok()?.to_le_bytes();
    elf.extend(headers);
    elf.get_mut(PLACE..)?.first_chunk_mut().map(|field| *field = place)?;
    elf.get_mut(COUNT..)?.first_chunk_mut().map(|field| *field = (count + 1).to_le_bytes())?;
    Some(elf)
}
