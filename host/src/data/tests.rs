//! What data reading promises, file by damaged file.

use super::{DataError, NAMES, idx, load, load_cached};
use crate::io::FileError;
use flate2::{Compression, write::GzEncoder};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Two images of 2x3 pixels.
const IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 51, 102, 153, 204, 255, 5, 4, 3, 2, 1, 0];
const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 7, 9];

fn file(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn idx_error(bytes: &[u8]) -> String {
    let dir = TempDir::new().unwrap();
    let message = idx::read(&file(&dir, "images", bytes)).unwrap_err().to_string();
    message.strip_prefix(&format!("{}: ", dir.path().join("images").display())).expect("names the file").to_owned()
}

#[test]
fn digits_are_whole_and_split_as_documented() {
    let d = load("digits", None).unwrap();
    assert_eq!((d.input_shape.as_slice(), d.classes), ([8, 8, 1].as_slice(), 10));
    assert_eq!((d.train.len(), d.val.len(), d.test.len()), (1300, 137, 360));
    for split in [&d.train, &d.val, &d.test] {
        assert_eq!(split.x.len(), split.len() * 64);
        assert!(split.x.iter().all(|v| (0.0..=1.0).contains(v)) && split.y.iter().all(|y| *y < 10));
    }
    assert_eq!(d.train.y[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(d.train.sample(0)[..6], [0.0, 0.0, 5.0 / 16.0, 13.0 / 16.0, 9.0 / 16.0, 1.0 / 16.0]);
    let ink: f32 = [&d.train, &d.val, &d.test].iter().flat_map(|s| &s.x).map(|v| v * 16.0).sum();
    assert_eq!(ink, 561_718.0, "the sum of all pixels in the source");
}

#[test]
fn unknown_data_name_suggests_the_nearest() {
    let message = load("fashon-mnist", None).unwrap_err().to_string();
    assert!(message.contains("did you mean `fashion-mnist`?") && message.contains(&NAMES.join(", ")), "{message}");
    assert!(!load("imagenet", None).unwrap_err().to_string().contains("did you mean"));
}

#[test]
fn a_set_that_is_not_here_says_how_to_get_it() {
    let message = load_cached("mnist", None, None).unwrap_err().to_string();
    assert!(message.contains("[data] dir = ") && message.contains("run `niwaki data get mnist`"), "{message}");
}

#[test]
fn a_fetched_set_needs_no_folder() {
    let cache = TempDir::new().unwrap();
    fs::rename(mnist_dir(IMAGES, LABELS).keep(), cache.path().join("mnist")).unwrap();
    assert_eq!(load_cached("mnist", None, Some(cache.path())).unwrap().test.y, [7, 9]);
    assert!(load_cached("fashion-mnist", None, Some(cache.path())).is_err());
    fs::remove_file(cache.path().join("mnist/t10k-labels-idx1-ubyte")).unwrap();
    assert!(matches!(load_cached("mnist", None, Some(cache.path())), Err(DataError::NeedsDir { .. })));
}

#[test]
fn idx_reads_plain_and_gzip_alike() {
    let dir = TempDir::new().unwrap();
    let plain = idx::read(&file(&dir, "plain", IMAGES)).unwrap();
    assert_eq!((plain.dims.as_slice(), plain.values[1]), ([2, 2, 3].as_slice(), 51));
    assert_eq!(idx::read(&file(&dir, "packed", &gz(IMAGES))).unwrap(), plain);
}

#[test]
fn truncated_idx_names_offset_expected_and_found_bytes() {
    assert_eq!(idx_error(&IMAGES[..20]), "the values at byte 16: expected 12 bytes, got 4");
    assert_eq!(idx_error(&gz(&IMAGES[..20])), "the values at byte 16: expected 12 bytes, got 4");
    assert_eq!(idx_error(&IMAGES[..10]), "the axis lengths at byte 4: expected 12 bytes, got 6");
    assert_eq!(idx_error(&[0, 0]), "the IDX magic number at byte 0: expected 4 bytes, got 2");
    assert_eq!(idx_error(&[]), "the IDX magic number at byte 0: expected 4 bytes, got 0");
}

#[test]
fn bytes_after_the_values_are_refused() {
    assert_eq!(idx_error(&[IMAGES, &[1, 2]].concat()), "the values at byte 16: expected 12 bytes, got more");
}

#[test]
fn wrong_idx_magic_shows_what_is_there() {
    let png = idx_error(b"\x89PNG\r\n");
    assert_eq!(png, "at byte 0: expected the IDX magic number 00 00 08 NN, got 89 50 4e 47");
    assert_eq!(idx_error(&[0, 0, 0x0d, 1, 0, 0, 0, 0]), "at byte 2: element type 0x0d; only 0x08 (u8) can be read");
    assert_eq!(idx_error(&[0, 0, 8, 0]), "at byte 3: 0 axes; 1 to 4 can be read");
}

#[test]
fn an_idx_header_that_lies_cannot_allocate() {
    let huge = [&[0, 0, 8, 3][..], &[0x7f, 0xff, 0xff, 0xff], &[0, 0, 0xff, 0xff], &[0, 0, 0, 1]].concat();
    assert!(idx_error(&huge).contains("got 0"));
    assert!(idx_error(&[&[0, 0, 8, 4][..], &[0xff; 16]].concat()).contains("more than a file can hold"));
}

#[test]
fn corrupt_gzip_names_the_file_and_the_offset() {
    let mut packed = gz(IMAGES);
    let checksum = packed.len() - 6;
    packed[checksum] ^= 1;
    assert!(idx_error(&packed).starts_with("damaged gzip data after 28 uncompressed bytes: "));
    let packed = gz(IMAGES);
    assert!(idx_error(&packed[..packed.len() - 9]).starts_with("damaged gzip data after "));
}

fn mnist_dir(images: &[u8], labels: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for part in ["train", "t10k"] {
        file(&dir, &format!("{part}-images-idx3-ubyte.gz"), &gz(images));
        file(&dir, &format!("{part}-labels-idx1-ubyte"), labels);
    }
    dir
}

#[test]
fn a_folder_of_idx_files_becomes_a_data_set() {
    let dir = mnist_dir(IMAGES, LABELS);
    let d = load("fashion-mnist", Some(dir.path())).unwrap();
    assert_eq!((d.name.as_str(), d.input_shape.as_slice()), ("fashion-mnist", [2, 3, 1].as_slice()));
    assert_eq!((d.train.y.as_slice(), d.val.y.as_slice(), d.test.y.as_slice()), (&[7][..], &[9][..], &[7, 9][..]));
    assert_eq!(d.train.sample(0)[1..4], [0.2, 0.4, 0.6]);
}

#[test]
fn labels_that_do_not_fit_the_images_are_refused() {
    let one_label = mnist_dir(IMAGES, &[0, 0, 8, 1, 0, 0, 0, 1, 7]);
    let message = load("mnist", Some(one_label.path())).unwrap_err().to_string();
    assert!(message.contains("one label for each of 2 images, got axes [1]"), "{message}");
    let class_ten = mnist_dir(IMAGES, &[0, 0, 8, 1, 0, 0, 0, 2, 7, 10]);
    let message = load("mnist", Some(class_ten.path())).unwrap_err().to_string();
    assert!(message.contains("label 10 at byte 9; 10 classes are known"), "{message}");
}

#[test]
fn a_missing_idx_file_is_named() {
    let message = load("mnist", Some(Path::new("/nowhere"))).unwrap_err().to_string();
    assert_eq!(message, "/nowhere: no file `train-images-idx3-ubyte.gz` or `train-images-idx3-ubyte`");
}

#[test]
fn io_errors_keep_their_source() {
    let error = idx::read(Path::new("/nowhere/x")).unwrap_err();
    assert!(matches!(&error, FileError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound));
    assert!(error.to_string().starts_with("/nowhere/x: cannot be read: "));
}
