//! One job in QEMU: the firmware reads it from a folder of its own and leaves its result there while it works.

use super::{Activity, ChipError, report::JobReport};
use crate::hardware::ChipSpec;
use defmt_decoder::{DecodeError, StreamDecoder, Table};
use niwaki_protocol::{JOB_FILE, JobHeader, RESULT_FILE};
use std::{
    ffi::CStr,
    fs::{self, File},
    io::{self, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long the firmware may be silent. Emulation executes more than 100 million instructions a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// How often the result is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// What the firmware is asked to do.
pub(super) struct Job<'a> {
    pub(super) header: JobHeader,
    pub(super) model: &'a [u8],
    pub(super) inputs: &'a [Vec<u8>],
}

impl Job<'_> {
    /// Writes the job where the firmware looks for it if `folder` is its working directory.
    pub(super) fn write(&self, folder: &Path) -> Result<(), ChipError> {
        let path = folder.join(file_name(JOB_FILE));
        let mut file = BufWriter::new(File::create(&path).map_err(ChipError::io(&path))?);
        self.write_to(&mut file).and_then(|()| file.flush()).map_err(ChipError::io(&path))
    }

    /// Writes the job's bytes.
    pub(super) fn write_to(&self, to: &mut dyn io::Write) -> io::Result<()> {
        let header = self.header.encode();
        let mut parts = [&header, self.model].into_iter().chain(self.inputs.iter().map(Vec::as_slice));
        parts.try_for_each(|part| to.write_all(part))
    }
}

/// A folder for one job; it is gone with this value.
pub(super) fn folder() -> Result<TempDir, ChipError> {
    tempfile::Builder::new().prefix("niwaki-chip-").tempdir().map_err(ChipError::io("a new folder"))
}

/// An image on a chip that the emulator stands for.
pub(super) struct Emulation<'a> {
    pub(super) emulator: &'a Path,
    pub(super) spec: &'a ChipSpec,
    pub(super) image: &'a Path,
    /// How long the firmware may be silent.
    pub(super) patience: Duration,
}

impl Emulation<'_> {
    /// Does a job.
    ///
    /// # Errors
    /// [`ChipError`]: the firmware refused the job, broke, or was silent for too long.
    pub(super) fn run(&self, job: &Job<'_>, progress: &mut dyn FnMut(Activity<'_>)) -> Result<JobReport, ChipError> {
        let folder = folder()?;
        job.write(folder.path())?;
        let table = log_table(self.image)?;
        let mut log = table.as_ref().map(Table::new_stream_decoder);
        progress(Activity::Doing(&format!("running on {} in QEMU", self.spec.board)));
        let mut process = self.spawn(folder.path())?;
        let path = folder.path().join(file_name(RESULT_FILE));
        let mut result = ResultTail { path, file: None, bytes: Vec::new(), report: JobReport::new(self.spec.emulator) };
        let total = job.inputs.len();
        let mut heard = Instant::now();
        let status = loop {
            match process.output.recv_timeout(PERIOD) {
                Ok(bytes) => {
                    heard = Instant::now();
                    if let Some(log) = &mut log {
                        log.received(&bytes);
                        show(log.as_mut(), progress);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // It has closed its output: it has ended or is about to.
                Err(RecvTimeoutError::Disconnected) => {
                    break process.child.wait().map_err(ChipError::io(self.emulator))?;
                }
            }
            if result.read_on(total, progress)? {
                heard = Instant::now();
            }
            if heard.elapsed() > self.patience {
                return Err(ChipError::Stalled { silence: self.patience, runs: result.report.runs() });
            }
        };
        while result.read_on(total, progress)? {}
        result.finish(self.spec, status, process.errors())
    }

    /// What an image that takes no job prints until it ends.
    ///
    /// # Errors
    /// [`ChipError`]: it was silent for too long, or ended without a word.
    pub(super) fn printed(&self, progress: &mut dyn FnMut(Activity<'_>)) -> Result<String, ChipError> {
        let folder = folder()?;
        progress(Activity::Doing(&format!("running on {} in QEMU", self.spec.board)));
        let mut process = self.spawn(folder.path())?;
        let mut printed = Vec::new();
        loop {
            match process.output.recv_timeout(self.patience) {
                Ok(bytes) => printed.extend(bytes),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ChipError::Stalled { silence: self.patience, runs: 0 });
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = process.child.wait().map_err(ChipError::io(self.emulator))?;
        if printed.is_empty() {
            return Err(ChipError::Died { status: status.to_string(), runs: 0, detail: process.errors() });
        }
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    fn spawn(&self, folder: &Path) -> Result<Process, ChipError> {
        let mut command = Command::new(self.emulator);
        command.args(["-machine", self.spec.machine, "-display", "none", "-serial", "none", "-monitor", "none"]);
        command.args(["-icount", &format!("shift={},sleep=off", self.spec.emulator.icount_shift)]);
        command.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(self.image);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(ChipError::io(self.emulator))?;
        let (sender, output) = mpsc::channel();
        let stdout = child.stdout.take();
        thread::spawn(move || {
            let Some(mut stdout) = stdout else { return };
            let mut piece = [0; 4096];
            while let Ok(len @ 1..) = stdout.read(&mut piece) {
                if sender.send(piece[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        let stderr = child.stderr.take();
        let errors = thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is as good as it gets.
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Process { child, output, errors: Some(errors) })
    }
}

fn file_name(name: &CStr) -> &str {
    name.to_str().unwrap_or_default()
}

/// How to read the log of an image, if it has one.
fn log_table(image: &Path) -> Result<Option<Table>, ChipError> {
    let elf = fs::read(image).map_err(ChipError::io(image))?;
    Table::parse(&elf)
        .map_err(|error| ChipError::Image { path: image.into(), detail: format!("its log table: {error}") })
}

/// Shows the log lines that are complete.
fn show(log: &mut dyn StreamDecoder, progress: &mut dyn FnMut(Activity<'_>)) {
    loop {
        match log.decode() {
            Ok(frame) => {
                let level = frame.level().map_or("print", |level| level.as_str());
                progress(Activity::Log(&format!("{level}: {}", frame.display_message())));
            }
            Err(DecodeError::Malformed) => progress(Activity::Log("(a line that cannot be read)")),
            Err(DecodeError::UnexpectedEof) => return,
        }
    }
}

/// QEMU; it does not outlive this value.
struct Process {
    child: Child,
    /// Pieces of its standard output, which carries the firmware's log.
    output: Receiver<Vec<u8>>,
    errors: Option<JoinHandle<String>>,
}

impl Process {
    /// What it wrote to its standard error, after it has ended.
    fn errors(&mut self) -> String {
        self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A result that grows.
struct ResultTail {
    path: PathBuf,
    file: Option<File>,
    /// Not yet understood.
    bytes: Vec<u8>,
    report: JobReport,
}

impl ResultTail {
    /// Reads what is new; whether there was anything.
    fn read_on(&mut self, total: usize, progress: &mut dyn FnMut(Activity<'_>)) -> Result<bool, ChipError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match File::open(&self.path) {
                Ok(file) => self.file.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(ChipError::io(&self.path)(error)),
            },
        };
        if file.read_to_end(&mut self.bytes).map_err(ChipError::io(&self.path))? == 0 {
            return Ok(false);
        }
        let before = self.report.runs();
        let understood = self.report.read(&self.bytes)?;
        self.bytes.drain(..understood);
        if self.report.runs() != before {
            progress(Activity::Ran { done: self.report.runs(), total });
        }
        Ok(true)
    }

    fn finish(self, spec: &ChipSpec, status: ExitStatus, errors: String) -> Result<JobReport, ChipError> {
        let runs = self.report.runs();
        if let Some(reason) = self.report.failure() {
            return Err(ChipError::Refused { chip: spec.board.into(), reason: reason.to_owned() });
        }
        if status.success() && self.report.is_complete() {
            return Ok(self.report);
        }
        let detail = match errors.lines().next() {
            Some(line) if line.contains("Lockup") => "the firmware's stack overflowed".to_owned(),
            Some(line) => line.to_owned(),
            None => "it did not say why".to_owned(),
        };
        Err(ChipError::Died { status: status.to_string(), runs, detail })
    }
}
