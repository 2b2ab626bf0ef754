//! Images in another size: what no formula may get wrong.

use super::*;

const GRIDS: [Grid; 3] = [
    Grid { align_corners: false, half_pixel_centers: false },
    Grid { align_corners: true, half_pixel_centers: false },
    Grid { align_corners: false, half_pixel_centers: true },
];

fn lens(op: &Resize) -> (usize, usize) {
    let channels = op.channels().get();
    (op.y.input() * op.x.input() * channels, op.y.output() * op.x.output() * channels)
}

#[test]
fn an_image_in_its_own_size_stays() {
    let mut rng = Lcg(32);
    for grid in GRIDS {
        let op = Resize::try_new([5, 7], [5, 7], 3, grid).unwrap();
        let x = rng.int8s(lens(&op).0);
        let (mut nearest, mut bilinear) = (vec![0; x.len()], vec![0; x.len()]);
        Portable::resize_nearest(&op, &x, &mut nearest).unwrap();
        Portable::resize_bilinear(&op, Rounding::Double, &x, &mut bilinear).unwrap();
        assert_eq!((nearest, bilinear), (x.clone(), x));
    }
}

#[test]
fn every_neighbour_lies_in_the_input() {
    let mut rng = Lcg(33);
    for _ in 0..4000 {
        let (input, output) = (1 + rng.below(300), 1 + rng.below(3000));
        let op = Resize::try_new([input, 1], [output, 1], 1, GRIDS[rng.below(3)]).unwrap();
        for o in [0, 1, output / 2, output - 1] {
            let (codes, floats) = (op.y.between_q10(o), op.y.between(o));
            let places = [op.y.nearest(o), codes.lower, codes.upper, floats.lower, floats.upper];
            assert!(places.iter().all(|&i| i < input), "{places:?} of {input} for {o} of {output}");
            assert!(codes.lower <= codes.upper && floats.lower <= floats.upper);
        }
    }
}

#[test]
fn interpolation_rounds_ties_as_the_mode_says() {
    let op = Resize::try_new([1, 2], [1, 4], 1, GRIDS[0]).unwrap();
    let blend = |x: [i8; 2], rounding| {
        let mut y = [0; 4];
        Portable::resize_bilinear(&op, rounding, &x, &mut y).unwrap();
        y
    };
    assert_eq!(blend([0, 1], Rounding::Double), [0, 1, 1, 1]);
    assert_eq!(blend([0, -1], Rounding::Double), [0, -1, -1, -1]);
    assert_eq!(blend([0, -1], Rounding::Single), [0, 0, -1, -1]);
}
