//! cosmoguard: threat detection for Azure Cosmos DB from the logs that Azure already emits.
//!
//! The one-page map. Layers, upper may use lower, never the other way round
//! (`tests/it/architecture.rs` holds the directions):
//!
//! ```text
//! 7  main, cli, config               what a person sees and sets
//! 6  */actor.rs, router, replay, live, alert::desk    the only place that knows actix
//!    inquiry                         what is asked of a store, for people and programs
//! 5  store, snapshot, source, evidence, intel::feeds, alert::sinks, simulate, telemetry    bytes in and out, no actix
//! 4  account, tenant, fleet, alert    pure: batches in, findings and alerts out
//! 3  detect, severity                 pure: observations to p-values to severities
//! 2  baseline, intel::view,           pure: what normal looks like; who an address is;
//!    cosmos_sql, command_text         what a query's text says
//! 1  event, stats                     pure: what a record means; small numerics
//! 0  ids, time, limits, profile       words, clock, bounds, shipped settings
//! ```
//!
//! Data flow: `source → event::decode → router → account [observe → detect → grade] →
//! alert desk [dedup] → formats → file`. Event time only, from decode downwards.
#![forbid(unsafe_code)]

pub mod account;
pub mod alert;
pub mod baseline;
pub mod cli;
pub mod command_text;
pub mod config;
pub mod cosmos_sql;
pub mod detect;
pub mod event;
pub mod evidence;
pub mod fleet;
pub mod ids;
pub mod inquiry;
pub mod intel;
pub mod limits;
pub mod live;
pub mod profile;
pub mod replay;
pub mod router;
pub mod server;
pub mod severity;
pub mod simulate;
pub mod snapshot;
pub mod source;
pub mod stats;
pub mod store;
pub mod telemetry;
pub mod tenant;
pub mod time;
