//! One JSON string a line in, `1` or `0` a line out: whether libinjection calls the text an injection.
use std::io::{BufRead, BufWriter, Write};

fn main() -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let flagged = libinjectionrs::detect_sqli(text.as_bytes()).is_injection();
        writeln!(out, "{}", u8::from(flagged))?;
    }
    out.flush()
}
