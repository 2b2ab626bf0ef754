//! Arrays and files as they are written and read back, and what is said of damaged ones.

use super::{atomic, npy};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn file(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn npy_gives_back_what_was_written() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.npy");
    npy::write(&path, &[2, 1, 2], &[1.5f32, -0.0, f32::MIN_POSITIVE, 3.0]).unwrap();
    let array = npy::read::<f32>(&path).unwrap();
    assert_eq!(
        (array.shape.as_slice(), array.values.as_slice()),
        (&[2, 1, 2][..], &[1.5, -0.0, f32::MIN_POSITIVE, 3.0][..])
    );
    npy::write(&path, &[3], &[-128i8, 0, 127]).unwrap();
    assert!(matches!(npy::read_any(&path).unwrap(), npy::AnyArray::I8(a) if a.values == [-128, 0, 127]));
    npy::write(&path, &[2], &[0u8, 255]).unwrap();
    assert!(matches!(npy::read_any(&path).unwrap(), npy::AnyArray::U8(a) if a.values == [0, 255]));
    npy::write(&path, &[0, 4], &[0i32; 0]).unwrap();
    assert!(matches!(npy::read_any(&path).unwrap(), npy::AnyArray::I32(a) if a.shape == [0, 4]));
}

/// A version 1 file with this header text and these values.
fn npy_file(header: &str, values: &[u8]) -> Vec<u8> {
    let len = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], header.as_bytes(), values].concat()
}

#[test]
fn wrong_npy_type_names_both_types_and_the_remedy() {
    let dir = TempDir::new().unwrap();
    let doubles = npy_file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", &[0; 8]);
    let path = file(&dir, "x.npy", &doubles);
    let message = npy::read::<f32>(&path).unwrap_err().to_string();
    assert!(message.contains("expected elements of float32, got '<f8'; save x.astype(numpy.float32)"), "{message}");
    let message = npy::read_any(&path).unwrap_err().to_string();
    assert!(message.contains("float32, int8, uint8, int16, int32 or int64"), "{message}");
}

#[test]
fn damaged_npy_is_an_error_that_names_the_file() {
    let dir = TempDir::new().unwrap();
    let error = |bytes: &[u8]| {
        let message = npy::read::<i8>(&file(&dir, "x.npy", bytes)).unwrap_err().to_string();
        assert!(message.contains("x.npy: "), "{message}");
        message
    };
    let ok = "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }\n";
    assert!(error(&npy_file(ok, &[0; 5])).contains("expected 6 bytes, got 5"));
    assert!(error(&npy_file(ok, &[0; 7])).contains("expected 6 bytes, got more"));
    assert!(error(&npy_file(ok, &[])[..30]).contains("the header is 70 bytes long, the file 30"));
    assert!(error(b"hello, this is text").contains("not a .npy file"));
    assert!(error(&npy_file(&ok.replace("False", "True"), &[0; 6])).contains("numpy.ascontiguousarray"));
    for shape in ["(4294967296, 4294967296)", "(0, 4294967296, 4294967296)"] {
        assert!(error(&npy_file(&ok.replace("(2, 3)", shape), &[])).contains("larger than a file can be"));
    }
}

#[test]
fn npy_shape_must_hold_the_values() {
    let error = npy::write(Path::new("/nowhere/x.npy"), &[2, 2], &[1i32, 2, 3]).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/x.npy: shape [2, 2] does not hold 3 values");
}

#[test]
fn a_failed_write_names_the_file_and_leaves_the_old_one() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "model.bin", b"old");
    let full = |out: &mut dyn Write| {
        out.write_all(b"half")?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    };
    let message = atomic::write_with(&path, full).unwrap_err().to_string();
    assert_eq!(message, format!("{}: cannot write: no storage space", path.display()));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_write_replaces_the_file() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "model.bin", b"old");
    atomic::write(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    let error = atomic::write(&dir.path().join("none/x"), b"").unwrap_err();
    assert!(error.to_string().contains("none/x: cannot create a file beside it: "), "{error}");
}
