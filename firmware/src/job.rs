//! A job: read a model and inputs from the host's disk, run, write what came out and what it cost.

use crate::{
    board,
    error::{JobError, text},
    machine::{self, Memory},
    measure,
    semihosting::{File, HostError, Mode},
};
use niwaki_core::{format::Model, ops, session::Session};
use niwaki_protocol::{JOB_FILE, JobHeader, RESULT_FILE, RESULT_MAGIC, Record};

/// Does the job and writes the result, or why it failed.
///
/// # Errors
/// [`JobError`], which also stands at the end of the result, unless that could not be written.
pub fn run() -> Result<(), JobError> {
    let mut result = ResultFile::create().map_err(JobError::disk("creating the result"))?;
    let done = Memory::take().ok_or(JobError::MemoryTaken).and_then(|memory| run_into(&mut result, memory));
    if let Err(error) = &done {
        result.write(&Record::Failure(text(error).as_bytes()))?;
    }
    done
}

fn run_into(result: &mut ResultFile, memory: Memory) -> Result<(), JobError> {
    let Memory { model, arena, stamps } = memory;
    let mut job = JobFile::open()?;
    let header = job.header;
    if header.model_bytes != 0 {
        let available = model.len();
        let needed = header.model_bytes;
        let bytes = model.get_mut(..needed as usize).ok_or(JobError::Room { needed, available })?;
        job.read(bytes)?;
        let model = Model::verify(bytes, ops::ALL).map_err(JobError::Verify)?;
        let mut session = Session::new(model, arena).map_err(JobError::Session)?;
        let outputs = 0..model.output_count();
        result.write(&Record::Model {
            arena_bytes: model.arena_bytes() as u32,
            operators: model.operator_count() as u32,
            output_bytes: outputs.map(|idx| session.output_bytes(idx).len()).sum::<usize>() as u32,
        })?;
        run_inputs(&mut job, result, &model, &mut session, stamps)?;
    }
    if header.self_test {
        self_test(result)?;
    }
    result.write(&Record::Clock {
        tick_hz: board::TICK_HZ,
        run_overhead: measure::overhead(),
        operator_overhead: measure::operator_overhead(stamps),
    })?;
    result.write(&Record::End { runs: header.input_count })
}

fn run_inputs(
    job: &mut JobFile,
    result: &mut ResultFile,
    model: &Model<'_>,
    session: &mut Session<'_, '_>,
    stamps: &mut [u32],
) -> Result<(), JobError> {
    let expected: usize = (0..model.input_count()).map(|idx| session.input_bytes_mut(idx).len()).sum();
    let JobHeader { input_bytes: given, input_count, .. } = job.header;
    if input_count != 0 && expected != given as usize {
        return Err(JobError::Input { given, expected });
    }
    defmt::info!("{=u32} inputs through {=usize} operators", input_count, model.operator_count());
    for input_idx in 0..input_count {
        job.load(input_idx, model, session)?;
        let ticks = measure::timed_run(session);
        result.write_run(ticks, model, session)?;
        if input_idx == 0 {
            job.load(0, model, session)?;
            let stamps = stamps.get_mut(..=model.operator_count()).unwrap_or_default();
            measure::operators(session, stamps);
            result.write_operators(stamps)?;
            job.load(0, model, session)?;
            let depth_bytes = machine::stack_depth();
            let run_bytes = machine::stack_used(|| measure::run(session));
            let program_bytes = depth_bytes.max(machine::stack_depth());
            result.write(&Record::Stack { run_bytes, program_bytes })?;
        }
    }
    Ok(())
}

/// Times code whose number of instructions is known.
fn self_test(result: &mut ResultFile) -> Result<(), JobError> {
    let mut known = |instructions, ticks| result.write(&Record::SelfTest { instructions, ticks });
    known(0, measure::timed(|| ()))?;
    known(100, measure::timed(machine::nops))?;
    known(2 + 2 * 5, measure::timed(machine::spin::<0, 5>))?;
    known(2 + 2 * 5_000, measure::timed(machine::spin::<0, 5_000>))?;
    known(2 + 2 * (100 << 16), measure::timed(machine::spin::<100, 0>))
}

/// The job on the host's disk, or in the image.
struct JobFile {
    source: Source,
    header: JobHeader,
}

enum Source {
    Disk(File),
    /// What is still to be read.
    Image(&'static [u8]),
}

impl Source {
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), HostError> {
        match self {
            Self::Disk(file) => file.read(bytes),
            Self::Image(rest) => {
                let (read, after) = rest.split_at_checked(bytes.len()).ok_or(HostError::End)?;
                bytes.iter_mut().zip(read).for_each(|(to, from)| *to = *from);
                *rest = after;
                Ok(())
            }
        }
    }

    fn seek(&mut self, offset: u64) -> Result<(), HostError> {
        match self {
            Self::Disk(file) => file.seek(offset),
            Self::Image(rest) => {
                *rest = machine::job_memory().get(offset as usize..).ok_or(HostError::Offset(offset))?;
                Ok(())
            }
        }
    }
}

impl JobFile {
    fn open() -> Result<Self, JobError> {
        if let Some((header, rest)) = machine::job_memory().split_first_chunk()
            && let Ok(header) = JobHeader::decode(header)
        {
            return Ok(Self { source: Source::Image(rest), header });
        }
        let mut file = File::open(JOB_FILE, Mode::Read).map_err(JobError::disk("opening the job"))?;
        let mut header = [0; JobHeader::LEN];
        file.read(&mut header).map_err(JobError::disk("reading the job's header"))?;
        let header = JobHeader::decode(&header).map_err(JobError::Header)?;
        Ok(Self { source: Source::Disk(file), header })
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), JobError> {
        self.source.read(bytes).map_err(JobError::disk("reading the job"))
    }

    /// Copies an input to where the model expects it.
    fn load(&mut self, input_idx: u32, model: &Model<'_>, session: &mut Session<'_, '_>) -> Result<(), JobError> {
        let JobHeader { model_bytes, input_bytes, .. } = self.header;
        let offset = JobHeader::LEN as u64 + u64::from(model_bytes) + u64::from(input_idx) * u64::from(input_bytes);
        self.source.seek(offset).map_err(JobError::disk("seeking in the job"))?;
        (0..model.input_count()).try_for_each(|tensor_idx| self.read(session.input_bytes_mut(tensor_idx)))
    }
}

/// The result on the host's disk.
pub struct ResultFile(File);

impl ResultFile {
    fn create() -> Result<Self, HostError> {
        let mut file = File::open(RESULT_FILE, Mode::Create)?;
        file.write(&RESULT_MAGIC)?;
        Ok(Self(file))
    }

    /// The result that another handle began. (QEMU's append mode would start at the beginning.)
    ///
    /// # Errors
    /// The host's.
    pub fn append() -> Result<Self, HostError> {
        let mut file = File::open(RESULT_FILE, Mode::Update)?;
        file.seek_end()?;
        Ok(Self(file))
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The host's.
    pub fn write(&mut self, record: &Record<'_>) -> Result<(), JobError> {
        let (head, slice) = record.encode();
        self.write_bytes(head.as_ref())?;
        self.write_bytes(slice)
    }

    fn write_run(&mut self, ticks: u64, model: &Model<'_>, session: &Session<'_, '_>) -> Result<(), JobError> {
        let outputs = || (0..model.output_count()).map(|idx| session.output_bytes(idx));
        let len: usize = outputs().map(<[u8]>::len).sum();
        self.write_bytes(Record::Run { ticks, outputs: &[] }.head(len as u32).as_ref())?;
        outputs().try_for_each(|output| self.write_bytes(output))
    }

    /// Every stamp but the last one is the ticks of an operator.
    fn write_operators(&mut self, stamps: &[u32]) -> Result<(), JobError> {
        let Some((_, ticks)) = stamps.split_last() else { return Ok(()) };
        self.write_bytes(Record::Operators(&[]).head(4 * ticks.len() as u32).as_ref())?;
        ticks.iter().try_for_each(|ticks| self.write_bytes(&ticks.to_le_bytes()))
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), JobError> {
        self.0.write(bytes).map_err(JobError::disk("writing the result"))
    }
}
