//! Every key of a recipe and what it may hold: the one table that errors, suggestions and `--set` are made from.

use super::graph::GraphMethod;
use super::optimizer::{OptimizerName, Schedule};
use crate::hardware::Chip;
use crate::sparsify::options::Unit;
use crate::{data, zoo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, ops::Bound, str::FromStr};
use toml::Value;

/// A key of a recipe.
pub(super) struct Field {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) rule: Rule,
    /// No default: with `Section`, only where the section is written.
    pub(super) required: Required,
}

/// When a key must be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    Never,
    Always,
    Section,
}

/// What a key may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// Text that is not empty.
    Text(&'static str),
    OneOf(&'static [&'static str]),
    /// The name of a network.
    Zoo,
    /// Both ends allowed.
    Whole(i64, i64),
    /// Finite, between the bounds.
    Number(Bound<f64>, Bound<f64>),
    Size,
    Bool,
    /// Two whole numbers above 0.
    Pair,
    /// A table with one limit: `{ instructions = 0.3 }`.
    Budget,
    /// At least one of what the rule allows, none twice.
    List(&'static Rule),
}

/// As in [`crate::sparsify::options::Method::ALL`], which a test compares.
const METHODS: &[&str] =
    &["none", "wgsef", "magnitude", "group-lasso", "hspg", "sap", "rigl", "set", "rate-distortion"];
const GROUPS: &[&str] =
    &["filter", "layer", "weight", "input-channel", "filter-shape", "kernel-row", "kernel-column", "block"];

/// All methods but `none`, as they are compared.
const COMPARED: Rule = Rule::OneOf(METHODS.split_at(1).1);

const ABOVE_ZERO: Rule = Rule::Number(Bound::Excluded(0.0), Bound::Unbounded);
const FROM_ZERO: Rule = Rule::Number(Bound::Included(0.0), Bound::Unbounded);
const DECAY: Rule = Rule::Number(Bound::Included(0.0), Bound::Excluded(1.0));
const SHARE: Rule = Rule::Number(Bound::Excluded(0.0), Bound::Included(1.0));
const FRACTION: Rule = Rule::Number(Bound::Included(0.0), Bound::Included(1.0));
const SEED: Rule = Rule::Whole(0, i64::MAX);
const MAX_EPOCHS: i64 = 1_000_000;

const fn field(section: &'static str, key: &'static str, rule: Rule) -> Field {
    Field { section, key, rule, required: Required::Never }
}

/// In the order in which a recipe is written.
pub(super) const FIELDS: &[Field] = &[
    Field { required: Required::Always, ..field("data", "name", Rule::OneOf(data::NAMES)) },
    field("data", "dir", Rule::Text("the path of a folder")),
    field("model", "zoo", Rule::Zoo),
    field("model", "import", Rule::Text("the path of a .tflite file")),
    field("model", "run", Rule::Text("the folder of a run")),
    field("train", "epochs", Rule::Whole(0, MAX_EPOCHS)),
    field("train", "batch", Rule::Whole(1, 65_536)),
    field("train", "seed", SEED),
    field("train", "shift", Rule::Whole(0, 64)),
    field("train", "flip", Rule::Bool),
    field("optimizer", "name", Rule::OneOf(OptimizerName::NAMES)),
    field("optimizer", "lr", ABOVE_ZERO),
    field("optimizer", "schedule", Rule::OneOf(Schedule::NAMES)),
    field("optimizer", "weight_decay", FROM_ZERO),
    field("optimizer", "momentum", DECAY),
    field("optimizer", "beta1", DECAY),
    field("optimizer", "beta2", DECAY),
    field("optimizer", "epsilon", ABOVE_ZERO),
    Field { required: Required::Section, ..field("sparsity", "method", Rule::OneOf(METHODS)) },
    field("sparsity", "groups", Rule::OneOf(GROUPS)),
    field("sparsity", "block", Rule::Pair),
    field("sparsity", "keep", SHARE),
    field("sparsity", "budget", Rule::Budget),
    field("sparsity", "allocation", Rule::OneOf(&["uniform", "global", "rate-distortion"])),
    field("sparsity", "multiple", Rule::Whole(1, 64)),
    field("sparsity", "weights", Rule::OneOf(&["one", "size", "macs", "instructions"])),
    field("sparsity", "lambda", FROM_ZERO),
    field("sparsity", "metric", Rule::OneOf(&["euclidean", "adam"])),
    field("sparsity", "ramp_epochs", Rule::Whole(0, MAX_EPOCHS)),
    field("sparsity", "half_space_epochs", Rule::Whole(0, MAX_EPOCHS)),
    field("sparsity", "finetune_epochs", Rule::Whole(0, MAX_EPOCHS)),
    field("sparsity", "distill", FRACTION),
    field("sparsity", "temperature", ABOVE_ZERO),
    field("graph", "hidden", Rule::Whole(1, 65_536)),
    field("graph", "layers", Rule::Whole(2, 64)),
    field("graph", "method", Rule::OneOf(&GraphMethod::NAMES)),
    field("graph", "level", Rule::Whole(0, 1000)),
    field("graph", "keep_edges", Rule::Number(Bound::Included(0.0), Bound::Included(1.0))),
    field("graph", "keep_weights", SHARE),
    field("graph", "unit", Rule::OneOf(&["pair", "direction"])),
    field("graph", "distill", FROM_ZERO),
    field("graph", "choose_edges", Rule::Bool),
    field("quantize", "weights", Rule::OneOf(&["int8", "int4", "codebook"])),
    field("quantize", "ends", Rule::OneOf(&["int8", "int4", "codebook"])),
    field("quantize", "four_bits", Rule::List(&Rule::Text("the name of a layer"))),
    field("quantize", "fit", Rule::Bool),
    field("quantize", "activations", Rule::OneOf(&["int8"])),
    field("quantize", "calibration", Rule::OneOf(&["minmax", "moving-average", "percentile", "mse", "kl"])),
    // One look at the weights leaves nothing to average.
    field("quantize", "weight_calibration", Rule::OneOf(&["minmax", "percentile", "mse", "kl"])),
    field("quantize", "granularity", Rule::OneOf(&["channel", "tensor"])),
    field("quantize", "samples", Rule::Whole(1, 1_000_000)),
    field("quantize", "equalize", Rule::Bool),
    field("quantize", "bias_correction", Rule::Bool),
    field("quantize", "reconstruct", Rule::Whole(0, 1_000_000)),
    field("quantize", "qat_epochs", Rule::Whole(0, MAX_EPOCHS)),
    field("quantize", "qat_lr", ABOVE_ZERO),
    field("quantize", "qat_distill", FRACTION),
    field("quantize", "lsq", Rule::Bool),
    field("target", "chip", Rule::OneOf(Chip::TARGETS)),
    field("target", "ram", Rule::Size),
    field("target", "flash", Rule::Size),
    field("target", "instructions", Rule::Whole(1, i64::MAX)),
    field("target", "least", Rule::OneOf(&["instructions", "flash"])),
    field("compare", "methods", Rule::List(&COMPARED)),
    field("compare", "keeps", Rule::List(&SHARE)),
    field("compare", "seeds", Rule::List(&SEED)),
    field("compare", "unit", Rule::OneOf(&Unit::NAMES)),
];

/// Every section once, in order.
pub(super) fn sections() -> Vec<&'static str> {
    let mut names: Vec<_> = FIELDS.iter().map(|f| f.section).collect();
    names.dedup();
    names
}

/// The keys of a section, in order.
pub(super) fn keys(section: &str) -> Vec<&'static str> {
    FIELDS.iter().filter(|f| f.section == section).map(|f| f.key).collect()
}

/// The key called `section.key`.
pub(super) fn find(section: &str, key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|f| f.section == section && f.key == key)
}

impl Rule {
    /// Whether `value` may stand here. Whole numbers are fine where a number with a fraction is.
    pub(super) fn allows(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(_), Value::String(text)) => !text.is_empty(),
            (Self::OneOf(_) | Self::Zoo, Value::String(text)) => self.names().contains(&text.as_str()),
            (Self::Whole(min, max), Value::Integer(n)) => (*min..=*max).contains(n),
            (Self::Number(..), Value::Integer(n)) => self.contains(*n as f64),
            (Self::Number(..), Value::Float(x)) => self.contains(*x),
            (Self::Size, Value::String(text)) => text.parse::<Size>().is_ok(),
            (Self::Size, Value::Integer(n)) => *n > 0,
            (Self::Pair, Value::Array(pair)) => {
                pair.len() == 2 && pair.iter().all(|n| n.as_integer().is_some_and(|n| (1..=4096).contains(&n)))
            }
            (Self::Budget, Value::Table(table)) => {
                let limit = |v: &Value| v.as_float().or(v.as_integer().map(|n| n as f64));
                let known = |(unit, v): (&String, &Value)| {
                    Unit::by_name(unit).is_some() && limit(v).is_some_and(|x| x.is_finite() && x > 0.0)
                };
                table.len() == 1 && table.iter().all(known)
            }
            (Self::List(rule), Value::Array(list)) => {
                let new = |(i, v): (usize, &Value)| rule.allows(v) && !list[..i].contains(v);
                !list.is_empty() && list.iter().enumerate().all(new)
            }
            (Self::Bool, Value::Boolean(_)) => true,
            _ => false,
        }
    }

    fn contains(&self, x: f64) -> bool {
        matches!(self, Self::Number(low, high) if x.is_finite() && std::ops::RangeBounds::contains(&(*low, *high), &x))
    }

    /// The values to choose from; empty where the choice is not a list.
    pub(super) fn names(&self) -> Vec<&'static str> {
        match self {
            Self::OneOf(names) => names.to_vec(),
            Self::Zoo => zoo::ENTRIES.iter().map(|e| e.name).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a value is text even when it looks like a number.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_) | Self::OneOf(_) | Self::Zoo)
    }
}

/// In words, after "allowed:".
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(what) => f.write_str(what),
            Self::OneOf(_) | Self::Zoo => {
                let quoted: Vec<String> = self.names().iter().map(|n| format!("\"{n}\"")).collect();
                f.write_str(&quoted.join(", "))
            }
            Self::Whole(min, i64::MAX) => write!(f, "a whole number from {min} to 2^63 - 1"),
            Self::Whole(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::Number(low, high) => {
                match low {
                    Bound::Excluded(x) => write!(f, "a number above {x}")?,
                    Bound::Included(x) => write!(f, "a number from {x}")?,
                    Bound::Unbounded => f.write_str("a number")?,
                }
                match high {
                    Bound::Excluded(x) => write!(f, ", below {x}"),
                    Bound::Included(x) => write!(f, ", at most {x}"),
                    Bound::Unbounded => Ok(()),
                }
            }
            Self::Pair => f.write_str("two whole numbers from 1 to 4096, as in [4, 1]"),
            Self::Budget => f.write_str(
                "{ macs = N }, { bytes = N } or { instructions = N }; N up to 1 is a share of the dense network",
            ),
            Self::List(rule) => write!(f, "a list of one or more, none twice; each {rule}"),
            Self::Size => f.write_str("bytes, as in 65536, \"64K\" or \"1M\""),
            Self::Bool => f.write_str("true or false"),
        }
    }
}

/// A number of bytes, written `65536`, `"64K"` or `"1M"` (1024s; `KiB` and `MiB` mean the same). Above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is not a size; allowed: {}", Rule::Size);
        let text = text.trim();
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match text[digits.len()..].trim() {
            "" | "B" => 1,
            "K" | "KB" | "KiB" => 1 << 10,
            "M" | "MB" | "MiB" => 1 << 20,
            _ => return Err(refused()),
        };
        let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n > 0);
        bytes.map(Self).ok_or_else(refused)
    }
}

/// With the largest unit that keeps it whole.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n.is_multiple_of(1 << 20) => write!(f, "{}M", n >> 20),
            n if n.is_multiple_of(1 << 10) => write!(f, "{}K", n >> 10),
            n => write!(f, "{n}"),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.parse().map_err(serde::de::Error::custom)
    }
}
