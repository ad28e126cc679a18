//! What queries teach: known shapes at once, ordinary new ones when they are judged, odd new ones
//! only after they have come back on several days.
use super::join::principal_code;
use super::*;
use crate::baseline::cell::{KnownRow, NO_TAG, QueryCell};
use crate::time::Timestamp;

/// Days before the one that ends which open cells may look back: the largest lateness.
const LATENESS_DAYS: i64 = 2;

/// A new query and whether it is odd enough to wait before it teaches.
pub type Judged<'a> = (&'a QueryObservation, bool);

impl QueryShapes {
    /// Applies a closed cell after its queries were judged.
    pub fn learn(
        &mut self,
        minute: i64,
        cell: &Cell,
        judged: &[Judged<'_>],
        profile: &QueriesProfile,
    ) {
        let at = Timestamp::of_minute(minute);
        let had_text = cell.queries.as_ref().is_some_and(|q| q.texts > 0);
        if had_text {
            self.day_has_text = true;
            self.first_day.get_or_insert(at.day());
            self.first_minute.get_or_insert(minute);
        }
        let earlier = self.answered_before(minute, cell);
        self.carry_over(minute, cell);
        if let Some(queries) = cell.queries.as_deref() {
            self.dropped = self.dropped.saturating_add(queries.dropped());
            self.move_landmark(at, profile);
            for row in queries.known() {
                self.teach_known(at, row, profile);
                if let Some(answer) = QueryCell::answer_of(row, queries.answers()) {
                    let caller = cell.caller_of(answer.caller).map(|(k, _)| k);
                    self.teach_answer(row.key, &answer, caller);
                }
            }
            for (key, answer) in &earlier {
                self.teach_answer(*key, answer, None);
            }
            for row in queries.rows() {
                self.teach_known_row(at, cell, row, profile);
            }
        }
        self.teach_new(at, judged, profile);
    }

    /// Answers of the cell before to known queries whose text came in this one.
    fn answered_before(&self, minute: i64, cell: &Cell) -> Vec<(u64, Answer)> {
        let Some(before) = self.carry_before(minute) else { return Vec::new() };
        let known = cell.queries.as_deref().map_or(&[][..], QueryCell::known);
        let answered = known.iter().map(|k| (k.key, QueryCell::answer_of(k, &before.answers)));
        answered.filter_map(|(key, answer)| Some((key, answer?))).collect()
    }

    /// Applies what was judged without a cell: late, or without its request.
    pub fn learn_judged(&mut self, minute: i64, judged: &[Judged<'_>], profile: &QueriesProfile) {
        let at = Timestamp::of_minute(minute);
        self.move_landmark(at, profile);
        self.teach_new(at, judged, profile);
    }

    /// Empties what waited for requests.
    pub fn clear_waiting(&mut self) {
        self.carry.waiting = Vec::new();
    }

    /// Midnight.
    pub fn close_day(&mut self, day: i64, profile: &QueriesProfile) {
        // No cell that opens from now on looks back so far.
        let start = Timestamp::of_day(day.saturating_sub(LATENESS_DAYS)).minute();
        self.changes.retain(|change| change.minute >= start);
        self.changes.shrink_to_fit();
        if !std::mem::take(&mut self.day_has_text) {
            return;
        }
        let noon = Timestamp::of_hour(day * 24 + 12);
        self.exposure.add(noon, 1.0, profile.half_life_days);
        self.active_days = self.active_days.saturating_add(1);
    }

    fn move_landmark(&mut self, at: Timestamp, profile: &QueriesProfile) {
        let mut landmark = Landmark(self.landmark);
        if self.shapes.is_empty() {
            landmark = Landmark(at);
        } else if let Some(factor) = landmark.advance(at, profile.half_life_days) {
            self.shapes.iter_mut().for_each(|s| s.weight = (f64::from(s.weight) * factor) as f32);
        }
        self.landmark = landmark.0;
    }

    fn weight(&self, at: Timestamp, runs: u64, profile: &QueriesProfile) -> f32 {
        (runs as f64 * Landmark(self.landmark).weight(at, profile.half_life_days)) as f32
    }

    fn teach_known(&mut self, at: Timestamp, row: &KnownRow, profile: &QueriesProfile) {
        let weight = self.weight(at, u64::from(row.runs), profile);
        let Ok(position) = self.position(row.key) else { return };
        let shape = &mut self.shapes[position];
        shape.weight += weight;
        shape.last_day = shape.last_day.max(day_code(at.day()));
        shape.rows_max = shape.rows_max.max(row.rows_max.min(u64::from(u32::MAX)) as u32);
    }

    /// A row of the cell that has become known since it arrived, with its answer.
    fn teach_known_row(
        &mut self,
        at: Timestamp,
        cell: &Cell,
        row: &QueryRow,
        profile: &QueriesProfile,
    ) {
        let key = query_key(&row.read, &row.container);
        if !self.knows(key) {
            return;
        }
        let runs = row.runs.min(u64::from(u32::MAX)) as u32;
        let known = KnownRow { key, runs, rows_max: row.rows_max.unwrap_or(0), tag: NO_TAG };
        self.teach_known(at, &known, profile);
        let answers = cell.queries.as_ref().map_or(&[][..], |q| q.answers());
        for answer in answers.iter().filter(|a| row.activities.as_slice().contains(&a.activity)) {
            let caller = cell.caller_of(answer.caller).map(|(k, _)| k);
            self.teach_answer(key, answer, caller);
        }
    }

    fn teach_answer(&mut self, key: u64, answer: &Answer, caller: Option<&CallerKey>) {
        let Ok(position) = self.position(key) else { return };
        let shape = &mut self.shapes[position];
        if answer.succeeded {
            shape.add_bytes(answer.bytes);
        }
        if let Some(code) = caller.map(|c| principal_code(&c.credential)) {
            shape.add_principal(code);
        }
    }

    fn teach_new(&mut self, at: Timestamp, judged: &[Judged<'_>], profile: &QueriesProfile) {
        for (observation, odd) in judged {
            // A query that failed is no query of the account.
            if observation.joined.row.read.failure.is_some() {
                continue;
            }
            if *odd && !self.has_waited(observation.key(), at, profile) {
                continue;
            }
            self.admit(at, observation, profile);
        }
    }

    /// Notes another sight of an odd new query; true when it has come back often enough.
    fn has_waited(&mut self, key: u64, at: Timestamp, profile: &QueriesProfile) -> bool {
        let today = day_code(at.day());
        match self.waiting.binary_search_by_key(&key, |w| w.key) {
            Ok(position) => {
                let waiting = &mut self.waiting[position];
                if today > waiting.last_day {
                    waiting.days += 1;
                    waiting.last_day = today;
                }
                let enough = u32::from(waiting.days) >= profile.quarantine_days;
                if enough {
                    self.waiting.remove(position);
                }
                enough
            }
            Err(position) => {
                let new = Waiting { key, first_day: today, last_day: today, days: 1 };
                self.waiting.insert(position, new);
                if self.waiting.len() > WAITING_MAX {
                    let oldest =
                        self.waiting.iter().enumerate().min_by_key(|(_, w)| (w.last_day, w.key));
                    if let Some((oldest, _)) = oldest {
                        self.waiting.remove(oldest);
                    }
                }
                profile.quarantine_days <= 1
            }
        }
    }

    fn admit(&mut self, at: Timestamp, observation: &QueryObservation, profile: &QueriesProfile) {
        let key = observation.key();
        let row = &observation.joined.row;
        let Err(mut position) = self.position(key) else { return };
        if self.shapes.len() >= SHAPES_MAX {
            let Some(removed) = self.evict(at) else { return };
            position -= usize::from(removed < position);
        }
        let today = day_code(at.day());
        let shape = Shape {
            key,
            kin: kin_of(&row.read, &row.container),
            weight: self.weight(at, row.runs, profile),
            first_day: today,
            last_day: today,
            signs: row.read.signs(),
            bytes: [0.0; 3],
            rows_max: row.rows_max.unwrap_or(0).min(u64::from(u32::MAX)) as u32,
            principals: [0; PRINCIPALS_MAX],
        };
        self.shapes.reserve_exact(1);
        self.shapes.insert(position, shape);
        self.note_change(at, key);
        self.arrivals.add(at, 1.0, profile.half_life_days);
        self.keep_tokens(key, &row.read, &row.container);
        if let Some(answer) = &observation.joined.answer {
            self.teach_answer(key, answer, observation.joined.caller.as_ref().map(|(k, _)| k));
        }
    }

    /// The shape used least goes; of equals the one unseen longest.
    pub(super) fn evict(&mut self, at: Timestamp) -> Option<usize> {
        let order = |s: &Shape| (s.weight, s.last_day, s.key);
        let (position, shape) = self.shapes.iter().enumerate().min_by(|(_, a), (_, b)| {
            let ((wa, da, ka), (wb, db, kb)) = (order(a), order(b));
            wa.total_cmp(&wb).then(da.cmp(&db)).then(ka.cmp(&kb))
        })?;
        let key = shape.key;
        self.shapes.remove(position);
        self.tokens.retain(|t| t.key != key);
        self.note_change(at, key);
        Some(position)
    }

    fn note_change(&mut self, at: Timestamp, key: u64) {
        if self.changes.len() < CHANGES_MAX {
            self.changes.reserve_exact(1);
        } else {
            self.changes.remove(0);
        }
        self.changes.push(Change { minute: at.minute(), key });
    }

    /// Keeps the tokens of a shape, while they are among those of the shapes used most.
    fn keep_tokens(&mut self, key: u64, read: &QueryRead, container: &str) {
        if read.tokens.is_empty() {
            return;
        }
        let Err(position) = self.tokens.binary_search_by_key(&key, |t| t.key) else { return };
        self.tokens.reserve_exact(1);
        let kept = KeptTokens {
            key,
            language: read.language,
            tokens: Arc::clone(&read.tokens),
            text: shown::text(container, &read.template),
        };
        self.tokens.insert(position, kept);
        while self.tokens.len() > TOKENS_KEPT_MAX || self.all_token_bytes() > TOKEN_BYTES_MAX {
            let Some(lightest) = self.lightest(|_| true) else { break };
            self.tokens.remove(lightest);
        }
        while self.all_token_bytes() + self.all_text_bytes() > TOKEN_AND_TEXT_BYTES_MAX {
            let Some(lightest) = self.lightest(|t| !t.text.is_empty()) else { break };
            self.tokens[lightest].text = Box::default();
        }
    }

    /// Of the tokens kept that `which` holds for, those of the shape used least.
    fn lightest(&self, which: impl Fn(&KeptTokens) -> bool) -> Option<usize> {
        let weight = |t: &KeptTokens| self.position(t.key).map_or(0.0, |at| self.shapes[at].weight);
        let kept = self.tokens.iter().enumerate().filter(|(_, t)| which(t));
        let lightest =
            kept.min_by(|(_, a), (_, b)| weight(a).total_cmp(&weight(b)).then(a.key.cmp(&b.key)));
        lightest.map(|(at, _)| at)
    }

    fn all_token_bytes(&self) -> usize {
        self.tokens.iter().map(|t| token_bytes(&t.tokens)).sum()
    }

    fn all_text_bytes(&self) -> usize {
        self.tokens.iter().map(|t| t.text.len()).sum()
    }
}

/// Answers that a shape's mean and variance remember at most: older ones fade.
const ANSWERS_MAX: f32 = 500.0;

impl Shape {
    /// Welford's update with a bounded number, which makes it an exponentially weighted one.
    fn add_bytes(&mut self, bytes: u64) {
        let x = (bytes as f64).ln_1p() as f32;
        let [mean, variance, n] = &mut self.bytes;
        *n = (*n + 1.0).min(ANSWERS_MAX);
        let delta = x - *mean;
        *mean += delta / *n;
        *variance += (delta * (x - *mean) - *variance) / *n;
    }

    fn add_principal(&mut self, code: u16) {
        if self.principals.contains(&code) {
            return;
        }
        if let Some(free) = self.principals.iter_mut().find(|p| **p == 0) {
            *free = code;
        }
    }
}
