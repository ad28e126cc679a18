//! Colours and symbols: one accent, severities coloured and always written.
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};

use super::args::ColorChoice;

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary.
    Plain,
    /// Names that a reader looks for.
    Accent,
    /// Less important.
    Dim,
    /// Headings.
    Strong,
    /// High severity, errors.
    High,
    /// Medium severity, warnings.
    Medium,
    /// Low severity.
    Low,
}

/// How to write to one stream.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    color: bool,
    /// UTF-8 symbols may be used.
    pub unicode: bool,
    /// The stream is a terminal.
    pub terminal: bool,
}

impl Ui {
    /// For standard error.
    pub fn stderr(choice: ColorChoice) -> Ui {
        Ui::new(choice, std::io::stderr().is_terminal())
    }
    /// For standard output.
    pub fn stdout(choice: ColorChoice) -> Ui {
        Ui::new(choice, std::io::stdout().is_terminal())
    }
    fn new(choice: ColorChoice, terminal: bool) -> Ui {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0");
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto => set("CLICOLOR_FORCE") || terminal,
        };
        let utf8 = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
            .is_some_and(|v| v.to_ascii_lowercase().contains("utf"));
        Ui { color, unicode: utf8 || !terminal, terminal }
    }
    /// `text` in the colour of `role`.
    pub fn paint(&self, role: Role, text: &str) -> String {
        if !self.color || role == Role::Plain {
            return text.to_owned();
        }
        let style = match role {
            Role::Plain => Style::new(),
            Role::Accent => AnsiColor::Cyan.on_default(),
            Role::Dim => Style::new().dimmed(),
            Role::Strong => Style::new().bold(),
            Role::High => AnsiColor::Red.on_default().bold(),
            Role::Medium => AnsiColor::Yellow.on_default().bold(),
            Role::Low => AnsiColor::Blue.on_default().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// A line that standard output did not take.
static OUTPUT_FAILED: AtomicBool = AtomicBool::new(false);

/// Standard output did not take a line; it has been said.
pub fn output_failed() -> bool {
    OUTPUT_FAILED.load(Ordering::Relaxed)
}

/// Writes a line to standard output; a reader that has gone is no error of ours. Characters that
/// turn a terminal's text around, which JSON may hold as they are, become JSON's escapes.
pub fn out(text: &str) {
    let turns = |c: char| is_bidirectional(c) || matches!(c, '\u{7f}'..='\u{9f}');
    let written = if text.contains(turns) {
        let escaped = text
            .chars()
            .map(|c| if turns(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() });
        writeln!(std::io::stdout(), "{}", escaped.collect::<String>())
    } else {
        writeln!(std::io::stdout(), "{text}")
    };
    if let Err(cause) = written
        && cause.kind() != std::io::ErrorKind::BrokenPipe
        && !OUTPUT_FAILED.swap(true, Ordering::Relaxed)
    {
        say(&format!("error: standard output cannot be written: {cause}"));
    }
}

/// Writes a line to standard error.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text from logs or files, safe for a terminal: control and bidirectional characters are shown as
/// escapes.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| c.is_control() || is_bidirectional(c);
    text.chars()
        .map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}
