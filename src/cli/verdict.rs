//! `cosmoguard verdict`.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use serde_json::json;

use super::args;
use super::decide::Desk;
use super::style::{out, say, visible};
use super::{Exit, common, diff};
use crate::account::diff::{Diff, Knowledge};
use crate::account::message::{Context, Published};
use crate::alert::rules::{Decision, Ledger, Name, Ruling, Subject, Verdict, What};
use crate::alert::{AlertId, words};
use crate::detect::AlertKind;
use crate::ids::AccountId;
use crate::intel::view::IntelView;
use crate::profile::Profile;
use crate::store::schema::{account, run};
use crate::store::{decisions, keys};
use crate::time::{MINUTE_MS, Timestamp};

/// Runs it.
pub fn run(args: &args::Verdict) -> anyhow::Result<Exit> {
    let mut desk = Desk::open(&args.data.data_dir)?;
    let subject = find(&desk, &args.alert_id)?;
    let what = match &args.ruling {
        Some(word) => {
            let Some(ruling) = Ruling::parse(word) else {
                bail!("`{}` is no verdict; write benign-once, benign or malicious", visible(word));
            };
            // One verdict an alert: the one before no longer holds.
            if let Some((before, said)) = desk.ledger.verdict(subject.id) {
                bail!(
                    "it was said to be {} ({}); take that back first with --undo",
                    said.as_str(),
                    before.name()
                );
            }
            What::Verdict(Verdict::of(&subject, ruling))
        }
        None => {
            let Some((before, _)) = desk.ledger.verdict(subject.id) else {
                bail!("nothing was said of it that could be taken back");
            };
            What::End { of: before.number }
        }
    };
    take(&mut desk, &subject, what, &args.why, &Shown::of(&args.config, args.data.json)?)?;
    Ok(Exit::Done)
}

/// How what is learnt is shown.
struct Shown {
    profile: Profile,
    json: bool,
}

impl Shown {
    fn of(config: &Option<PathBuf>, json: bool) -> anyhow::Result<Shown> {
        Ok(Shown { profile: common::configuration(config.as_deref())?.config.profile, json })
    }
}

/// Takes a decision on an alert and says what the account will know.
fn take(
    desk: &mut Desk,
    subject: &Subject,
    what: What,
    why: &args::Why,
    shown: &Shown,
) -> anyhow::Result<()> {
    let before = desk.ledger.clone();
    let taken = desk.take(what, why, shown.json)?;
    let learnt = learnt(desk, subject, [&before, &desk.ledger], &shown.profile, &taken)?;
    let changes = learnt.as_ref().map(|[before, after]| Diff::of(before, after));
    if shown.json {
        out(&json!({ "alert": subject.id.to_string(), "model": changes }).to_string());
        return Ok(());
    }
    match (&learnt, &changes) {
        (Some([before, after]), Some(changes)) if !changes.changes.is_empty() => {
            say("what the account will know, from its next record on:");
            diff::print(("now", before), ("then", after), changes);
        }
        _ => say(nothing_learnt(&taken)),
    }
    Ok(())
}

/// `expect teach`: places of the alerts that an expectation covered are learnt, by a verdict on each
/// that nobody judged. Other kinds hold nothing back that could be learnt.
pub fn teach(args: &args::DecisionEnd) -> anyhow::Result<Exit> {
    let mut desk = Desk::open(&args.data.data_dir)?;
    let name = Name::parse(&args.id)?;
    let expectation = desk.ledger.find(name)?;
    if !matches!(expectation.what, What::Expect(_)) {
        bail!("{name} is no expectation; `cosmoguard expect list` shows them");
    }
    let covered = name.to_string();
    let mut newest: BTreeMap<AlertId, Subject> = BTreeMap::new();
    for subject in decisions::subjects(desk.store())? {
        let old = newest.get(&subject.id).is_some_and(|known| known.revision > subject.revision);
        if subject.silenced_by.contains(&covered) && !old {
            newest.insert(subject.id, subject);
        }
    }
    let is_place = |subject: &Subject| subject.kind == AlertKind::GeoAnomaly;
    let (places, others): (Vec<Subject>, Vec<Subject>) =
        newest.into_values().partition(|subject| is_place(subject));
    let shown = Shown::of(&None, args.data.json)?;
    let mut taught = 0;
    for subject in &places {
        if desk.ledger.verdict(subject.id).is_none() {
            let what = What::Verdict(Verdict::of(subject, Ruling::Benign));
            take(&mut desk, subject, what, &args.why, &shown)?;
            taught += 1;
        }
    }
    say(&format!(
        "{covered} covered {}; {taught} taught, {} judged before, {} of kinds that hold nothing back",
        words::plural((places.len() + others.len()) as f64, "alert", "alerts"),
        places.len() - taught,
        others.len()
    ));
    Ok(Exit::Done)
}

fn nothing_learnt(taken: &Decision) -> &'static str {
    match &taken.what {
        What::Verdict(verdict) => match verdict.ruling {
            Ruling::BenignOnce => "this alert is dismissed; nothing is learnt of it",
            Ruling::Benign => {
                "nothing is held back of it in the account's model; alerts of the same story, as severe at most, are expected from now on"
            }
            Ruling::Malicious => {
                "what the account holds back of it stays out of its model for good; nothing that it knows changes"
            }
        },
        _ => "taken back; nothing that the account knows changes",
    }
}

/// The newest revision of the alert whose id begins so.
fn find(desk: &Desk, start: &str) -> anyhow::Result<Subject> {
    let start = start.trim().to_ascii_lowercase();
    if start.is_empty() {
        bail!("no alert id; give the first digits of one");
    }
    let mut fit: Vec<Subject> = decisions::subjects(desk.store())?;
    fit.retain(|subject| subject.id.to_string().starts_with(&start));
    fit.sort_by_key(|subject| (subject.id, subject.revision));
    let Some(newest) = fit.pop() else {
        bail!("no alert begins with `{}` in the data directory", visible(&start));
    };
    if fit.iter().any(|other| other.id != newest.id) {
        bail!("`{}` fits several alerts; give more digits", visible(&start));
    }
    Ok(newest)
}

/// What the account will know under each of two ledgers, tried on copies; `None` if it has none.
fn learnt(
    desk: &Desk,
    subject: &Subject,
    [before, after]: [&Ledger; 2],
    profile: &Profile,
    taken: &Decision,
) -> anyhow::Result<Option<[Knowledge; 2]>> {
    let id = AccountId::parse(&subject.account);
    let Some(sealed) = desk.store().get(&keys::account(&id))? else { return Ok(None) };
    let state = run::load(desk.store(), profile.time.lateness_minutes * MINUTE_MS)?;
    let at = taken.from.max(desk.now);
    let known = |ledger: &Ledger| {
        let mut model = account::open(&sealed)?;
        let context = Context {
            profile: Arc::new(profile.clone()),
            intel: Arc::new(IntelView::empty()),
            published: Published { lessons: decisions::lessons(ledger), ..Published::default() },
        };
        model.take_lessons(if at > Timestamp::MIN { at } else { model.now() }, &context);
        anyhow::Ok(model.knowledge(profile, state.priors.before(model.now().day())))
    };
    Ok(Some([known(before)?, known(after)?]))
}
