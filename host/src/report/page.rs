//! What every HTML page has: its style, head and foot, and text that is no markup.

use std::fmt::{self, Write};

const STYLE: &str = include_str!("style.css");
/// A pruned pine.
const TREE: &str = include_str!("tree.svg");

/// Text that cannot be taken for markup, in content and in attributes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Not allowed in HTML, not even escaped.
                c if c.is_control() && !c.is_whitespace() => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Whether a verdict is an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
}

/// What stands above and around the content of a page.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) subject: &'a str,
    /// A line each.
    pub(super) verdict: &'a [String],
    pub(super) tone: Tone,
}

impl Page<'_> {
    /// The whole page; `content` is markup.
    pub(super) fn around(&self, content: &str) -> String {
        let title = Text(self.title);
        let verdict: Vec<String> = self.verdict.iter().map(|line| Text(line).to_string()).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<header>{TREE}<div><h1>{title}</h1><p class=\"subject\">{}</p></div></header>\n\
         <p class=\"verdict{}\">{}</p>\n{content}\
         <footer>niwaki {}: train, prune, quantise, plant.</footer>\n</body>\n</html>\n",
            Text(self.subject),
            if self.tone == Tone::Bad { " bad" } else { "" },
            verdict.join("<br>"),
            env!("CARGO_PKG_VERSION"),
        )
    }
}
