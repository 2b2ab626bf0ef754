//! The kernels of a chip's back end against their definition, on the chip: the image that compares them, and what it says.

use super::{Activity, Chip, ChipError, firmware, qemu, setup};

/// What a chip says of one kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The kernel.
    pub kernel: String,
    /// Cases and outputs that are equal to the definition's; or the first output that is not.
    pub verdict: Result<Equal, String>,
}

/// How much of a kernel was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Equal {
    /// Cases.
    pub cases: usize,
    /// Outputs of them all.
    pub outputs: usize,
}

/// Compares every kernel of an emulated chip's back end with its definition. On [`Chip::Host`] there is nothing to do.
///
/// # Errors
/// [`ChipError`]: something is missing and how to get it, or the image failed without a word.
pub fn compare_kernels(chip: Chip, progress: &mut dyn FnMut(Activity<'_>)) -> Result<Vec<Compared>, ChipError> {
    let Some(spec) = chip.spec() else { return Ok(Vec::new()) };
    let emulator = setup::Machine::here().emulator(spec.emulator, progress)?;
    let image = firmware::build_selftest(spec, progress)?;
    let emulation = qemu::Emulation { emulator: &emulator, spec, image: &image, patience: qemu::PATIENCE };
    Ok(emulation.printed(progress)?.lines().map(read).collect())
}

/// A line of the image: `ok NAME CASES OUTPUTS` or `wrong NAME: what`; any other is a failure of its own.
fn read(line: &str) -> Compared {
    let equal = || {
        let mut words = line.strip_prefix("ok ")?.split(' ');
        let (kernel, cases, outputs) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Compared { kernel: kernel.to_owned(), verdict: Ok(Equal { cases, outputs }) })
    };
    equal().unwrap_or_else(|| {
        let (kernel, what) =
            line.strip_prefix("wrong ").and_then(|rest| rest.split_once(": ")).unwrap_or(("image", line));
        Compared { kernel: kernel.to_owned(), verdict: Err(what.to_owned()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_image_are_understood() {
        let of = |line| {
            let Compared { kernel, verdict } = read(line);
            (kernel, verdict)
        };
        assert_eq!(of("ok conv2d 40 18085"), ("conv2d".into(), Ok(Equal { cases: 40, outputs: 18_085 })));
        assert_eq!(of("wrong dense_taps: case 3, output 2"), ("dense_taps".into(), Err("case 3, output 2".into())));
        assert_eq!(of("ok conv2d 40"), ("image".into(), Err("ok conv2d 40".into())));
    }
}
