//! The thin shell of the population: hears from accounts at ticks, in sorted order, and speaks at
//! event-time midnights.
use actix::prelude::*;

use super::model::FleetModel;
use crate::baseline::prior::{Contribution, Priors};
use crate::ids::AccountId;

/// The actor.
pub struct FleetActor {
    model: FleetModel,
}

impl FleetActor {
    /// A shell around `model`.
    pub fn new(model: FleetModel) -> FleetActor {
        FleetActor { model }
    }
}

impl Actor for FleetActor {
    type Context = Context<Self>;
}

/// A tick: contributions sorted by (day, account), and the midnight it crossed, if any.
#[derive(Message)]
#[rtype(result = "Option<Priors>")]
pub struct FleetTick {
    /// The contributions.
    pub contributions: Vec<(i64, AccountId, Contribution)>,
    /// The day that began.
    pub midnight: Option<i64>,
}

impl Handler<FleetTick> for FleetActor {
    type Result = Option<Priors>;

    fn handle(&mut self, tick: FleetTick, _: &mut Self::Context) -> Self::Result {
        self.model.contribute(tick.contributions);
        tick.midnight.and_then(|day| self.model.publish(day))
    }
}

/// Asks for a copy of the model, for the checkpoint.
#[derive(Message)]
#[rtype(result = "FleetModel")]
pub struct CopyFleet;

impl Handler<CopyFleet> for FleetActor {
    type Result = MessageResult<CopyFleet>;

    fn handle(&mut self, _: CopyFleet, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.model.clone())
    }
}
