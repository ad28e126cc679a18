//! The alert desk's memory as it is stored: stories and the sequences seen.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::alert::AlertId;
use crate::alert::dedup::{DeskState, Lane, Story, StoryKey};
use crate::alert::incident::Step;
use crate::detect::{AlertKind, Severity};
use crate::event::{Place, Records};
use crate::ids::AccountId;
use crate::time::Timestamp;

/// Version 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeskV1 {
    stories: Vec<StoryV1>,
    seen: Vec<SeenV1>,
    steps: Vec<(String, Vec<StepV1>)>,
}

/// An alert, as far as its incident is concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StepV1 {
    alert: u128,
    kind: String,
    severity: String,
    opened: i64,
    start: i64,
    end: i64,
    principal: Option<String>,
    ip: Option<IpAddr>,
    asn: Option<u32>,
    by_key: bool,
}

fn stored_step(step: &Step) -> StepV1 {
    StepV1 {
        alert: step.alert.0,
        kind: step.kind.alert_type().to_owned(),
        severity: step.severity.as_str().to_owned(),
        opened: step.opened.millis(),
        start: step.start.millis(),
        end: step.end.millis(),
        principal: step.principal.clone(),
        ip: step.ip,
        asn: step.asn,
        by_key: step.by_key,
    }
}

fn live_step(step: StepV1) -> Result<Step, UnknownWord> {
    let kind = AlertKind::parse(&step.kind)
        .ok_or_else(|| UnknownWord { what: "kind", word: step.kind.clone() })?;
    let severity = Severity::parse(&step.severity)
        .ok_or_else(|| UnknownWord { what: "severity", word: step.severity.clone() })?;
    Ok(Step {
        alert: AlertId(step.alert),
        kind,
        severity,
        opened: Timestamp(step.opened),
        start: Timestamp(step.start),
        end: Timestamp(step.end),
        principal: step.principal,
        ip: step.ip,
        asn: step.asn,
        by_key: step.by_key,
    })
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoryV1 {
    account: String,
    kind: String,
    dedup: String,
    id: u128,
    window: i64,
    opened: i64,
    last_line: i64,
    last: i64,
    start: i64,
    end: i64,
    severity: String,
    revision: u32,
    findings: u64,
    excess: f64,
    records: RecordsV1,
}

/// Time and place of a record.
type AtV1 = (i64, [u32; 3]);

/// Records that stand for a story.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct RecordsV1 {
    first: Option<AtV1>,
    last: Option<AtV1>,
    sample: Vec<AtV1>,
}

fn stored_records(records: &Records) -> RecordsV1 {
    let at = |(time, place): (Timestamp, Place)| (time.millis(), place.packed());
    RecordsV1 {
        first: records.first.map(at),
        last: records.last.map(at),
        sample: records.sampled().iter().copied().map(at).collect(),
    }
}

fn live_records(stored: RecordsV1) -> Records {
    let at = |(time, place): AtV1| (Timestamp(time), Place::unpack(place));
    let mut records = Records::default();
    (records.first, records.last) = (stored.first.map(at), stored.last.map(at));
    for (time, place) in stored.sample.into_iter().map(at) {
        records.sample(time, place);
    }
    records
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SeenV1 {
    tenant: bool,
    account: String,
    sequence: u64,
}

/// A stored word that this build does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored desk state names the {what} `{word}`, which this build does not know")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
}

impl From<&DeskState> for DeskV1 {
    fn from(state: &DeskState) -> Self {
        DeskV1 {
            stories: state.stories.iter().map(|(key, story)| stored(key, story)).collect(),
            seen: state
                .seen
                .iter()
                .map(|((lane, account), sequence)| SeenV1 {
                    tenant: *lane == Lane::Tenant,
                    account: account.key(),
                    sequence: *sequence,
                })
                .collect(),
            steps: state
                .incidents
                .steps
                .iter()
                .map(|(account, steps)| (account.key(), steps.iter().map(stored_step).collect()))
                .collect(),
        }
    }
}

impl TryFrom<DeskV1> for DeskState {
    type Error = UnknownWord;

    fn try_from(stored: DeskV1) -> Result<Self, UnknownWord> {
        let mut state = DeskState::default();
        for story in stored.stories {
            let (key, story) = live(story)?;
            state.stories.insert(key, story);
        }
        for seen in stored.seen {
            let lane = if seen.tenant { Lane::Tenant } else { Lane::Account };
            state.seen.insert((lane, AccountId::parse(&seen.account)), seen.sequence);
        }
        for (account, steps) in stored.steps {
            let steps = steps.into_iter().map(live_step).collect::<Result<_, _>>()?;
            state.incidents.steps.insert(AccountId::parse(&account), steps);
        }
        Ok(state)
    }
}

fn stored(key: &StoryKey, story: &Story) -> StoryV1 {
    StoryV1 {
        account: key.account.key(),
        kind: key.kind.alert_type().to_owned(),
        dedup: key.dedup.clone(),
        id: story.id.0,
        window: story.window.millis(),
        opened: story.opened.millis(),
        last_line: story.last_line.millis(),
        last: story.last.millis(),
        start: story.start.millis(),
        end: story.end.millis(),
        severity: story.severity.as_str().to_owned(),
        revision: story.revision,
        findings: story.findings,
        excess: story.excess,
        records: stored_records(&story.records),
    }
}

fn live(story: StoryV1) -> Result<(StoryKey, Story), UnknownWord> {
    let unknown = |what, word: &str| UnknownWord { what, word: word.to_owned() };
    let kind = AlertKind::parse(&story.kind).ok_or_else(|| unknown("kind", &story.kind))?;
    let severity =
        Severity::parse(&story.severity).ok_or_else(|| unknown("severity", &story.severity))?;
    let key = StoryKey { account: AccountId::parse(&story.account), kind, dedup: story.dedup };
    let live = Story {
        id: AlertId(story.id),
        window: Timestamp(story.window),
        opened: Timestamp(story.opened),
        last_line: Timestamp(story.last_line),
        last: Timestamp(story.last),
        start: Timestamp(story.start),
        end: Timestamp(story.end),
        severity,
        revision: story.revision,
        findings: story.findings,
        excess: story.excess,
        records: live_records(story.records),
    };
    Ok((key, live))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::dedup::Sequence;
    use crate::alert::testing::finding;
    use crate::profile::Profile;
    use crate::severity::grade;

    #[test]
    fn a_stored_desk_comes_back_whole() {
        let profile = Profile::default();
        let mut desk = DeskState::default();
        for (number, kind) in AlertKind::ALL.into_iter().enumerate() {
            let lane = if number % 2 == 0 { Lane::Account } else { Lane::Tenant };
            let finding = finding(kind);
            let grade = grade(&finding, &profile.severity).unwrap();
            let sequence = Sequence { lane, number: Some(number as u64) };
            if let Some(alert) = desk.apply(finding, grade, sequence, &profile.time).alert() {
                desk.incidents.join(alert);
            }
        }
        let bytes = serde_json::to_vec(&DeskV1::from(&desk)).unwrap();
        let stored: DeskV1 = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(DeskState::try_from(stored), Ok(desk));
    }

    #[test]
    fn an_unknown_word_is_named() {
        let mut stored = DeskV1::default();
        stored.stories.push(StoryV1 {
            account: "public/a".to_owned(),
            kind: "CosmosDB_Later".to_owned(),
            dedup: String::new(),
            id: 0,
            window: 0,
            opened: 0,
            last_line: 0,
            last: 0,
            start: 0,
            end: 0,
            severity: "Low".to_owned(),
            revision: 1,
            findings: 1,
            excess: 0.0,
            records: RecordsV1::default(),
        });
        let error = DeskState::try_from(stored).unwrap_err().to_string();
        assert!(error.contains("kind `CosmosDB_Later`"), "{error}");
    }
}
