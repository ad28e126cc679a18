//! A query that carries an injection ran and returned: it is new to the account, and it is odd as
//! injections are. The nominal rate of false alarms is that of new queries (the account's own, see
//! the query shapes) times the share of benign new queries that are at least so odd, which was
//! learnt on development data and stands in the profile, sign by sign.
//!
//! Absent: reading of text (`cosmos_sql`); what failed ([`super::fuzzing`]).
use super::{
    AlertKind, CallerFacts, Ceiling, Evidence, Facet, Finding, Quantity, QueryContext,
    QueryEvidence, Severity, Test, Usual,
};
use super::{facts, operators};
use crate::baseline::query_shapes::{Kin, QueryObservation};
use crate::cosmos_sql::template::{Sequence, lineage, widened};
use crate::cosmos_sql::{Seen, Span, changes_logic, within};
use crate::event::{Marked, QueryLanguage, QueryRead, Sign};
use crate::intel::view::IntelView;
use crate::profile::QueriesProfile;

/// How odd a new query is.
#[derive(Clone, Debug, PartialEq)]
pub struct Oddity {
    /// P(at least so odd | a benign query that is new to the account).
    pub p: f64,
    /// Its own signs and those against the account's queries, ascending.
    pub marked: Vec<Marked>,
    /// The known query that it comes from, if any.
    pub from: Option<usize>,
    /// It returned far more than that one ever did.
    pub beyond_history: bool,
}

/// A known query that a new one comes from, and what of it says so.
struct Origin {
    at: usize,
    marked: Vec<Marked>,
}

/// How odd `observation` is, whether or not it failed. 1 where nothing is odd, and where all of its
/// values are parameters.
pub fn oddity(observation: &QueryObservation, profile: &QueriesProfile) -> Oddity {
    let read = &observation.joined.row.read;
    let mut marked: Vec<Marked> = read.marked.to_vec();
    let mut from = None;
    let origin = match read.language {
        QueryLanguage::Sql if read.literals > 0 => origin(observation),
        QueryLanguage::Mongo => operators::origin(observation)
            .map(|(at, operator)| Origin { at, marked: vec![operator] }),
        _ => None,
    };
    if let Some(origin) = origin {
        from = Some(origin.at);
        marked.extend(origin.marked);
        marked.sort_unstable();
    }
    if read.literals == 0 && read.parameters > 0 {
        return Oddity { p: 1.0, marked, from: None, beyond_history: false };
    }
    let only_wider = only_wider(&marked);
    let beyond_history =
        from.is_some_and(|at| is_beyond(observation, &observation.akin[at], only_wider, profile));
    let stranger = only_wider && from.is_some_and(|at| !observation.akin[at].by_caller);
    let mut p = joint(&marked, profile);
    for _ in [beyond_history, stranger].iter().filter(|rare| **rare) {
        p *= profile.beyond_factor;
    }
    Oddity { p: p.clamp(profile.p_floor, 1.0), marked, from, beyond_history }
}

/// The known query that a new one comes from, and what was put in: the shortest insertion explains
/// best. A query with nothing put in may ask for whole rows where a known one does not.
fn origin(observation: &QueryObservation) -> Option<Origin> {
    let read = &observation.joined.row.read;
    let query = sequence_of(read);
    let seen: Vec<Seen> = read.marked.iter().map(|m| (m.sign, span(m.begin, m.end))).collect();
    let explained = observation.akin.iter().enumerate().filter_map(|(at, kin)| {
        let insertion = lineage(&kin.tokens, &query)?;
        let within: Vec<Sign> = within(&seen, insertion.span).map(|(sign, _)| *sign).collect();
        changes_logic(&query.tokens, &insertion, &within)
            .then(|| (insertion.lost, insertion.tokens.len(), at, insertion.span))
    });
    let Some((lost, _, at, put)) = explained.min() else { return wider(observation, &query) };
    let mut signs = vec![Sign::Insertion];
    // What is no query has lost its end in any case.
    signs.extend((lost > 0 && read.failure.is_none()).then_some(Sign::LostCondition));
    let mark = |sign| Marked { sign, begin: put.start, end: put.end };
    Some(Origin { at, marked: signs.into_iter().map(mark).collect() })
}

/// A known query that asks for some properties of the rows that this one asks for; rather one that
/// the caller runs.
fn wider(observation: &QueryObservation, query: &Sequence) -> Option<Origin> {
    if observation.joined.row.read.failure.is_some() {
        return None;
    }
    let narrower = observation.akin.iter().enumerate().filter_map(|(at, kin)| {
        let asked = widened(&kin.tokens, &query.tokens)?;
        let asked = query.spans.get(asked)?.iter().copied().reduce(Span::to)?;
        Some((!kin.by_caller, at, asked))
    });
    let (_, at, asked) = narrower.min()?;
    let mark = Marked { sign: Sign::WiderProjection, begin: asked.start, end: asked.end };
    Some(Origin { at, marked: vec![mark] })
}

fn span(start: u32, end: u32) -> Span {
    Span { start, end }
}

/// The tokens of a query, with their places in its template.
fn sequence_of(read: &QueryRead) -> Sequence {
    let text: &str = &read.template;
    let length = text.len() as u32;
    let start = |token: usize| match read.starts.get(token) {
        Some(&start) if start != u16::MAX => u32::from(start).min(length),
        _ => length,
    };
    let spans = (0..read.tokens.len()).map(|token| {
        let (begin, next) = (start(token), start(token + 1));
        let between = text.get(begin as usize..next as usize).unwrap_or_default();
        let token = between.trim_end_matches([' ', '(', ')']);
        span(begin, begin + token.len() as u32)
    });
    Sequence {
        tokens: read.tokens.to_vec(),
        spans: spans.collect(),
        hidden: read.hidden.iter().map(|h| h.to_vec()).collect(),
        brackets: brackets_of(text),
        unclosed: read.unclosed,
        whole: !read.tokens.is_empty(),
    }
}

/// Round brackets of a template, those in quotes left out: where each stands, and whether it opens.
fn brackets_of(template: &str) -> Vec<(u32, bool)> {
    let mut quote = None;
    let mut out = Vec::new();
    for (at, byte) in template.bytes().enumerate() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'(' | b')') => out.push((at as u32, byte == b'(')),
            _ => {}
        }
    }
    out
}

/// The rarest sign counts whole, each further one with a fading part, because signs come together.
fn joint(marked: &[Marked], profile: &QueriesProfile) -> f64 {
    let bits = marked.iter().fold(0, |bits, m| bits | m.sign.bit());
    joint_of(bits, profile)
}

/// P(sign | a benign query that is new to the account).
pub fn share(sign: Sign, profile: &QueriesProfile) -> f64 {
    profile.signs.get(sign.as_str()).copied().unwrap_or(1.0)
}

/// What is evidence by itself or together, and what only hints.
pub fn weighed(seen: &[Seen], profile: &QueriesProfile) -> (Vec<Seen>, Vec<Seen>) {
    let bits = seen.iter().fold(0, |bits, (sign, _)| bits | sign.bit());
    if joint_of(bits, profile) > profile.decisive_together {
        seen.iter().partition(|(sign, _)| share(*sign, profile) <= profile.decisive)
    } else {
        (seen.to_vec(), Vec::new())
    }
}

fn joint_of(bits: u32, profile: &QueriesProfile) -> f64 {
    let mut shares: Vec<f64> = Sign::of_bits(bits).map(|sign| share(sign, profile)).collect();
    shares.sort_by(f64::total_cmp);
    let mut p = 1.0;
    for (i, share) in shares.into_iter().enumerate() {
        p *= if i == 0 { share } else { share.powf(profile.further_sign) };
    }
    p
}

/// Nothing is odd but that whole rows are asked for. They are more bytes by nature.
fn only_wider(marked: &[Marked]) -> bool {
    !marked.is_empty() && marked.iter().all(|m| m.sign == Sign::WiderProjection)
}

fn is_beyond(
    observation: &QueryObservation,
    kin: &Kin,
    only_wider: bool,
    profile: &QueriesProfile,
) -> bool {
    let rows = observation.joined.row.rows_max.unwrap_or(0) as f64;
    let known_rows = f64::from(kin.history.rows_max);
    let bytes = observation.joined.answer.map_or(0.0, |a| a.bytes as f64);
    let many_rows = known_rows > 0.0 && rows > profile.beyond_history * known_rows;
    many_rows
        || (!only_wider
            && kin.history.n >= ANSWERS_MIN
            && bytes > profile.beyond_history * kin.history.bytes_at(3.0))
}

/// Answers of the known query from which its bytes are judged.
const ANSWERS_MIN: f64 = 5.0;

/// It is known to have returned neither more rows than the known query ever did, nor more bytes than
/// one of fifty of its answers has.
fn returned_no_more(observation: &QueryObservation, kin: &Kin) -> bool {
    let rows = observation.joined.row.rows_max.map(|rows| rows > u64::from(kin.history.rows_max));
    let bytes = observation
        .joined
        .answer
        .filter(|_| kin.history.n >= ANSWERS_MIN)
        .map(|answer| answer.bytes as f64 > kin.history.bytes_at(2.0));
    (rows.is_some() || bytes.is_some()) && rows != Some(true) && bytes != Some(true)
}

/// A finding, where the query parses, nothing says that it failed, and something is odd about it.
pub fn judge(
    observation: &QueryObservation,
    oddity: &Oddity,
    cx: &QueryContext<'_>,
) -> Option<Finding> {
    let row = &observation.joined.row;
    let answered = observation.joined.answer.is_none_or(|a| a.succeeded);
    if row.read.failure.is_some() || !answered || oddity.p >= 1.0 {
        return None;
    }
    Some(Finding {
        kind: AlertKind::SqlInjection,
        account: cx.account.clone(),
        resource_id: cx.resource_id.cloned(),
        accounts: vec![(cx.account.clone(), cx.resource_id.cloned())],
        dedup: facts::campaign(&row.container, observation.joined.caller.as_ref().map(|(k, _)| k)),
        start: row.first.0,
        end: row.last.0,
        decided: observation.now.plus_ms(crate::time::MINUTE_MS).max(row.last.0),
        test: Test {
            p: oddity.p,
            per_day: observation.per_day,
            rule: None,
            ceiling: ceiling(observation, oddity),
        },
        maturity: observation.maturity,
        late: observation.joined.late,
        caller: caller(observation, cx.intel),
        records: row.records(),
        evidence: Evidence::Query(evidence(observation, oddity)),
        facets: facets(observation, oddity),
        companions: Vec::new(),
    })
}

/// Signs of a query that lets more rows through, and gains by nothing else.
const LETS_THROUGH: [Sign; 11] = [
    Sign::AlwaysTrueUnderOr,
    Sign::AlwaysTrueFilter,
    Sign::ConstantComparison,
    Sign::StrayConstant,
    Sign::CommentCutsOff,
    Sign::WideAlternatives,
    Sign::MatchesEverything,
    Sign::LooseOr,
    Sign::Insertion,
    Sign::LostCondition,
    Sign::WiderProjection,
];

/// High needs a query of the account that this one comes from, and, of one that lets more through,
/// that more came; or another kind of finding. Whole rows where a caller had some properties are what
/// its next release asks for.
fn ceiling(observation: &QueryObservation, oddity: &Oddity) -> Option<(Severity, Ceiling)> {
    let at_most = |severity| Some((severity, Ceiling::NeedsAnotherKind));
    let Some(kin) = oddity.from.and_then(|at| observation.akin.get(at)) else {
        return at_most(Severity::Medium);
    };
    if only_wider(&oddity.marked) {
        return at_most(if kin.by_caller { Severity::Low } else { Severity::Medium });
    }
    let lets_through = oddity.marked.iter().all(|m| LETS_THROUGH.contains(&m.sign));
    if lets_through && returned_no_more(observation, kin) {
        return at_most(Severity::Medium);
    }
    None
}

fn caller(observation: &QueryObservation, intel: &IntelView) -> CallerFacts {
    let row = &observation.joined.row;
    let mut facts = match &observation.joined.caller {
        Some((key, caller)) => facts::facts_of(key, caller, &facts::info_of(key, intel)),
        None => CallerFacts::default(),
    };
    facts.databases = vec![row.database.clone()];
    facts.containers = vec![row.container.clone()];
    facts.bytes = observation.joined.answer.map(|a| a.bytes);
    facts.statuses = observation.joined.answer.map(|a| a.status).into_iter().collect();
    facts.events = row.runs;
    facts.first_event = facts::activity_text(u128::from_be_bytes(row.first.1));
    facts.last_event = facts::activity_text(u128::from_be_bytes(row.last.1));
    facts
}

fn evidence(observation: &QueryObservation, oddity: &Oddity) -> QueryEvidence {
    let row = &observation.joined.row;
    let from = oddity.from.and_then(|at| observation.akin.get(at));
    let usual = from.filter(|kin| kin.history.n > 0.0).map(|kin| {
        ([kin.history.bytes_at(0.0), kin.history.bytes_at(1.645)], kin.history.rows_max)
    });
    QueryEvidence {
        language: row.read.language,
        template: row.read.template.clone(),
        marked: oddity.marked.clone(),
        shape: row.read.shape,
        known_template: oddity.from.is_some(),
        shapes_known: observation.shapes_known,
        new_per_day: observation.per_day,
        joined: observation.joined.answer.is_some(),
        runs: row.runs,
        rows: row.rows_max,
        bytes: observation.joined.answer.map(|a| a.bytes),
        usual,
        beyond_history: oddity.beyond_history,
    }
}

fn facets(observation: &QueryObservation, oddity: &Oddity) -> Vec<Facet> {
    let mut facets = vec![Facet {
        name: "query",
        observed: Quantity::Name("new to the account".to_owned()),
        usual: Usual::Queries {
            known: observation.shapes_known,
            days: observation.maturity.age_days,
        },
        p: None,
        broke: true,
    }];
    let signs = oddity.marked.iter().fold(0, |bits, m| bits | m.sign.bit());
    facets.extend(Sign::of_bits(signs).map(|sign| Facet {
        name: "sign",
        observed: Quantity::Name(sign.as_str().to_owned()),
        usual: Usual::NeverIn { days: observation.maturity.age_days },
        p: None,
        broke: true,
    }));
    if let Some(kin) = oddity.from.and_then(|at| observation.akin.get(at))
        && let Some(answer) = observation.joined.answer
        && kin.history.n > 0.0
    {
        facets.push(Facet {
            name: "bytes returned",
            observed: Quantity::Bytes(answer.bytes as f64),
            usual: Usual::Range(kin.history.bytes_at(-1.645), kin.history.bytes_at(1.645)),
            p: None,
            broke: oddity.beyond_history,
        });
    }
    facets
}
