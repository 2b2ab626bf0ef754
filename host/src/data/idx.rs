//! IDX files, plain or gzip: the format in which MNIST and its relatives are published.
//!
//! Big-endian: two zero bytes, the element type (0x08 = u8, the only one read here), the number of axes, one u32 an axis,
//! then the values row-major.

use super::{DataError, Dataset, Split};
use crate::io::FileError;
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// An array of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The length of each axis.
    pub dims: Vec<usize>,
    /// Values, row-major; as many as the product of `dims`.
    pub values: Vec<u8>,
}

/// Reads an IDX file of `u8`, decompressing it if it starts like gzip.
///
/// # Errors
/// Names the file and, where its content is at fault, the offset in the uncompressed data and expected against found
/// bytes. Bytes after the announced ones are an error too.
pub fn read(path: &Path) -> Result<Idx, FileError> {
    Source::open(path)?.parse()
}

/// Reads a file, decompressed, in pieces and knows where it is.
pub(super) struct Source<'a> {
    path: &'a Path,
    gzip: bool,
    offset: u64,
    stream: Box<dyn Read>,
}

impl<'a> Source<'a> {
    /// Decompresses the file if it starts like gzip.
    pub(super) fn open(path: &'a Path) -> Result<Self, FileError> {
        let open = || File::open(path).map(BufReader::new);
        let failed = |source| FileError::Read { path: path.into(), source };
        let mut magic = Vec::new();
        open().and_then(|f| f.take(2).read_to_end(&mut magic)).map_err(failed)?;
        let file = open().map_err(failed)?;
        let gzip = magic == [0x1f, 0x8b];
        let stream: Box<dyn Read> =
            if gzip { Box::new(flate2::bufread::MultiGzDecoder::new(file)) } else { Box::new(file) };
        Ok(Self { path, gzip, offset: 0, stream })
    }

    /// Up to `limit` bytes. Grows with what is there, so a header that lies cannot allocate.
    pub(super) fn up_to(&mut self, limit: u64) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let result = self.stream.as_mut().take(limit).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        match result {
            Ok(_) => Ok(bytes),
            Err(source) if self.gzip => Err(FileError::Gzip { path: self.path.into(), offset: self.offset, source }),
            Err(source) => Err(FileError::Read { path: self.path.into(), source }),
        }
    }

    /// Exactly `expected` bytes.
    fn exactly(&mut self, what: &'static str, expected: u64) -> Result<Vec<u8>, FileError> {
        let offset = self.offset;
        let bytes = self.up_to(expected)?;
        self.length(what, offset, expected, bytes.len())?;
        Ok(bytes)
    }

    fn length(&self, what: &'static str, offset: u64, expected: u64, got: usize) -> Result<(), FileError> {
        let got = got as u64;
        if got == expected {
            return Ok(());
        }
        Err(FileError::Length { path: self.path.into(), what, offset, expected, got })
    }

    fn format(&self, offset: u64, what: String) -> FileError {
        FileError::Format { path: self.path.into(), offset, what }
    }

    fn parse(mut self) -> Result<Idx, FileError> {
        let magic = self.exactly("the IDX magic number", 4)?;
        let axes = match magic[..] {
            [0, 0, 0x08, axes @ 1..=4] => axes,
            [0, 0, 0x08, axes] => return Err(self.format(3, format!("{axes} axes; 1 to 4 can be read"))),
            [0, 0, kind @ (0x09 | 0x0b..=0x0e), _] => {
                return Err(self.format(2, format!("element type 0x{kind:02x}; only 0x08 (u8) can be read")));
            }
            _ => {
                let found: Vec<String> = magic.iter().map(|b| format!("{b:02x}")).collect();
                return Err(
                    self.format(0, format!("expected the IDX magic number 00 00 08 NN, got {}", found.join(" ")))
                );
            }
        };
        let header = self.exactly("the axis lengths", u64::from(axes) * 4)?;
        let dims: Vec<u64> = header.as_chunks().0.iter().map(|b| u64::from(u32::from_be_bytes(*b))).collect();
        // One byte more than announced is asked for: it must not be there, and gzip's checksum is read on the way.
        let expected = dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).filter(|n| *n < isize::MAX as u64);
        let expected =
            expected.ok_or_else(|| self.format(4, format!("axes {dims:?} are more than a file can hold")))?;
        let offset = self.offset;
        let values = self.up_to(expected + 1)?;
        self.length("the values", offset, expected, values.len())?;
        Ok(Idx { dims: dims.iter().map(|d| *d as usize).collect(), values })
    }
}

/// The four files of a MNIST-like set in `dir`, as published.
pub(super) fn load(name: &str, dir: &Path) -> Result<Dataset, DataError> {
    let (mut train, shape) = read_pair(dir, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")?;
    let (test, test_shape) = read_pair(dir, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")?;
    if shape != test_shape {
        let what = format!("training images are {shape:?} but test images are {test_shape:?}");
        return Err(FileError::Mismatch { path: dir.into(), what }.into());
    }
    let val = train.split_off(train.len() - train.len().div_ceil(12));
    if train.is_empty() || test.is_empty() {
        let what = format!("{} training and {} test images are too few", train.len() + val.len(), test.len());
        return Err(FileError::Mismatch { path: dir.into(), what }.into());
    }
    Ok(Dataset { name: name.into(), input_shape: shape, classes: CLASSES, train, val, test })
}

const CLASSES: usize = 10;

/// Images scaled to 0..=1 with their labels, and the shape `[H, W, 1]` of one.
fn read_pair(dir: &Path, images: &'static str, labels: &'static str) -> Result<(Split, Vec<usize>), DataError> {
    let image_path = find(dir, images)?;
    let label_path = find(dir, labels)?;
    let (images, labels) = (read(&image_path)?, read(&label_path)?);
    let mismatch = |path: &PathBuf, what| Err(FileError::Mismatch { path: path.clone(), what }.into());
    let &[n, h, w] = images.dims.as_slice() else {
        return mismatch(&image_path, format!("expected axes [N, H, W], got {:?}", images.dims));
    };
    if labels.dims != [n] {
        return mismatch(&label_path, format!("expected one label for each of {n} images, got axes {:?}", labels.dims));
    }
    if h == 0 || w == 0 {
        return mismatch(&image_path, format!("images of {h}x{w} pixels"));
    }
    if let Some(i) = labels.values.iter().position(|y| usize::from(*y) >= CLASSES) {
        let what = format!("label {} at byte {}; {CLASSES} classes are known", labels.values[i], 8 + i);
        return mismatch(&label_path, what);
    }
    let x = images.values.iter().map(|&v| f32::from(v) / 255.0).collect();
    let y = labels.values.iter().map(|&v| u32::from(v)).collect();
    Ok((Split { x, y }, vec![h, w, 1]))
}

/// The file as published or unpacked.
pub(super) fn find(dir: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    let candidates = [dir.join(format!("{name}.gz")), dir.join(name)];
    candidates.into_iter().find(|p| p.is_file()).ok_or_else(|| DataError::NoFile { dir: dir.into(), name })
}
