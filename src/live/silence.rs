//! Who fell silent, while the service runs: [`crate::fleet::silence`] with what it needs around it.
use std::collections::HashMap;

use super::board::Board;
use crate::baseline::tempo::HourStatus;
use crate::event::Category;
use crate::fleet::silence::{ACCOUNTS_MAX, Alarm, Change, Watch};
use crate::ids::AccountId;
use crate::replay::pipeline::Located;
use crate::replay::writer::AlertWriter;
use crate::store::{StateStore, StoreError, display_ring};
use crate::time::Timestamp;

/// Alarms that are shown; more are counted.
const SHOWN_MAX: usize = 1000;

/// Keeps the watch.
#[derive(Default)]
pub(super) struct Keeper {
    watch: Watch,
    /// Last hour noted of each account and category: most records say nothing new. Only asked.
    noted: HashMap<AccountId, [i64; Category::ALL.len()]>,
    /// Hours of the watermark and of the wall that were judged last.
    judged: Option<(i64, Option<i64>)>,
}

impl Keeper {
    /// Takes in the hours of the last weeks that the store holds, so that a restart forgets no
    /// rhythm of an account. Those of categories are learnt anew.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn seed(&mut self, store: &dyn StateStore) -> Result<(), StoreError> {
        let mut any = std::collections::BTreeSet::new();
        display_ring::each(store, &mut |account, day, bytes| {
            for hour in display_ring::read(day, bytes) {
                if hour.status == HourStatus::Logged {
                    self.watch.note_account(account, hour.hour);
                    any.insert(hour.hour);
                }
            }
        })?;
        any.into_iter().for_each(|hour| self.watch.note_any(hour));
        Ok(())
    }

    /// Takes in what came; `wall` is when, where the source is alive.
    pub(super) fn note(&mut self, events: &[Located], wall: Option<Timestamp>) {
        for located in events {
            let event = &located.event;
            if let (Some(account), Some(category)) = (&event.account, event.category()) {
                self.note_one(account, category, event.time.hour());
            }
        }
        if let Some(wall) = wall.filter(|_| !events.is_empty()) {
            self.watch.note_any(wall.hour());
        }
    }

    fn note_one(&mut self, account: &AccountId, category: Category, hour: i64) {
        let new = [i64::MIN; Category::ALL.len()];
        if !self.noted.contains_key(account) {
            if self.noted.len() >= ACCOUNTS_MAX {
                return;
            }
            self.noted.insert(account.clone(), new);
        }
        let Some(noted) = self.noted.get_mut(account) else { return };
        if noted[category as usize] < hour {
            noted[category as usize] = hour;
            self.watch.note(account, category, hour);
        }
    }

    /// Judges, once an hour of either clock; tells what changed.
    pub(super) fn judge(
        &mut self,
        watermark: Timestamp,
        wall: Option<Timestamp>,
        writer: &mut AlertWriter,
        board: &Board,
    ) {
        let now = (watermark.hour(), wall.map(Timestamp::hour));
        if watermark == Timestamp::MIN || self.judged == Some(now) {
            return;
        }
        self.judged = Some(now);
        let changes = self.watch.judge(now.0, now.1);
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            log(change);
            writer.tell_silence(change);
        }
        let open: Vec<Alarm> = self.watch.open().take(SHOWN_MAX).cloned().collect();
        board.write(|status| status.silences = open);
    }
}

fn log(change: &Change) {
    let (Change::Raised(alarm) | Change::Resolved(alarm, _)) = change;
    let account = alarm.accounts.first().map(ToString::to_string).unwrap_or_default();
    crate::telemetry::LogSilence {
        scope: alarm.silent.scope(),
        account: &account,
        accounts: alarm.accounts.len(),
        category: alarm.silent.category().map_or("", |category| category.as_str()),
        since: &alarm.since.to_string(),
        is_over: matches!(change, Change::Resolved(..)),
    }
    .emit();
}
