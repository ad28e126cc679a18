//! One run from start to end: starts the actor system, runs the engine, reports.
use std::sync::Arc;

use super::engine::{Engine, Observer, RunOptions};
use super::pipeline::Producer;
use super::summary::Counts;
use super::writer::AlertWriter;
use crate::account::logic::AccountLogic;
use crate::account::message::Context;
use crate::account::model::AccountModel;
use crate::ids::AccountId;
use crate::router::{Factory, RouterCounters};
use crate::store::StateStore;
use crate::store::schema::account;
use crate::time::{Clock, Timestamp};

/// What to run.
pub struct Job {
    /// Where records come from.
    pub producer: Producer,
    /// Settings and lookups.
    pub context: Context,
    /// Where models live.
    pub store: Arc<dyn StateStore>,
    /// How.
    pub options: RunOptions,
    /// Wall clock, for supervision.
    pub clock: Arc<dyn Clock>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Counts.
    pub counts: Counts,
    /// The router's counters.
    pub router: RouterCounters,
    /// Accounts known.
    pub accounts: usize,
    /// Where the watermark stands.
    pub watermark: Timestamp,
}

/// Runs a job to its end, or until the observer stops it.
///
/// # Errors
/// Source, store or writer failed.
pub fn run(
    job: Job,
    writer: &mut AlertWriter,
    observer: &mut dyn Observer,
) -> anyhow::Result<Report> {
    actix::System::new().block_on(async {
        let mut engine =
            Engine::start(job.context, production_factory(), job.store, job.clock, job.options)?;
        engine.run(job.producer, writer, observer).await?;
        engine.finish(writer).await?;
        let report = Report {
            counts: engine.counts().clone(),
            router: engine.router().counters(),
            accounts: engine.router().population().0,
            watermark: engine.watermark(),
        };
        let router = &report.router;
        let (p95, most) = (router.bytes_p95(), router.bytes_max);
        crate::telemetry::ModelsMeasured { p95, most }.emit();
        engine.stop();
        Ok(report)
    })
}

/// Builds account models from their checkpoints; one that does not open is logged, and the account
/// starts afresh rather than not at all.
pub fn production_factory() -> Factory {
    Arc::new(|id: &AccountId, sealed: Option<&[u8]>| -> Box<dyn AccountLogic> {
        let restored = sealed.map(account::open);
        match restored {
            Some(Ok(model)) => Box::new(model),
            Some(Err(cause)) => {
                crate::telemetry::CheckpointDamaged { account: id, cause: &cause }.emit();
                Box::new(AccountModel::new(id.clone()))
            }
            None => Box::new(AccountModel::new(id.clone())),
        }
    })
}
