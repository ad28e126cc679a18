//! Persisted form of everything that is not an account: each part under its own key.
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::desk::DeskV1;
use super::egress_prior::{EgressContributionV1, EgressPriorV1};
use super::location_prior::{LocationContributionV1, LocationPriorV1};
use super::sources::DigestsV1;
use super::tenant::{DirectoryV1, TenantV1};
use crate::alert::dedup::DeskState;
use crate::baseline::principals::PrincipalDirectory;
use crate::baseline::prior::{Contribution, Priors};
use crate::baseline::published::ByDay;
use crate::fleet::model::FleetModel;
use crate::ids::AccountId;
use crate::router::digests::{Digests, Part};
use crate::router::watermark::Watermark;
use crate::store::envelope::EnvelopeError;
use crate::store::run_state::RunState;
use crate::store::sources::Sources;
use crate::store::{StateStore, StoreError, WriteBatch, codec, keys};
use crate::tenant::model::TenantModel;
use crate::time::Timestamp;

/// Longest part, bytes: the contributions of 100,000 accounts with room to spare.
pub const PART_BYTES_MAX: usize = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct RunV1 {
    newest: i64,
    watermark: i64,
    doubted: Vec<i64>,
    last_tick: Option<(i64, i64)>,
    tenant_sequence: u64,
    digests_began: i64,
    digests_young: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct PriorsV1 {
    egress: EgressPriorV1,
    location: LocationPriorV1,
}

#[derive(Debug, Serialize, Deserialize)]
struct FleetV1 {
    published: i64,
    contributions: Vec<(String, i64, Option<EgressContributionV1>, Option<LocationContributionV1>)>,
}

fn damaged(key: &[u8], cause: EnvelopeError) -> StoreError {
    StoreError::Damaged { key: String::from_utf8_lossy(key).into_owned(), cause }
}

fn get<T: DeserializeOwned>(store: &dyn StateStore, key: &[u8]) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.get(key)? else { return Ok(None) };
    codec::decode(&bytes, PART_BYTES_MAX).map(Some).map_err(|cause| damaged(key, cause))
}

fn put<T: Serialize>(batch: &mut WriteBatch, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
    let sealed = codec::encode(value, PART_BYTES_MAX).map_err(|cause| damaged(&key, cause))?;
    batch.put(key, sealed);
    Ok(())
}

/// Values by day under `prefix`.
fn by_day<V, T>(
    store: &dyn StateStore,
    prefix: &[u8],
    into: &mut ByDay<T>,
    restore: impl Fn(i64, V) -> Result<T, String>,
) -> Result<(), StoreError>
where
    V: DeserializeOwned,
{
    let mut failed = None;
    store.scan(prefix, &mut |key, bytes| {
        let day = key[prefix.len()..].try_into().map(i64::from_be_bytes).unwrap_or_default();
        let restored = codec::decode(bytes, PART_BYTES_MAX)
            .and_then(|v| restore(day, v).map_err(EnvelopeError::Payload));
        match restored {
            Ok(value) => into.publish(day, Arc::new(value)),
            Err(cause) => failed = Some(damaged(key, cause)),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(()), Err)
}

/// The newest record's time and the watermark that a run left, without anything else of it.
///
/// # Errors
/// The store failed or the value is damaged.
pub fn clock(store: &dyn StateStore) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let run: Option<RunV1> = get(store, &keys::positions())?;
    Ok(run.map(|r| (Timestamp(r.newest), Timestamp(r.watermark))))
}

/// Reads what an earlier run left; a fresh state if it left nothing.
///
/// # Errors
/// The store failed or a value is damaged.
pub fn load(store: &dyn StateStore, lateness_ms: i64) -> Result<RunState, StoreError> {
    let run: Option<RunV1> = get(store, &keys::positions())?;
    let payload = |key: Vec<u8>| move |cause: String| damaged(&key, EnvelopeError::Payload(cause));
    let tenant = match get::<TenantV1>(store, &keys::tenant())? {
        Some(v) => TenantModel::try_from(v).map_err(|e| payload(keys::tenant())(e.to_owned()))?,
        None => TenantModel::default(),
    };
    let desk = desk(store)?;
    let fleet = match get::<FleetV1>(store, &keys::fleet())? {
        Some(v) => restore_fleet(v).map_err(payload(keys::fleet()))?,
        None => FleetModel::default(),
    };
    let (mut priors, mut directory) = (ByDay::default(), ByDay::default());
    by_day(store, keys::PRIORS, &mut priors, restore_priors)?;
    by_day(store, keys::DIRECTORY, &mut directory, |_, v: DirectoryV1| {
        PrincipalDirectory::try_from(v).map_err(str::to_owned)
    })?;
    Ok(RunState {
        tenant,
        tenant_sequence: run.as_ref().map_or(0, |r| r.tenant_sequence),
        fleet,
        desk,
        priors,
        directory,
        watermark: run.as_ref().map_or_else(
            || Watermark::new(lateness_ms),
            |r| {
                let doubted = r.doubted.iter().map(|t| Timestamp(*t)).collect();
                Watermark::resume(lateness_ms, Timestamp(r.newest), Timestamp(r.watermark), doubted)
            },
        ),
        last_tick: run.as_ref().and_then(|r| r.last_tick),
        sources: Sources::load(store)?,
        digests: match &run {
            Some(r) => {
                let began = Timestamp(r.digests_began);
                Digests::resume(lateness_ms, began, r.digests_young, digest_parts(store)?)
            }
            None => Digests::new(lateness_ms),
        },
    })
}

/// The desk alone.
///
/// # Errors
/// The store failed or the desk is damaged.
pub fn desk(store: &dyn StateStore) -> Result<DeskState, StoreError> {
    let Some(stored) = get::<DeskV1>(store, &keys::desk())? else {
        return Ok(DeskState::default());
    };
    DeskState::try_from(stored)
        .map_err(|e| damaged(&keys::desk(), EnvelopeError::Payload(e.to_string())))
}

/// Puts the desk alone.
///
/// # Errors
/// It is larger than its bound.
pub fn put_desk(batch: &mut WriteBatch, desk: &DeskState) -> Result<(), StoreError> {
    put(batch, keys::desk(), &DeskV1::from(desk))
}

/// Puts the population alone.
///
/// # Errors
/// It is larger than its bound.
pub fn put_fleet(batch: &mut WriteBatch, fleet: &FleetModel) -> Result<(), StoreError> {
    put(batch, keys::fleet(), &stored_fleet(fleet))
}

/// How far a stored run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// The stream's watermark; [`Timestamp::MIN`] before anything was read.
    pub watermark: Timestamp,
}

/// Reads how far a stored run has come, and nothing else.
///
/// # Errors
/// The store failed or the positions are damaged.
pub fn summary(store: &dyn StateStore) -> Result<RunSummary, StoreError> {
    let run: Option<RunV1> = get(store, &keys::positions())?;
    Ok(RunSummary { watermark: run.map_or(Timestamp::MIN, |run| Timestamp(run.watermark)) })
}

/// Puts everything that is not an account into a checkpoint.
///
/// # Errors
/// A part is larger than its bound, or the store failed.
pub fn save(
    state: &mut RunState,
    store: &dyn StateStore,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let (began, young) = state.digests.young();
    let run = RunV1 {
        newest: state.watermark.newest().0,
        watermark: state.watermark.current().0,
        doubted: state.watermark.doubted().iter().map(|t| t.0).collect(),
        last_tick: state.last_tick,
        tenant_sequence: state.tenant_sequence,
        digests_began: began.0,
        digests_young: young,
    };
    save_digests(&mut state.digests, batch)?;
    state.sources.save(batch)?;
    put(batch, keys::positions(), &run)?;
    put(batch, keys::tenant(), &TenantV1::from(&state.tenant))?;
    put(batch, keys::desk(), &DeskV1::from(&state.desk))?;
    put_fleet(batch, &state.fleet)?;
    for (day, priors) in state.priors.iter() {
        let key = keys::priors(day);
        if store.get(&key)?.is_none() {
            let value =
                PriorsV1 { egress: (&priors.egress).into(), location: (&priors.location).into() };
            put(batch, key, &value)?;
        }
    }
    for (day, directory) in state.directory.iter() {
        let key = keys::directory(day);
        if store.get(&key)?.is_none() {
            put(batch, key, &DirectoryV1::from(&**directory))?;
        }
    }
    forget(store, keys::PRIORS, state.priors.iter().next().map(|(day, _)| day), batch)?;
    forget(store, keys::DIRECTORY, state.directory.iter().next().map(|(day, _)| day), batch)
}

/// Deletes what lies under `prefix` and is of before `first`, the first day that is kept.
fn forget(
    store: &dyn StateStore,
    prefix: &[u8],
    first: Option<i64>,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let Some(first) = first else { return Ok(()) };
    store.scan(prefix, &mut |key, _| {
        let day = key[prefix.len()..].try_into().map_or(i64::MAX, i64::from_be_bytes);
        if day < first {
            batch.delete(key.to_vec());
        }
        day < first
    })
}

/// Stored fingerprints. A key that is none of ours cannot come of this program.
fn digest_parts(store: &dyn StateStore) -> Result<Vec<Part>, StoreError> {
    let mut parts = Vec::new();
    let mut failed = None;
    store.scan(keys::DIGESTS, &mut |key, bytes| {
        let place =
            key[keys::DIGESTS.len()..].split_at_checked(8).and_then(|(generation, part)| {
                let generation = u64::from_be_bytes(generation.try_into().ok()?);
                Some((generation, u32::from_be_bytes(part.try_into().ok()?)))
            });
        match (place, codec::decode::<DigestsV1>(bytes, PART_BYTES_MAX)) {
            (Some((generation, part)), Ok(v)) => parts.push((generation, part, v.digests)),
            (None, _) => {
                failed = Some(damaged(key, EnvelopeError::Payload("its key is torn".to_owned())))
            }
            (_, Err(cause)) => failed = Some(damaged(key, cause)),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(parts), Err)
}

fn save_digests(digests: &mut Digests, batch: &mut WriteBatch) -> Result<(), StoreError> {
    let changes = digests.take_changes();
    for (generation, part) in changes.delete {
        batch.delete(keys::digests(generation, part));
    }
    for (generation, part, digests) in changes.put {
        put(batch, keys::digests(generation, part), &DigestsV1 { digests })?;
    }
    Ok(())
}

fn restore_priors(day: i64, v: PriorsV1) -> Result<Priors, String> {
    Ok(Priors { day, egress: v.egress.try_into()?, location: v.location.try_into()? })
}

fn stored_fleet(fleet: &FleetModel) -> FleetV1 {
    let contributions = fleet.contributions().map(|(account, day, c)| {
        (account.key(), day, c.egress.as_ref().map(Into::into), c.location.as_ref().map(Into::into))
    });
    FleetV1 { published: fleet.published, contributions: contributions.collect() }
}

fn restore_fleet(v: FleetV1) -> Result<FleetModel, String> {
    let mut contributions = Vec::with_capacity(v.contributions.len());
    for (account, day, egress, location) in v.contributions {
        let contribution = Contribution {
            egress: egress.map(TryInto::try_into).transpose()?,
            location: location.map(TryInto::try_into).transpose()?,
        };
        contributions.push((day, AccountId::parse(&account), contribution));
    }
    Ok(FleetModel::restore(contributions, v.published))
}
