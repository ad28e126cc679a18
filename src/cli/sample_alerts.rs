//! `cosmoguard sample-alerts`.
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};

use super::Exit;
use super::args::SampleAlerts;
use super::common;
use super::style::{out, say, visible};
use crate::alert::formats::Format;
use crate::alert::sinks::notice::Notice;
use crate::alert::sinks::settings::SinkSettings;
use crate::alert::sinks::{SendError, Takes, sample, say as sayings, to};
use crate::time::{Clock, SystemClock, Timestamp};

/// Runs it.
pub fn run(args: &SampleAlerts) -> anyhow::Result<Exit> {
    let config = common::configuration(args.config.as_deref())?.config;
    let now = SystemClock::default().now();
    let notices = sample::notices(now);
    if args.send {
        return send_all(&config.sinks, &notices, now);
    }
    let word = args.format.as_deref().unwrap_or(&config.alerts.format);
    let Some(format) = Format::parse(word) else {
        say(&format!(
            "error: unknown format `{}`; known are defender, ocsf, ecs, cef, securityalert",
            visible(word)
        ));
        return Ok(Exit::Usage);
    };
    let mut lines = Vec::new();
    for notice in &notices {
        lines.push(sayings::message(notice, format).map_err(|why| anyhow!(why))?);
    }
    if args.alerts == Path::new("-") {
        lines.iter().for_each(|line| out(line));
    } else {
        // What somebody keeps is not written over.
        let file = std::fs::File::create_new(&args.alerts);
        let mut file = file.with_context(|| format!("cannot make {}", args.alerts.display()))?;
        std::io::Write::write_all(&mut file, (lines.join("\n") + "\n").as_bytes())?;
    }
    Ok(Exit::Done)
}

fn send_all(sinks: &[SinkSettings], notices: &[Notice], now: Timestamp) -> anyhow::Result<Exit> {
    if sinks.is_empty() {
        bail!("no sinks are configured; docs/sinks.md shows every kind");
    }
    let mut failed = 0;
    for sink in sinks {
        match send(sink, notices, now) {
            Ok(()) => out(&format!("{}: {} delivered", sink.common.name, notices.len())),
            Err(error) => {
                failed += 1;
                say(&format!("error: {}", visible(&format!("{error:#}"))));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} sinks took no samples", sinks.len());
    }
    Ok(Exit::Done)
}

/// Sends `notices` to one sink, as many at a time as it takes.
pub fn send(sink: &SinkSettings, notices: &[Notice], now: Timestamp) -> anyhow::Result<()> {
    let name = &sink.common.name;
    let mut built =
        to::build(sink, None, notices.len().max(1)).map_err(|why| anyhow!("{name}: {why}"))?;
    let all: Vec<&Notice> = notices.iter().collect();
    let most = match built.takes() {
        Takes::One => 1,
        Takes::Group(most) | Takes::Many(most) => most.max(1),
    };
    for some in all.chunks(most) {
        if let Some(error) = built.send(some, now).error {
            let hint = match error {
                SendError::Refused(_) => "",
                SendError::Later { .. } => "; a service would try again",
            };
            bail!("{name}: {error}{hint}");
        }
    }
    Ok(())
}
