//! Copies against what the operators that are made of them mean.

use super::*;
use crate::error::ShapeError;

const SIZES: [usize; 3] = [1, 2, 4];

fn shape(rng: &mut Lcg) -> [usize; AXES] {
    core::array::from_fn(|_| 1 + rng.below(5))
}

fn indices(shape: [usize; AXES]) -> impl Iterator<Item = [usize; AXES]> {
    let [a, b, c, d] = shape;
    (0..a * b * c * d).map(move |i| [i / (b * c * d), i / (c * d) % b, i / d % c, i % d])
}

fn at(shape: [usize; AXES], i: [usize; AXES]) -> usize {
    ((i[0] * shape[1] + i[1]) * shape[2] + i[2]) * shape[3] + i[3]
}

fn len(shape: [usize; AXES]) -> usize {
    shape.iter().product()
}

/// Elements of `bytes` bytes, `len` of them.
fn elements(rng: &mut Lcg, len: usize, bytes: usize) -> Vec<u8> {
    (0..len * bytes).map(|_| rng.next() as u8).collect()
}

fn element(values: &[u8], at: usize, bytes: usize) -> &[u8] {
    &values[at * bytes..][..bytes]
}

#[test]
fn a_slice_takes_every_so_many_elements_in_either_direction() {
    let mut rng = Lcg(21);
    for case in 0..600 {
        let (x_shape, bytes) = (shape(&mut rng), SIZES[case % 3]);
        let (mut begin, mut strides, mut sizes) = ([0; AXES], [1; AXES], [1; AXES]);
        for axis in 0..AXES {
            begin[axis] = rng.below(x_shape[axis]);
            let stride = 1 + rng.below(3);
            let (room, sign) = match rng.below(2) {
                0 => (x_shape[axis] - 1 - begin[axis], 1),
                _ => (begin[axis], -1),
            };
            strides[axis] = sign * stride as isize;
            sizes[axis] = 1 + rng.below(room / stride + 1);
        }
        let op = StridedCopy::slice(x_shape, begin, strides, sizes, bytes).unwrap();
        let x = elements(&mut rng, len(x_shape), bytes);
        let mut y = vec![0_u8; len(sizes) * bytes];
        Portable::strided_copy(&op, &x, &mut y).unwrap();
        for i in indices(sizes) {
            let from = core::array::from_fn(|a| (begin[a] as isize + i[a] as isize * strides[a]) as usize);
            assert_eq!(element(&y, at(sizes, i), bytes), element(&x, at(x_shape, from), bytes), "{op:?} {i:?}");
        }
    }
}

#[test]
fn a_transposition_permutes_the_index() {
    let mut rng = Lcg(22);
    for case in 0..600 {
        let (x_shape, bytes) = (shape(&mut rng), SIZES[case % 3]);
        let mut order = [0, 1, 2, 3];
        (0..AXES).for_each(|i| order.swap(i, rng.below(AXES)));
        let op = StridedCopy::transpose(x_shape, order, bytes).unwrap();
        let y_shape = order.map(|axis| x_shape[axis]);
        assert_eq!(op.sizes(), y_shape);
        let x = elements(&mut rng, len(x_shape), bytes);
        let mut y = vec![0_u8; x.len()];
        Portable::strided_copy(&op, &x, &mut y).unwrap();
        for i in indices(y_shape) {
            let mut from = [0; AXES];
            (0..AXES).for_each(|a| from[order[a]] = i[a]);
            assert_eq!(element(&y, at(y_shape, i), bytes), element(&x, at(x_shape, from), bytes));
        }
    }
}

#[test]
fn a_padded_tensor_is_the_input_with_a_border() {
    let mut rng = Lcg(23);
    for case in 0..600 {
        let (x_shape, bytes) = (shape(&mut rng), SIZES[case % 3]);
        let before: [usize; AXES] = core::array::from_fn(|_| rng.below(3));
        let y_shape: [usize; AXES] = core::array::from_fn(|a| before[a] + x_shape[a] + rng.below(3));
        let op = StridedCopy::place(x_shape, before, y_shape, bytes).unwrap();
        let (x, border) = (elements(&mut rng, len(x_shape), bytes), elements(&mut rng, 1, bytes));
        let mut y = vec![0_u8; len(y_shape) * bytes];
        Portable::pad(&op, &border, &x, &mut y).unwrap();
        for i in indices(y_shape) {
            let inside = (0..AXES).all(|a| (before[a]..before[a] + x_shape[a]).contains(&i[a]));
            let want = match inside {
                true => element(&x, at(x_shape, core::array::from_fn(|a| i[a] - before[a])), bytes),
                false => &border,
            };
            assert_eq!(element(&y, at(y_shape, i), bytes), want);
        }
    }
}

#[test]
fn operands_placed_one_after_the_other_fill_the_output() {
    let mut rng = Lcg(24);
    for case in 0..300 {
        let (mut y_shape, bytes, axis) = (shape(&mut rng), SIZES[case % 3], rng.below(AXES));
        let widths: Vec<usize> = (0..1 + rng.below(6)).map(|_| 1 + rng.below(4)).collect();
        y_shape[axis] = widths.iter().sum();
        let mut y = vec![0_u8; len(y_shape) * bytes];
        let (mut want, mut offset) = (y.clone(), 0);
        for width in widths {
            let (mut x_shape, mut place) = (y_shape, [0; AXES]);
            (x_shape[axis], place[axis]) = (width, offset);
            let op = StridedCopy::place(x_shape, place, y_shape, bytes).unwrap();
            let x = elements(&mut rng, len(x_shape), bytes);
            Portable::strided_copy(&op, &x, &mut y).unwrap();
            for i in indices(x_shape) {
                let mut to = i;
                to[axis] += offset;
                let to = at(y_shape, to) * bytes;
                want[to..to + bytes].copy_from_slice(element(&x, at(x_shape, i), bytes));
            }
            offset += width;
        }
        assert_eq!(y, want);
    }
}

#[test]
fn a_copy_that_would_leave_a_tensor_is_refused() {
    let ones = [1; AXES];
    let slice = |begin, stride, size| {
        StridedCopy::slice([5, 1, 1, 1], [begin, 0, 0, 0], [stride, 1, 1, 1], [size, 1, 1, 1], 1).map(|_| ())
    };
    let bad = |value| Err(ShapeError::Dim { name: "begin", value });
    assert_eq!((slice(4, -2, 3), slice(0, 4, 2)), (Ok(()), Ok(())));
    assert_eq!((slice(4, -2, 4), slice(3, -2, 3), slice(0, 5, 2)), (bad(4), bad(3), bad(0)));
    assert_eq!((slice(5, 1, 1), slice(0, isize::MAX, 2), slice(0, isize::MIN, 2)), (bad(5), bad(0), bad(0)));
    assert!(slice(0, 1, 0).is_err() && StridedCopy::place([3, 1, 1, 1], [1, 0, 0, 0], [3, 1, 1, 1], 1).is_err());
    let order = |order| StridedCopy::transpose(ones, order, 1).map(|_| ());
    assert_eq!(order([0, 1, 1, 3]), Err(ShapeError::Dim { name: "order", value: 1 }));
    assert_eq!(order([0, 1, 2, 4]), Err(ShapeError::Dim { name: "order", value: 4 }));
}

#[test]
fn a_copy_of_the_wrong_length_names_the_operand() {
    let op = StridedCopy::transpose([2, 3, 1, 1], [1, 0, 2, 3], 2).unwrap();
    let wrong = |operand, got| Err(ShapeError::Len { operand, expected: 12, got });
    assert_eq!(Portable::strided_copy(&op, &[0; 11], &mut [0; 12]), wrong("x", 11));
    assert_eq!(Portable::strided_copy(&op, &[0; 12], &mut [0; 13]), wrong("y", 13));
    let border = Err(ShapeError::Len { operand: "border", expected: 2, got: 1 });
    assert_eq!(Portable::pad(&op, &[0], &[0; 12], &mut [0; 12]), border);
}
