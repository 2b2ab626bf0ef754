//! The firmware's images: they build, core brings no panic into them, and they fit their budgets.

use crate::budgets;
use crate::objects::forbidden;
use crate::run::{Context, Outcome, Verdict};
use niwaki::chip::{self, Chip, Image, Step};

/// The images of the emulated Cortex-M4, with every operator.
pub(crate) fn images() -> Result<Image, String> {
    let mut log = Vec::new();
    let image = chip::images(Chip::CortexM4, &mut |step| {
        if let Step::Tool(line) | Step::Doing(line) = step {
            log.push(line.to_owned());
        }
    });
    image.map_err(|error| format!("{error}\n{}", log.join("\n")))?.ok_or_else(|| "the chip has no firmware".to_owned())
}

/// The gate: flash budgets, and no panic in the smallest image around a session.
pub(crate) fn firmware(context: &Context) -> Outcome {
    let image = images()?;
    let panics = forbidden(&image.footprint)?;
    if !panics.is_empty() {
        let panics: Vec<String> = panics.into_iter().collect();
        return Err(format!("{}: can panic:\n{}", image.footprint.display(), panics.join("\n")));
    }
    let mut notes = vec!["footprint on cortex-m4: no panic as linked".to_owned()];
    notes.extend(budgets::compare(context, &budgets::flash(&image)?)?);
    Ok(Verdict::Passed(notes))
}
