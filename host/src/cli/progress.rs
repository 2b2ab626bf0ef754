//! Progress bars on standard error, off where that is no terminal, and the words for events.

use crate::chip::Activity;
use crate::data::get;
use crate::io::format;
use crate::pipeline::RunEvent;
use crate::report::Stage;
use crate::train::TrainEvent;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Shows what goes on.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Whether log lines of tools and firmware are shown.
    verbose: bool,
    epochs: (usize, usize),
    steps: usize,
    /// Of several runs, the one that goes on.
    run: String,
}

impl Progress {
    pub(super) fn new(verbose: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if std::io::stderr().is_terminal() {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, verbose, epochs: (0, 0), steps: 1, run: String::new() }
    }

    /// What follows is about one run of several.
    pub(super) fn of(&mut self, run: &str) {
        self.run = format!("{run} · ");
        self.bar.set_message(self.run.clone());
    }

    /// A line that stays.
    pub(super) fn say(&self, line: &str) {
        if std::io::stderr().is_terminal() {
            self.bar.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("━╸─"));
        }
    }

    pub(super) fn event(&mut self, event: RunEvent<'_>) {
        match event {
            RunEvent::Train(event) => self.training(event),
            RunEvent::Chip(step) => self.chip(step),
            RunEvent::Stage(stage) => self.say(&stage_line(stage)),
        }
    }

    fn training(&mut self, event: TrainEvent<'_>) {
        match event {
            TrainEvent::Phase { phase, epochs, done } => {
                self.epochs = (done, epochs);
                self.style("{prefix:>9} {wide_bar} {pos}/{len} {msg}");
                self.bar.set_prefix(phase.to_string());
                self.bar.set_length(epochs as u64);
                self.bar.set_position(done as u64);
                if done > 0 && done < epochs {
                    self.say(&format!("  going on with the {phase} phase after epoch {done}"));
                }
            }
            TrainEvent::Step { done, of } => self.steps = of.saturating_sub(done),
            TrainEvent::Epoch(row) => {
                self.bar.set_position(row.epoch as u64);
                let val = format::percent(row.val_accuracy);
                self.bar.set_message(format!("{}loss {:.4} · val {val}", self.run, row.train_loss));
            }
        }
    }

    pub(super) fn chip(&mut self, step: Activity<'_>) {
        match step {
            Activity::Doing(what) => self.say(&format!("  {what}")),
            Activity::Tool(line) | Activity::Log(line) if self.verbose => self.say(&format!("    {line}")),
            Activity::Ran { done, total } => {
                self.style("{prefix:>9} {wide_bar} {pos}/{len} inputs");
                self.bar.set_prefix("chip");
                self.bar.set_length(total as u64);
                self.bar.set_position(done as u64);
            }
            _ => {}
        }
    }

    pub(super) fn download(&mut self, file: get::Progress) {
        self.style("{prefix} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}");
        self.bar.set_prefix(file.name);
        self.bar.set_length(file.total.unwrap_or(file.done));
        self.bar.set_position(file.done);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn stage_line(stage: &Stage) -> String {
    let mut line = format!("  {:<16} {}", stage.name, format::percent(stage.accuracy));
    line += &format!(" · {} MACs", format::count(stage.macs));
    if let Some(instructions) = stage.instructions {
        line += &format!(" · {} instructions", format::count(instructions));
    }
    line
}
