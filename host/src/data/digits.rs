//! The bundled handwritten digits; source, layout and licence in host/data/README.md.

use super::{Dataset, Split};
use std::io::Read;

const PACKED: &[u8] = include_bytes!("../../data/digits.u8.gz");
const PIXELS: usize = 64;
const ROWS: usize = 1797;
const TRAIN_ROWS: usize = 1300;
const VAL_ROWS: usize = 137;

/// 1300 training, 137 validation and 360 test samples of shape `[8, 8, 1]`, ten classes.
pub(super) fn load() -> Dataset {
    let mut raw = Vec::with_capacity(ROWS * (PIXELS + 1));
    flate2::read::GzDecoder::new(PACKED).read_to_end(&mut raw).expect("the bundled file is whole: a test reads it");
    let mut train = Split::default();
    for row in raw.chunks_exact(PIXELS + 1) {
        train.x.extend(row[..PIXELS].iter().map(|&v| f32::from(v) / 16.0));
        train.y.push(u32::from(row[PIXELS]));
    }
    let test = train.split_off(TRAIN_ROWS + VAL_ROWS);
    let val = train.split_off(TRAIN_ROWS);
    Dataset { name: "digits".into(), input_shape: vec![8, 8, 1], classes: 10, train, val, test }
}
