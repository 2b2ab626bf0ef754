//! The firmware's images: they build for every chip, nothing in them can panic, and they fit their budgets.

use crate::budgets;
use crate::objects::forbidden;
use crate::run::{Context, Outcome, Verdict};
use niwaki::chip::{self, Activity, Chip, Image};

/// The images of the emulated Cortex-M4, with every operator.
pub(crate) fn images() -> Result<Image, String> {
    images_of(Chip::CortexM4)
}

fn images_of(chip: Chip) -> Result<Image, String> {
    let mut log = Vec::new();
    let image = chip::images(chip, &mut |step| {
        if let Activity::Tool(line) | Activity::Doing(line) = step {
            log.push(line.to_owned());
        }
    });
    image.map_err(|error| format!("{error}\n{}", log.join("\n")))?.ok_or_else(|| "the chip has no firmware".to_owned())
}

/// The gate: flash budgets, and no panic in the image that does jobs or in the smallest one around a session.
pub(crate) fn firmware(context: &Context) -> Outcome {
    let mut notes = Vec::new();
    for &chip in Chip::EMULATED {
        let image = images_of(chip)?;
        for path in [&image.runner, &image.footprint] {
            let panics = forbidden(path)?;
            if !panics.is_empty() {
                let panics: Vec<String> = panics.into_iter().collect();
                return Err(format!("{}: can panic:\n{}", path.display(), panics.join("\n")));
            }
        }
        notes.push(format!("{chip}: runner and footprint have no panic as linked"));
    }
    notes.extend(budgets::compare(context, &budgets::flash(&images()?)?)?);
    Ok(Verdict::Passed(notes))
}
