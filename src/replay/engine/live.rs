//! What a service does between two chunks: looks at what is open, makes durable what it said,
//! answers.
use std::sync::Arc;

use super::{Engine, merge};
use crate::account::message::{Context, Graded};
use crate::alert::dedup::Lane;
use crate::alert::desk::Preview;
use crate::detect::{AlertKind, Severity};
use crate::ids::AccountId;
use crate::intel::view::IntelView;
use crate::profile::Profile;
use crate::replay::writer::AlertWriter;
use crate::store::WriteBatch;
use crate::store::schema::told;
use crate::tenant::actor::JudgeOpenTenant;
use crate::time::Timestamp;

/// How much of what is open is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What cannot wait, of accounts with records since the last look: Medium and above. A volume
    /// is told when its ten minutes are over, because until then not even its begin is known; key
    /// operations of one principal when their run is over, because what they lack may still come;
    /// a sweep when its minute is, because it is filed under the account that it reached first.
    Urgent,
    /// Everything: no more records will come for a while.
    Last,
}

impl Look {
    fn tells(self, graded: &Graded) -> bool {
        self == Look::Last
            || (graded.grade.severity >= Severity::Medium
                && !matches!(
                    graded.finding.kind,
                    AlertKind::DataExfiltration
                        | AlertKind::SuspiciousPrincipal
                        | AlertKind::MaliciousScript
                ))
    }
}

impl Engine {
    /// From now on what is told is noted, so that early verdicts and their definitive ones are told
    /// once.
    pub fn go_live(&mut self) {
        self.ledger.note_all();
        self.live = true;
    }

    /// Whether alerts are those of history that is replayed before the service begins.
    pub fn set_warm_up(&mut self, warm_up: bool) {
        self.warm_up = warm_up;
    }

    /// Tells what accounts found since the last tick, and judges what is open on copies. What is
    /// told is durable afterwards.
    ///
    /// # Errors
    /// Store or writer failed.
    pub async fn look(&mut self, look: Look, writer: &mut AlertWriter) -> anyhow::Result<()> {
        self.flush().await?;
        let closed = self.router.findings().await?;
        self.desk(merge(closed, Vec::new()), self.watermark.current(), false, writer).await?;
        let fresh = std::mem::take(&mut self.fresh);
        let open = match look {
            Look::Urgent => self.router.judge_open_of(fresh).await,
            Look::Last => self.router.judge_open().await?,
        };
        let context = Arc::clone(self.router.context());
        let sweeps = if std::mem::take(&mut self.tenant_fresh) || look == Look::Last {
            self.tenant.send(JudgeOpenTenant(context)).await?
        } else {
            Vec::new()
        };
        let mut early: Vec<(Lane, Graded)> = merge(open, sweeps);
        let from = self.options.alerts_from;
        early.retain(|(_, g)| look.tells(g) && g.finding.decided >= from);
        if !early.is_empty() {
            for alert in self.desk.send(Preview(early)).await? {
                if let Some(alert) = self.ledger.early(alert) {
                    self.tell(alert, writer)?;
                }
            }
        }
        self.deliver(writer)
    }

    /// Makes alert lines durable, and that they were told, without anything else: a process that
    /// dies before its next checkpoint raises them again, and knows that they are told.
    fn deliver(&mut self, writer: &mut AlertWriter) -> anyhow::Result<()> {
        if !writer.has_news() {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        told::save(&mut self.ledger, &mut batch)?;
        writer.save(&mut batch);
        writer.sync()?;
        self.store.write(batch)?;
        self.store.flush()?;
        writer.saved();
        Ok(())
    }

    /// A checkpoint, whether one is due or not.
    ///
    /// # Errors
    /// Store or writer failed.
    pub async fn checkpoint_now(&mut self, writer: &mut AlertWriter) -> anyhow::Result<()> {
        self.settle(writer).await?;
        self.checkpoint(writer).await
    }

    /// A checkpoint, if it is time for one; true if it was.
    ///
    /// # Errors
    /// Store or writer failed.
    pub async fn checkpoint_if_due(&mut self, writer: &mut AlertWriter) -> anyhow::Result<bool> {
        let due = self.checkpoint_is_due();
        if due {
            self.checkpoint_now(writer).await?;
        }
        Ok(due)
    }

    /// Looks addresses up in another view from the next records on.
    pub fn set_intel(&mut self, intel: Arc<IntelView>) {
        self.lookups.set_intel(Arc::clone(&intel));
        let context = Context { intel, ..(**self.router.context()).clone() };
        self.router.set_context(Arc::new(context));
    }

    /// Judges by other settings from the next message on.
    pub fn set_profile(&mut self, profile: Arc<Profile>) {
        let context = Context { profile, ..(**self.router.context()).clone() };
        self.router.set_context(Arc::new(context));
    }

    /// Refuses records at or after this from the next chunk on.
    pub fn set_not_after(&self, not_after: Timestamp) {
        self.lookups.set_not_after(not_after);
    }

    /// An account's model as it is now, sealed; `None`: it has none.
    ///
    /// # Errors
    /// The store failed.
    pub async fn model(&mut self, account: &AccountId) -> anyhow::Result<Option<Vec<u8>>> {
        self.flush().await?;
        Ok(self.router.sealed(account).await?)
    }

    /// The file that begins like this is applied up to the record at `offset`, for good if asked
    /// right after a checkpoint.
    pub fn is_applied_through(&self, head_len: u32, head: u128, offset: u64) -> bool {
        self.sources.is_applied_through(head_len, head, offset)
    }

    /// Newest event time seen.
    pub fn newest(&self) -> Timestamp {
        self.watermark.newest()
    }
}
