//! The thin actix shell of an account: one writer, no locks. It holds the model and nothing else;
//! a panic inside the model ends this actor, and the router builds a new one.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::prelude::*;

use super::logic::{AccountLogic, AccountState};
use super::message::{Context as AccountContext, EventBatch, Graded, Outcome};
use crate::limits;
use crate::time::Timestamp;

/// The actor.
pub struct AccountActor {
    logic: Box<dyn AccountLogic>,
}

impl AccountActor {
    /// Starts an actor for `logic` on `arbiter`.
    pub fn start_on(arbiter: &ArbiterHandle, logic: Box<dyn AccountLogic>) -> Addr<AccountActor> {
        AccountActor::start_in_arbiter(arbiter, move |ctx| {
            ctx.set_mailbox_capacity(limits::MAILBOX_MESSAGES);
            AccountActor { logic }
        })
    }
}

impl Actor for AccountActor {
    type Context = Context<Self>;
}

/// The model panicked; the actor is gone with its half-changed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Work for an account: a batch, then possibly a tick.
#[derive(Message)]
#[rtype(result = "Result<Reply, Panicked>")]
pub struct Work {
    /// The batch; shared, so that it can be delivered again after a panic.
    pub batch: Arc<EventBatch>,
    /// The watermark to move to afterwards.
    pub tick: Option<Timestamp>,
    /// Settings, lookups, priors.
    pub context: Arc<AccountContext>,
    /// Answer with a checkpoint too.
    pub checkpoint: bool,
}

/// The answer to [`Work`].
#[derive(Debug)]
pub struct Reply {
    /// What came of it.
    pub outcome: Outcome,
    /// The sealed checkpoint, if asked for.
    pub checkpoint: Option<Vec<u8>>,
    /// State after the work.
    pub state: AccountState,
}

impl Handler<Work> for AccountActor {
    type Result = Result<Reply, Panicked>;

    fn handle(&mut self, work: Work, ctx: &mut Self::Context) -> Self::Result {
        let logic = &mut self.logic;
        // The model is thrown away if this unwinds, so nobody sees its broken state.
        let done = catch_unwind(AssertUnwindSafe(|| {
            let mut outcome = logic.apply(&work.batch, &work.context);
            if let Some(watermark) = work.tick {
                let ticked = logic.tick(watermark, &work.context);
                outcome.findings.extend(ticked.findings);
                outcome.contributions.extend(ticked.contributions);
                outcome.hours.extend(ticked.hours);
                outcome.pending = ticked.pending;
                outcome.idle &= ticked.idle;
            }
            let checkpoint = if work.checkpoint { logic.checkpoint() } else { None };
            Reply { outcome, checkpoint, state: logic.state() }
        }));
        done.map_err(|_| {
            ctx.stop();
            Panicked
        })
    }
}

/// Asks for findings from open cells, judged on a copy.
#[derive(Message)]
#[rtype(result = "Result<Vec<Graded>, Panicked>")]
pub struct JudgeOpen(pub Arc<AccountContext>);

impl Handler<JudgeOpen> for AccountActor {
    type Result = Result<Vec<Graded>, Panicked>;

    fn handle(&mut self, ask: JudgeOpen, _: &mut Self::Context) -> Self::Result {
        let logic = &self.logic;
        catch_unwind(AssertUnwindSafe(|| logic.judge_open(&ask.0))).map_err(|_| Panicked)
    }
}

/// Asks for the state.
#[derive(Message)]
#[rtype(result = "AccountState")]
pub struct Observe;

impl Handler<Observe> for AccountActor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.logic.state())
    }
}

/// Stops the actor once everything before it is done; its state was checkpointed already.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retire;

impl Handler<Retire> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
