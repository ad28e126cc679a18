//! The one question that is ever asked: before something learnt is replaced.
use std::io::{BufRead, IsTerminal};

use anyhow::bail;

use super::style::{say, visible};
use super::{Exit, style};

/// Nobody can be asked, and nobody has agreed beforehand: says so. To be called before long work.
pub fn can_be_asked(yes: bool) -> Result<(), Exit> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    say(
        "error: standard input is no terminal, so nobody can be asked; give --yes to go on unasked",
    );
    Err(Exit::Usage)
}

/// Asks a person to type `name` before `what` happens; with `yes` nobody is asked.
///
/// # Errors
/// Something else was typed: nothing is to be changed.
pub fn ask(yes: bool, what: &str, name: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    say(&format!("{what}; type `{}` to go on:", visible(name)));
    answered(std::io::stdin().lock(), name)
}

fn answered(mut input: impl BufRead, name: &str) -> anyhow::Result<()> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    if line.trim().eq_ignore_ascii_case(name) {
        return Ok(());
    }
    let typed = style::visible(line.trim());
    bail!("`{typed}` is not `{name}`; nothing was changed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_itself_goes_on() {
        assert!(answered(&b"Contoso\n"[..], "contoso").is_ok());
        for typed in ["", "\n", "y\n", "yes\n", "contoso2\n"] {
            let refused = answered(typed.as_bytes(), "contoso").unwrap_err();
            assert!(refused.to_string().contains("nothing was changed"));
        }
    }
}
