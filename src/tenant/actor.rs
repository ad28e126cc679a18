//! The thin shell of the tenant model: hears every credential operation from the router, speaks at
//! ticks.
use std::sync::Arc;

use actix::prelude::*;

use super::model::TenantModel;
use super::operation::TenantOperation;
use crate::account::message::{Context as AccountContext, Graded};
use crate::baseline::principals::PrincipalDirectory;
use crate::detect::Finding;
use crate::severity;
use crate::time::Timestamp;

/// The actor.
pub struct TenantActor {
    model: TenantModel,
    sequence: u64,
}

impl TenantActor {
    /// A shell around `model` that numbers its findings from `sequence` on.
    pub fn new(model: TenantModel, sequence: u64) -> TenantActor {
        TenantActor { model, sequence }
    }
}

/// Grades findings and numbers those that are worth an alert.
fn graded(findings: Vec<Finding>, context: &AccountContext, sequence: &mut u64) -> Vec<Graded> {
    let grades = findings.into_iter().filter_map(|finding| {
        let grade = severity::grade(&finding, &context.profile.severity)?;
        *sequence += 1;
        Some(Graded { sequence: *sequence, finding, grade })
    });
    grades.collect()
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
}

impl Handler<Operations> for TenantActor {
    type Result = ();

    fn handle(&mut self, message: Operations, _: &mut Self::Context) -> Self::Result {
        for (operation, watermark) in message.operations {
            self.model.observe(operation, watermark);
        }
    }
}

/// What the tenant says at a tick.
#[derive(Debug, Default)]
pub struct TenantSaid {
    /// Graded findings, in sequence.
    pub findings: Vec<Graded>,
    /// Directories of the midnights passed, oldest first.
    pub directories: Vec<Arc<PrincipalDirectory>>,
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
        let advance = self.model.advance(tick.watermark, &tick.context.profile);
        MessageResult(TenantSaid {
            findings: graded(advance.findings, &tick.context, &mut self.sequence),
            directories: advance.directories,
        })
    }
}

/// Asks for findings from open cells, judged on a copy.
#[derive(Message)]
#[rtype(result = "Vec<Graded>")]
pub struct JudgeOpenTenant(pub Arc<AccountContext>);

impl Handler<JudgeOpenTenant> for TenantActor {
    type Result = Vec<Graded>;

    fn handle(&mut self, ask: JudgeOpenTenant, _: &mut Self::Context) -> Self::Result {
        graded(self.model.judge_open(&ask.0.profile), &ask.0, &mut self.sequence.clone())
    }
}

/// Asks for a copy of the model and its last sequence number, for the checkpoint.
#[derive(Message)]
#[rtype(result = "(TenantModel, u64)")]
pub struct CopyTenant;

impl Handler<CopyTenant> for TenantActor {
    type Result = MessageResult<CopyTenant>;

    fn handle(&mut self, _: CopyTenant, _: &mut Self::Context) -> Self::Result {
        MessageResult((self.model.clone(), self.sequence))
    }
}
