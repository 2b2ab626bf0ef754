//! The table of operators, looked at as a whole.

use super::{ALL, Layout, OpCode};

#[test]
fn rows_ascend_so_that_they_can_be_found_by_halving() {
    let key = |row: &crate::format::Operator| (row.code, row.dtype.code());
    assert!(ALL.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
}

#[test]
fn every_operator_has_a_code_for_plain_weights_and_every_code_a_row() {
    for code in OpCode::ALL {
        assert_eq!(OpCode::from(code.op()).layout(), Layout::Plain, "{code:?}");
        assert_ne!(OpCode::from(code.op()).byte(), 0, "{code:?}");
        assert_eq!(OpCode::of(code.op(), code.layout()), Some(*code));
        assert_eq!(OpCode::from_byte(code.byte()), Some(*code));
        assert!(ALL.iter().any(|row| row.code == code.byte()), "{code:?}");
    }
}

#[test]
fn every_row_has_the_name_of_its_constant() {
    for row in ALL {
        let code = OpCode::from_byte(row.code).unwrap();
        let expected = format!("{}_{}", code.name(), row.dtype.name()).to_uppercase();
        assert_eq!(row.constant_name(), Some(expected.as_str()));
    }
}
