//! The golden files `goldens/tflm`: outputs of TensorFlow Lite Micro, each of one operator in one type.

use safetensors::{SafeTensors, tensor::Metadata};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Where the files are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/tflm")
}

/// The networks in a golden file; its metadata has their number.
///
/// # Errors
/// The file was not written by `tests/oracle/make.py`.
pub fn metadata(file: &[u8]) -> io::Result<(usize, HashMap<String, String>)> {
    let (_, header): (_, Metadata) = SafeTensors::read_metadata(file).map_err(io::Error::other)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let models = metadata.get("models").and_then(|count| count.parse().ok());
    Ok((models.ok_or_else(|| io::Error::other("the metadata has no number of models"))?, metadata))
}

/// Every network of one operator, as bytes of `.tflite` files.
///
/// # Errors
/// The folder or a file of it cannot be read.
pub fn networks() -> io::Result<Vec<Vec<u8>>> {
    let entries = fs::read_dir(folder())?.collect::<io::Result<Vec<_>>>()?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    paths.sort_unstable();
    let mut networks = Vec::new();
    for path in paths {
        let file = fs::read(path)?;
        let (models, _) = metadata(&file)?;
        let tensors = SafeTensors::deserialize(&file).map_err(io::Error::other)?;
        for k in 0..models {
            networks.push(tensors.tensor(&format!("{k}.tflite")).map_err(io::Error::other)?.data().to_vec());
        }
    }
    Ok(networks)
}
