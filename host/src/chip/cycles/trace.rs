//! The emulator's list of executed blocks, read while it executes them.

use super::super::ChipError;
use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// How often the block at one address was followed by the block at another.
pub(super) type Pairs = HashMap<(u32, u32), u64>;

/// An image on a machine of the emulator.
pub(super) struct Traced<'a> {
    pub(super) emulator: &'a Path,
    pub(super) machine: &'a str,
    pub(super) image: &'a Path,
    /// The image's working directory, for its files.
    pub(super) folder: &'a Path,
}

impl Traced<'_> {
    /// Runs the image from its start until the block at `end` after the first block at `begin`.
    pub(super) fn pairs(&self, begin: u32, end: u32) -> Result<Pairs, ChipError> {
        let mut command = Command::new(self.emulator);
        command.args(["-machine", self.machine, "-display", "none", "-serial", "none", "-monitor", "none"]);
        // Without the chaining of blocks each one is listed; the list goes to standard error.
        command.args(["-d", "exec,nochain", "-semihosting-config", "enable=on,target=native", "-kernel"]);
        command.arg(self.image).current_dir(self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Ended(command.spawn().map_err(ChipError::io(self.emulator))?);
        let mut window = Window::new(begin, end);
        let mut said = String::new();
        if let Some(stderr) = process.0.stderr.take() {
            let mut lines = BufReader::with_capacity(1 << 16, stderr);
            let mut line = Vec::new();
            while !window.closed && lines.read_until(b'\n', &mut line).map_err(ChipError::io(self.emulator))? > 0 {
                if !window.read(&line) && said.is_empty() {
                    said = String::from_utf8_lossy(&line).trim_end().to_owned();
                }
                line.clear();
            }
        }
        if window.closed {
            return Ok(window.pairs);
        }
        let status = process.0.wait().map_err(ChipError::io(self.emulator))?;
        let where_it_ended = if window.last.is_some() { "in" } else { "before" };
        let detail = format!("{where_it_ended} the window that was to be traced; {said}");
        Err(ChipError::Died { status: status.to_string(), runs: 0, detail })
    }
}

/// The emulator, which does not outlive this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was executed between two blocks.
pub(super) struct Window {
    begin: u32,
    end: u32,
    pub(super) pairs: Pairs,
    /// The last block, once the window is open.
    last: Option<u32>,
    /// The last block was listed but not executed: it will be listed again.
    stopped: bool,
    pub(super) closed: bool,
}

impl Window {
    pub(super) fn new(begin: u32, end: u32) -> Self {
        Self { begin, end, pairs: Pairs::new(), last: None, stopped: false, closed: false }
    }

    /// Takes a line of the list; whether it is one.
    pub(super) fn read(&mut self, line: &[u8]) -> bool {
        if line.starts_with(b"Stopped execution") {
            self.stopped = true;
            return true;
        }
        let Some(block) = block(line) else { return false };
        let again = std::mem::take(&mut self.stopped) && self.last == Some(block);
        match self.last {
            _ if again => {}
            Some(last) => {
                *self.pairs.entry((last, block)).or_default() += 1;
                self.last = Some(block);
                self.closed = block == self.end;
            }
            None if block == self.begin => self.last = Some(block),
            None => {}
        }
        true
    }
}

/// The address in `Trace 0: 0x7f12 [00000000/00000a2c/00000110/ff021200] name`: the second in the brackets.
fn block(line: &[u8]) -> Option<u32> {
    let line = line.strip_prefix(b"Trace ")?;
    let mut fields = line.split(|&byte| byte == b'[').nth(1)?.split(|&byte| byte == b'/');
    let address = std::str::from_utf8(fields.nth(1)?).ok()?;
    u64::from_str_radix(address, 16).ok().map(|address| address as u32)
}
