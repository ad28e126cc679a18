//! The thin shell of the tenant model: hears every credential operation from the router, speaks at
//! ticks.
use std::sync::Arc;

use actix::prelude::*;

use super::model::{TenantModel, TenantSaid};
use super::operation::TenantOperation;
use crate::account::message::{Context as AccountContext, Graded};
use crate::time::Timestamp;

/// The actor.
pub struct TenantActor {
    model: TenantModel,
}

impl TenantActor {
    /// A shell around `model`.
    pub fn new(model: TenantModel) -> TenantActor {
        TenantActor { model }
    }
}

impl Actor for TenantActor {
    type Context = Context<Self>;
}

/// Credential operations in stream order, each with its stamped watermark.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Operations {
    /// The operations.
    pub operations: Vec<(TenantOperation, Timestamp)>,
    /// Settings.
    pub context: Arc<AccountContext>,
}

impl Handler<Operations> for TenantActor {
    type Result = ();

    fn handle(&mut self, message: Operations, _: &mut Self::Context) -> Self::Result {
        for (operation, watermark) in message.operations {
            self.model.observe(operation, watermark, &message.context.profile.keys);
        }
    }
}

/// Moves the tenant to a watermark.
#[derive(Message)]
#[rtype(result = "TenantSaid")]
pub struct TenantTick {
    /// Where to.
    pub watermark: Timestamp,
    /// Settings.
    pub context: Arc<AccountContext>,
}

impl Handler<TenantTick> for TenantActor {
    type Result = MessageResult<TenantTick>;

    fn handle(&mut self, tick: TenantTick, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.model.tick(tick.watermark, &tick.context.profile))
    }
}

/// Asks for findings from open cells, judged on a copy.
#[derive(Message)]
#[rtype(result = "Vec<Graded>")]
pub struct JudgeOpenTenant(pub Arc<AccountContext>);

impl Handler<JudgeOpenTenant> for TenantActor {
    type Result = Vec<Graded>;

    fn handle(&mut self, ask: JudgeOpenTenant, _: &mut Self::Context) -> Self::Result {
        self.model.judge_open_graded(&ask.0.profile)
    }
}

/// Asks for a copy of the model, for the checkpoint.
#[derive(Message)]
#[rtype(result = "TenantModel")]
pub struct CopyTenant;

impl Handler<CopyTenant> for TenantActor {
    type Result = MessageResult<CopyTenant>;

    fn handle(&mut self, _: CopyTenant, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.model.clone())
    }
}
