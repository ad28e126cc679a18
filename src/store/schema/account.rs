//! The account checkpoint: model, watermark and sequence together.
use serde::{Deserialize, Serialize};

use super::cell::CellV1;
use super::{
    egress::EgressV1,
    listed::ListedV1,
    location::LocationV1,
    principals::PrincipalsV1,
    query_shapes::{ErrorsV1, QueryShapesV1},
    tempo::TempoV1,
};
use crate::account::logic::{AccountLogic, AccountState};
use crate::account::message::{Context, EventBatch, Graded, Outcome, SURPRISE_LANES};
use crate::account::model::AccountModel;
use crate::account::verdict::{HourQueries, Nearest};
use crate::baseline::cell::LaneMemory;
use crate::detect::AlertKind;
use crate::ids::{AccountId, Text};
use crate::limits;
use crate::store::codec;
use crate::store::envelope::EnvelopeError;
use crate::time::Timestamp;

/// Longest checkpoint that is written or read, bytes (8 MiB). The model's own bound is small; the
/// rest is for open cells, of which an hour of busy minutes or thousands of stray ones may stand.
/// An account that could not be sealed could neither sleep nor be rebuilt.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * limits::ACCOUNT_BYTES_MAX;

/// Persisted form of an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct AccountV1 {
    key: String,
    resource_id: Option<Text>,
    watermark: i64,
    open: Vec<(i64, CellV1)>,
    clock: Option<i64>,
    last_minute: i64,
    slot_open: bool,
    hour_requests: u64,
    day_active: bool,
    hour_surprise: [u8; SURPRISE_LANES],
    hour_nearest: [[u8; 2]; SURPRISE_LANES],
    /// Text, new, malformed, signs.
    hour_queries: (bool, u8, u8, u32),
    lanes: (Option<i64>, Option<i64>),
    location: LocationV1,
    listed: ListedV1,
    egress: EgressV1,
    principals: PrincipalsV1,
    tempo: TempoV1,
    shapes: Option<QueryShapesV1>,
    errors: ErrorsV1,
    sequence: u64,
    recent: Vec<(String, i64)>,
    records: u64,
    late_records: u64,
    prior_day: i64,
    taught_until: i64,
}

impl From<&AccountModel> for AccountV1 {
    fn from(m: &AccountModel) -> AccountV1 {
        AccountV1 {
            key: m.id.key(),
            resource_id: m.resource_id.clone(),
            watermark: m.watermark.0,
            open: m.open.iter().map(|(minute, cell)| (*minute, cell.into())).collect(),
            clock: m.clock,
            last_minute: m.last_minute,
            slot_open: m.slot_open,
            hour_requests: m.hour_requests,
            day_active: m.day_active,
            hour_surprise: m.hour_surprise,
            hour_nearest: m.hour_nearest.map(Nearest::bytes),
            hour_queries: {
                let HourQueries { texts, new, malformed, signs } = m.hour_queries;
                (texts, new, malformed, signs)
            },
            lanes: (m.lanes.api, m.lanes.data_plane),
            location: (&m.location).into(),
            listed: (&m.listed).into(),
            egress: (&m.egress).into(),
            principals: (&m.principals).into(),
            tempo: (&m.tempo).into(),
            shapes: m.shapes.as_deref().map(Into::into),
            errors: (&m.errors).into(),
            sequence: m.sequence,
            recent: m
                .recent
                .iter()
                .map(|(kind, at)| (kind.alert_type().to_owned(), at.0))
                .collect(),
            records: m.records,
            late_records: m.late_records,
            prior_day: m.prior_day,
            taught_until: m.taught_until.0,
        }
    }
}

impl AccountV1 {
    fn restore(self) -> Result<AccountModel, String> {
        let open = self.open.into_iter().map(|(minute, cell)| Some((minute, cell.restore()?)));
        let recent = self
            .recent
            .into_iter()
            .map(|(kind, at)| Some((AlertKind::parse(&kind)?, Timestamp(at))));
        let shapes = self.shapes.map(QueryShapesV1::restore).transpose();
        Ok(AccountModel {
            id: AccountId::parse(&self.key),
            resource_id: self.resource_id,
            watermark: Timestamp(self.watermark),
            open: open.collect::<Option<_>>().ok_or("an open cell holds an unknown word")?,
            clock: self.clock,
            last_minute: self.last_minute,
            slot_open: self.slot_open,
            hour_requests: self.hour_requests,
            day_active: self.day_active,
            hour_surprise: self.hour_surprise,
            hour_nearest: self.hour_nearest.map(Nearest::of_bytes),
            hour_queries: {
                let (texts, new, malformed, signs) = self.hour_queries;
                HourQueries { texts, new, malformed, signs }
            },
            lanes: LaneMemory { api: self.lanes.0, data_plane: self.lanes.1 },
            location: self.location.try_into().map_err(|e| format!("places: {e}"))?,
            listed: self.listed.try_into().map_err(|e| format!("listed addresses: {e}"))?,
            egress: self.egress.try_into().map_err(|e| format!("volume: {e}"))?,
            principals: self.principals.try_into().map_err(|e| format!("principals: {e}"))?,
            tempo: self.tempo.try_into().map_err(|e| format!("tempo: {e}"))?,
            shapes: shapes.map_err(|e| format!("queries: {e}"))?.map(Box::new),
            errors: self.errors.restore().ok_or("malformed requests: no such counts")?,
            sequence: self.sequence,
            recent: recent
                .collect::<Option<_>>()
                .ok_or("a recent finding is of an unknown kind")?,
            records: self.records,
            late_records: self.late_records,
            prior_day: self.prior_day,
            taught_until: Timestamp(self.taught_until),
        })
    }
}

/// Seals a model.
///
/// # Errors
/// It is larger than [`CHECKPOINT_BYTES_MAX`].
pub fn seal(model: &AccountModel) -> Result<Vec<u8>, EnvelopeError> {
    codec::encode(&AccountV1::from(model), CHECKPOINT_BYTES_MAX)
}

/// Opens a sealed model.
///
/// # Errors
/// Damage of any kind, or values that no model can have.
pub fn open(sealed: &[u8]) -> Result<AccountModel, EnvelopeError> {
    let mirror: AccountV1 = codec::decode(sealed, CHECKPOINT_BYTES_MAX)?;
    mirror.restore().map_err(EnvelopeError::Payload)
}

impl AccountLogic for AccountModel {
    fn apply(&mut self, batch: &EventBatch, context: &Context) -> Outcome {
        AccountModel::apply(self, &batch.events, context)
    }
    fn tick(&mut self, watermark: Timestamp, context: &Context) -> Outcome {
        AccountModel::tick(self, watermark, context)
    }
    fn judge_open(&self, context: &Context) -> Vec<Graded> {
        AccountModel::judge_open(self, context)
    }
    fn checkpoint(&self) -> Option<Vec<u8>> {
        seal(self)
            .inspect_err(|e| {
                crate::telemetry::CheckpointRefused { account: self.id(), cause: e }.emit()
            })
            .ok()
    }
    fn state(&self) -> AccountState {
        AccountModel::state(self)
    }
}
