//! Files and standard output of the host, by Arm's semihosting: the processor stops at a breakpoint and the emulator
//! acts. Nothing here can panic; published crates for semihosting can.
//!
//! Source: Arm, Semihosting for AArch32 and AArch64 (abi-aa, `semihosting.rst`).
#![expect(unsafe_code, reason = "the breakpoint, and the addresses that go with it; each block has its proof")]

use core::{arch::asm, ffi::CStr, fmt};

const SYS_OPEN: usize = 0x01;
const SYS_CLOSE: usize = 0x02;
const SYS_WRITE: usize = 0x05;
const SYS_READ: usize = 0x06;
const SYS_SEEK: usize = 0x0A;
const SYS_FLEN: usize = 0x0C;
const SYS_ERRNO: usize = 0x13;
const SYS_EXIT_EXTENDED: usize = 0x20;

/// What operations that return a number return when they fail.
const FAILED: usize = usize::MAX;

/// Why the host did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostError {
    /// The host's number for the reason.
    Errno(u32),
    /// The file has fewer bytes than asked for.
    End,
    /// An offset that does not fit into semihosting's 32 bits.
    Offset(u64),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => write!(f, "the host's error {errno}"),
            Self::End => write!(f, "it ends too early"),
            Self::Offset(offset) => write!(f, "it has no byte {offset}"),
        }
    }
}

impl core::error::Error for HostError {}

/// Asks the host.
///
/// # Safety
/// `block` holds what `operation` takes: every address in it is that of as many bytes as the operation reads, or, for
/// [`SYS_READ`], writes, and that nobody else uses meanwhile.
unsafe fn call<const LEN: usize>(operation: usize, block: &[usize; LEN]) -> usize {
    let result;
    // SAFETY: the host follows the addresses that the caller vouches for and changes one register. Without options
    // the compiler assumes that any memory is read and written.
    unsafe { asm!("bkpt 0xab", inlateout("r0") operation => result, in("r1") block.as_ptr(), options(nostack)) };
    result
}

fn errno() -> HostError {
    // SAFETY: takes nothing.
    HostError::Errno(unsafe { call(SYS_ERRNO, &[]) } as u32)
}

/// How a file is opened; the numbers are those of semihosting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read; it must exist.
    Read = 1,
    /// Read and write; it must exist.
    Update = 3,
    /// Write, from an empty file.
    Create = 5,
}

/// A file of the host, or its standard output.
#[derive(Debug)]
pub struct File {
    handle: usize,
}

impl File {
    /// Opens a file in the emulator's working directory.
    ///
    /// # Errors
    /// The host's.
    pub fn open(path: &CStr, mode: Mode) -> Result<Self, HostError> {
        // SAFETY: the path's bytes and their number; the zero at the end is there too.
        let handle = unsafe { call(SYS_OPEN, &[path.as_ptr().addr(), mode as usize, path.count_bytes()]) };
        if handle == FAILED { Err(errno()) } else { Ok(Self { handle }) }
    }

    /// The emulator's standard output.
    ///
    /// # Errors
    /// The host's.
    pub fn stdout() -> Result<Self, HostError> {
        Self::open(c":tt", Mode::Create)
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// The host's; [`HostError::End`] if the file has fewer bytes left.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<(), HostError> {
        // SAFETY: as many bytes as the slice has, borrowed for writing.
        let missing = unsafe { call(SYS_READ, &[self.handle, bytes.as_mut_ptr().expose_provenance(), bytes.len()]) };
        match missing {
            0 => Ok(()),
            some if some <= bytes.len() => Err(HostError::End),
            _ => Err(errno()),
        }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// The host's.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        // SAFETY: as many bytes as the slice has.
        let missing = unsafe { call(SYS_WRITE, &[self.handle, bytes.as_ptr().expose_provenance(), bytes.len()]) };
        if missing == 0 { Ok(()) } else { Err(errno()) }
    }

    /// Moves to byte `offset`.
    ///
    /// # Errors
    /// The host's; [`HostError::Offset`].
    pub fn seek(&mut self, offset: u64) -> Result<(), HostError> {
        let place = i32::try_from(offset).map_err(|_| HostError::Offset(offset))?;
        // SAFETY: takes no address.
        if unsafe { call(SYS_SEEK, &[self.handle, place as usize]) } == 0 { Ok(()) } else { Err(errno()) }
    }

    /// Moves to the end of the file.
    ///
    /// # Errors
    /// The host's.
    pub fn seek_end(&mut self) -> Result<(), HostError> {
        // SAFETY: takes no address.
        let bytes = unsafe { call(SYS_FLEN, &[self.handle]) };
        if bytes == FAILED { Err(errno()) } else { self.seek(bytes as u64) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: takes no address. A failure could not be reported to anybody.
        let _ = unsafe { call(SYS_CLOSE, &[self.handle]) };
    }
}

/// Ends the emulator with an exit code.
pub fn exit(code: usize) -> ! {
    const APPLICATION_EXIT: usize = 0x2_0026;
    loop {
        // SAFETY: takes no address.
        unsafe { call(SYS_EXIT_EXTENDED, &[APPLICATION_EXIT, code]) };
    }
}
