//! What the commands that decide have in common, and those that need little more: `expect`, `trust`,
//! and every `list` and `remove`.
use std::io::{BufRead, IsTerminal};
use std::path::Path;

use anyhow::bail;

use super::args::{DecisionEnd, DecisionList, Expect, Until, Which, Why};
use super::common::{self, Opened};
use super::style::{Ui, out, say, visible};
use super::table::{Align, Table};
use super::{Exit, args};
use crate::alert::rules::{
    Decision, DecisionView, Expectation, Filter, FilterText, Ledger, Name, Trust, What, hits,
};
use crate::store::decisions::{self, Draft};
use crate::store::layout::DataDir;
use crate::time::{Clock, SystemClock, Timestamp};

/// A data directory, open for decisions.
pub struct Desk {
    opened: Opened,
    dir: DataDir,
    /// What was decided so far.
    pub ledger: Ledger,
    /// Event time from which a decision works that is taken now.
    pub now: Timestamp,
}

impl Desk {
    /// Opens a data directory; makes it if it is not there, so that rules can be set ahead.
    pub fn open(dir: &Path) -> anyhow::Result<Desk> {
        Desk::of(common::open_store(Some(dir), Ui::stderr(args::ColorChoice::Never))?, dir)
    }

    /// Opens one that must be there, to look at it.
    pub fn look(dir: &Path) -> anyhow::Result<Desk> {
        Desk::of(common::existing_store(dir)?, dir)
    }

    fn of(opened: Opened, dir: &Path) -> anyhow::Result<Desk> {
        let store = opened.store.as_ref();
        let (ledger, now) = (decisions::load(store)?, decisions::now(store)?);
        Ok(Desk { opened, dir: DataDir::new(dir), ledger, now })
    }

    /// The store.
    pub fn store(&self) -> &dyn crate::store::StateStore {
        self.opened.store.as_ref()
    }

    /// Takes a decision and says so.
    pub fn take(&mut self, what: What, why: &Why, json: bool) -> anyhow::Result<Decision> {
        let author = match &why.author {
            Some(author) => author.clone(),
            None => common::who().unwrap_or_else(|| "unknown".to_owned()),
        };
        let draft = Draft { what, from: why.from, author, reason: reason(why)? };
        let times = [self.now, SystemClock::default().now()];
        let store = self.opened.store.as_ref();
        let taken = decisions::record(&self.dir, store, &mut self.ledger, draft, times)?;
        let view = self.ledger.view(&taken, self.now, &Default::default());
        if json {
            out(&serde_json::to_string(&view)?);
        } else {
            say_taken(&view);
        }
        Ok(taken)
    }
}

fn say_taken(view: &DecisionView) {
    let from = view.from.as_ref().map_or_else(
        || "from the first record on".to_owned(),
        |from| format!("from {from} (event time)"),
    );
    let until = view.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
    out(&format!("{} {}: {}, {from}{until}", view.id, view.what, visible(&view.about)));
    for notice in &view.notices {
        say(&format!(
            "notice: {} {notice}; it is in the audit log and in `list` until it ends",
            view.id
        ));
    }
}

/// The reason as given, else as typed.
fn reason(why: &Why) -> anyhow::Result<String> {
    if let Some(reason) = &why.reason {
        return Ok(reason.clone());
    }
    if !std::io::stdin().is_terminal() {
        bail!("no reason; give one with --reason");
    }
    say("why?");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Reads conditions.
pub fn filter(which: &Which) -> anyhow::Result<Filter> {
    let text = FilterText {
        kinds: which.kind.clone(),
        account: which.account.clone(),
        principal: which.principal.clone(),
        networks: which.address.clone(),
        country: which.country.clone(),
        asn: which.asn,
        agent: which.agent.clone(),
    };
    Ok(Filter::parse(&text)?)
}

/// When it ends: as given, or so long after it begins. Before the first record it is counted from
/// today.
pub fn until(until: &Until, why: &Why, now: Timestamp) -> Timestamp {
    let from = why.from.unwrap_or(now);
    let from = if from == Timestamp::MIN { SystemClock::default().now() } else { from };
    let lasting = until.lasting.unwrap_or_default();
    until.until.unwrap_or_else(|| from.plus_ms(lasting))
}

/// `expect`.
pub fn expect(command: &Expect) -> anyhow::Result<Exit> {
    let args = match command {
        Expect::List(args) => return list(args, 'E'),
        Expect::Remove(args) => return remove(args),
        Expect::Teach(args) => return super::verdict::teach(args),
        Expect::Add(args) => args,
    };
    let what = What::Expect(Expectation {
        filter: filter(&args.which)?,
        bytes_max: args.volume,
        start: args.start,
        end: args.end,
        ticket: Expectation::ticket(&args.ticket)?,
    });
    Desk::open(&args.data.data_dir)?.take(what, &args.why, args.data.json)?;
    Ok(Exit::Done)
}

/// `trust`.
pub fn trust(command: &args::Trust) -> anyhow::Result<Exit> {
    let args = match command {
        args::Trust::List(args) => return list(args, 'T'),
        args::Trust::Remove(args) => return remove(args),
        args::Trust::Add(args) => args,
    };
    let mut desk = Desk::open(&args.data.data_dir)?;
    let until = until(&args.until, &args.why, desk.now);
    let what = What::Trust(Trust::parse(&args.network, until)?);
    desk.take(what, &args.why, args.data.json)?;
    Ok(Exit::Done)
}

/// `… remove`.
pub fn remove(args: &DecisionEnd) -> anyhow::Result<Exit> {
    let mut desk = Desk::open(&args.data.data_dir)?;
    let of = desk.ledger.find(Name::parse(&args.id)?)?.number;
    desk.take(What::End { of }, &args.why, args.data.json)?;
    Ok(Exit::Done)
}

/// A moment to the minute, for a table.
fn minute(moment: Option<&str>) -> String {
    let at = moment.and_then(Timestamp::parse);
    at.map_or_else(|| "-".to_owned(), Timestamp::minutes_text)
}

/// `… list`: decisions whose name begins with `letter`.
pub fn list(args: &DecisionList, letter: char) -> anyhow::Result<Exit> {
    let desk = Desk::look(&args.data.data_dir)?;
    let met = hits(&decisions::subjects(desk.store())?, desk.now);
    let all = desk.ledger.iter().map(|d| desk.ledger.view(d, desk.now, &met));
    let (ended, shown): (Vec<_>, Vec<_>) = all
        .filter(|view| view.id.starts_with(letter))
        .partition(|v| !args.all && matches!(v.state, "ended" | "expired"));
    if args.data.json {
        for view in &shown {
            out(&serde_json::to_string(view)?);
        }
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("id", Align::Left),
        ("what", Align::Left),
        ("state", Align::Left),
        ("until", Align::Left),
        ("hits 90 d", Align::Right),
        ("last hit", Align::Left),
        ("by", Align::Left),
        ("why", Align::Left),
    ]);
    for view in &shown {
        table.row(vec![
            view.id.clone(),
            visible(&view.about),
            view.state.to_owned(),
            minute(view.until.as_deref()),
            view.hits_90_days.to_string(),
            minute(view.last_hit.as_deref()),
            visible(&view.author),
            visible(&view.reason),
        ]);
    }
    table.lines().iter().for_each(|line| out(line));
    for view in &shown {
        for notice in &view.notices {
            say(&format!("notice: {} {notice}", view.id));
        }
    }
    if !ended.is_empty() {
        say(&format!("{} more have ended: --all shows them", ended.len()));
    }
    Ok(Exit::Done)
}
