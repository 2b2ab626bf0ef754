//! From text and `--set` arguments to a checked [`Recipe`], and back.

use super::{
    Place, Recipe, RecipeError,
    fields::{self, FIELDS, Required, Rule},
};
use crate::data::nearest;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};
use toml::{Table, Value, de::DeTable};

impl Recipe {
    /// Reads a recipe file, then applies `sets`, each `section.key=value`.
    ///
    /// # Errors
    /// As [`Recipe::parse`], and [`RecipeError::Read`].
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, RecipeError> {
        let text = fs::read_to_string(path).map_err(|source| RecipeError::Read { path: path.into(), source })?;
        Self::parse(&text, &path.display().to_string(), sets)
    }

    /// Reads a recipe, then applies `sets`, each `section.key=value`; `file` is how errors call the text.
    ///
    /// # Errors
    /// Where the text is not TOML, a section or key is unknown, a value is out of its range, or a key without a default
    /// is missing; with the place of what is wrong.
    pub fn parse(text: &str, file: &str, sets: &[String]) -> Result<Self, RecipeError> {
        let mut places = check_names(text, file)?;
        let mut table: Table = text.parse().map_err(|e| syntax(&e, text, file))?;
        for assignment in sets {
            let key = apply_named(&mut table, assignment)?;
            places.insert(key, Place::Set(assignment.clone()));
        }
        check_values(&table, file, &places)?;
        let recipe = Self::from_checked(table, file)?;
        check_together(&recipe, &places)?;
        Ok(recipe)
    }

    /// The recipe as TOML, with every default that applied written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe holds nothing that TOML cannot write")
    }

    fn from_checked(table: Table, file: &str) -> Result<Self, RecipeError> {
        let given = |section: &str, key| table.get(section).is_some_and(|s| s.get(key).is_some());
        let decay_given = given("optimizer", "weight_decay");
        let weight_calibration_given = given("quantize", "weight_calibration");
        let mut recipe = Self::deserialize(table).map_err(|e| RecipeError::Syntax {
            place: Box::new(Place::Nowhere),
            message: format!("{file}: {}", e.message()),
        })?;
        if !decay_given {
            recipe.optimizer.weight_decay = recipe.optimizer.name.weight_decay();
        }
        if !weight_calibration_given {
            recipe.quantize.weight_calibration = recipe.quantize.weights.weight_calibration();
        }
        Ok(recipe)
    }
}

/// Overrides one value: `assignment` is `section.key=value`, the value in TOML or as a bare word.
///
/// # Errors
/// [`RecipeError::Set`] without `.` or `=`; [`RecipeError::Unknown`] and [`RecipeError::Value`] as in a file.
pub fn apply_set(table: &mut Table, assignment: &str) -> Result<(), RecipeError> {
    apply_named(table, assignment).map(|_| ())
}

/// As [`apply_set`]; gives back `section.key`.
fn apply_named(table: &mut Table, assignment: &str) -> Result<String, RecipeError> {
    let malformed = || RecipeError::Set { assignment: assignment.into() };
    let (path, text) = assignment.split_once('=').ok_or_else(malformed)?;
    let (section, key) = path.trim().split_once('.').ok_or_else(malformed)?;
    let text = text.trim();
    let place = || Place::Set(assignment.into());
    known_section(section, place)?;
    known_key(section, key, place)?;
    let rule = fields::find(section, key).ok_or_else(malformed)?.rule;
    let value = override_value(text, rule);
    if !rule.allows(&value) {
        return Err(refused(place(), &format!("{section}.{key}"), &value, rule));
    }
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    entry.as_table_mut().ok_or_else(malformed)?.insert(key.into(), value);
    Ok(format!("{section}.{key}"))
}

/// The value as TOML; what is not TOML, or a name, is text.
fn override_value(text: &str, rule: Rule) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().filter(|t| t.len() == 1);
    match parsed.and_then(|mut t| t.remove("value")) {
        Some(value) if value.is_str() || !rule.is_text() => value,
        _ => Value::String(text.into()),
    }
}

/// Refuses unknown sections and keys; gives back where each `section` and `section.key` has its value.
fn check_names(text: &str, file: &str) -> Result<BTreeMap<String, Place>, RecipeError> {
    let at = |offset| Place::at(file, text, offset);
    let document = DeTable::parse(text).map_err(|e| syntax(&e, text, file))?;
    let mut places = BTreeMap::new();
    for (section, content) in document.get_ref() {
        let name = section.get_ref().as_ref();
        known_section(name, || at(section.span().start))?;
        places.insert(name.to_owned(), at(section.span().start));
        for (key, value) in content.get_ref().as_table().into_iter().flatten() {
            known_key(name, key.get_ref(), || at(key.span().start))?;
            places.insert(format!("{name}.{}", key.get_ref()), at(value.span().start));
        }
    }
    Ok(places)
}

/// Refuses values that their key may not have, and missing ones.
fn check_values(table: &Table, file: &str, places: &BTreeMap<String, Place>) -> Result<(), RecipeError> {
    let place = |key: &str| places.get(key).cloned().unwrap_or(Place::Nowhere);
    for (name, section) in table {
        if !section.is_table() {
            return Err(RecipeError::Value {
                place: Box::new(place(name)),
                key: name.clone(),
                value: section.to_string(),
                nearest: None,
                allowed: format!("a section: [{name}] on a line of its own, its keys below"),
            });
        }
    }
    for field in FIELDS {
        let key = format!("{}.{}", field.section, field.key);
        let section = table.get(field.section);
        match section.and_then(|s| s.get(field.key)) {
            Some(value) if !field.rule.allows(value) => return Err(refused(place(&key), &key, value, field.rule)),
            Some(_) => {}
            None if field.required == Required::Always
                || (field.required == Required::Section && section.is_some()) =>
            {
                return Err(RecipeError::Missing { file: file.into(), key, allowed: field.rule.to_string() });
            }
            None => {}
        }
    }
    let sources = table.get("model").and_then(Value::as_table).map_or(0, Table::len);
    match sources {
        1 => Ok(()),
        0 => {
            let allowed = format!("{}; or model.import or model.run", Rule::Zoo);
            Err(RecipeError::Missing { file: file.into(), key: "model.zoo".into(), allowed })
        }
        _ => {
            let allowed = "one of zoo, import and run".into();
            let value = "not one network".into();
            Err(RecipeError::Value {
                place: Box::new(place("model")),
                key: "model".into(),
                value,
                nearest: None,
                allowed,
            })
        }
    }
}

/// Refuses values that do not go together.
fn check_together(recipe: &Recipe, places: &BTreeMap<String, Place>) -> Result<(), RecipeError> {
    if recipe.quantize.trains_codebook() {
        let key = "quantize.qat_epochs";
        return Err(RecipeError::Value {
            place: Box::new(places.get(key).cloned().unwrap_or(Place::Nowhere)),
            key: key.into(),
            value: recipe.quantize.qat_epochs.to_string(),
            nearest: None,
            allowed: "0 where weights are \"codebook\", whose values are chosen after training".into(),
        });
    }
    if recipe.quantize.fit && recipe.quantize.qat_epochs > 0 {
        let key = "quantize.fit";
        return Err(RecipeError::Value {
            place: Box::new(places.get(key).cloned().unwrap_or(Place::Nowhere)),
            key: key.into(),
            value: "true".into(),
            nearest: None,
            allowed: "false with qat_epochs, which trains for bits that are chosen before: name layers in four_bits"
                .into(),
        });
    }
    Ok(())
}

fn syntax(error: &toml::de::Error, text: &str, file: &str) -> RecipeError {
    let place = Box::new(Place::at(file, text, error.span().map_or(0, |s| s.start)));
    RecipeError::Syntax { place, message: error.message().into() }
}

fn known_section(name: &str, place: impl FnOnce() -> Place) -> Result<(), RecipeError> {
    known("section", name, &fields::sections(), place)
}

fn known_key(section: &str, key: &str, place: impl FnOnce() -> Place) -> Result<(), RecipeError> {
    known(&format!("key in [{section}]"), key, &fields::keys(section), place)
}

fn known(what: &str, name: &str, known: &[&'static str], place: impl FnOnce() -> Place) -> Result<(), RecipeError> {
    if known.contains(&name) {
        return Ok(());
    }
    let (what, nearest) = (what.into(), nearest(name, known));
    Err(RecipeError::Unknown { place: Box::new(place()), what, name: name.into(), nearest, known: known.join(", ") })
}

fn refused(place: Place, key: &str, value: &Value, rule: Rule) -> RecipeError {
    // What is wrong with a list is said of its first wrong element.
    if let (Rule::List(rule), Some(list)) = (rule, value.as_array())
        && let Some(wrong) = list.iter().find(|v| !rule.allows(v))
    {
        return refused(place, key, wrong, *rule);
    }
    let nearest = value.as_str().and_then(|v| nearest(v, &rule.names()));
    let place = Box::new(place);
    RecipeError::Value { place, key: key.into(), value: value.to_string(), nearest, allowed: rule.to_string() }
}
