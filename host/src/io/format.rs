//! Numbers as people read them: three significant digits and a unit.

/// Three significant digits of a value below 1000.
fn digits(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// Divides by `base` until what will be shown is below it.
fn scaled(value: u64, base: f64, units: &[&str]) -> String {
    let mut shown = value as f64;
    let mut unit = 0;
    while shown.round() >= base && unit + 1 < units.len() {
        shown /= base;
        unit += 1;
    }
    if unit == 0 { format!("{value}{}", units[0]) } else { format!("{}{}", digits(shown), units[unit]) }
}

/// The end of a name of more than `most` characters: what tells it from its neighbours mostly stands there.
pub fn shortened(name: &str, most: usize) -> String {
    match name.char_indices().rev().nth(most) {
        None => name.to_owned(),
        Some(_) => {
            let from = name.char_indices().rev().nth(most.saturating_sub(2)).map_or(0, |(at, _)| at);
            format!("…{}", &name[from..])
        }
    }
}

/// `812 B`, `12.3 KiB`, `1.50 MiB`
pub fn bytes(value: u64) -> String {
    scaled(value, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB"])
}

/// `812`, `12.3 k`, `1.53 M`
pub fn count(value: u64) -> String {
    scaled(value, 1000.0, &["", " k", " M", " G", " T"])
}

/// Every digit, in groups of three: `1,530,412`.
pub fn exact(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share of 1 as `97.2 %`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "–".into() }
}

/// `value / base` as `0.31×`; `None` where `base` is 0.
pub fn ratio(value: u64, base: u64) -> Option<String> {
    (base > 0).then(|| {
        let ratio = value as f64 / base as f64;
        // Two digits of a small ratio would be one or none.
        if ratio > 0.0 && ratio < 0.0995 { format!("{ratio:.3}×") } else { format!("{}×", digits(ratio)) }
    })
}

/// `0.6 points below dense`, `as many as dense`.
pub fn points_from(value: f64, base: f64, base_name: &str) -> String {
    let points = (value - base) * 100.0;
    let side = if points < 0.0 { "below" } else { "above" };
    match points.abs() {
        p if !p.is_finite() => format!("not comparable with {base_name}"),
        p if p < 0.05 => format!("as many as {base_name}"),
        p => format!("{p:.1} points {side} {base_name}"),
    }
}

/// `0.42 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`
pub fn seconds(value: f64) -> String {
    let whole = value.round();
    if !value.is_finite() || value < 0.0 {
        "–".into()
    } else if whole < 60.0 {
        format!("{} s", digits(value))
    } else if whole < 3600.0 {
        format!("{} min {:02} s", (whole / 60.0).floor(), whole % 60.0)
    } else {
        let minutes = (value / 60.0).round();
        format!("{} h {:02} min", (minutes / 60.0).floor(), minutes % 60.0)
    }
}

/// A shape as `8×8×16`.
pub fn shape(axes: &[usize]) -> String {
    let axes: Vec<String> = axes.iter().map(usize::to_string).collect();
    if axes.is_empty() { "scalar".into() } else { axes.join("×") }
}
