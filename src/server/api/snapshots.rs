//! Snapshots of the data directory: listed, taken, compared.
use std::path::PathBuf;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use tokio::time::Duration;
use utoipa::{IntoParams, ToSchema};

use super::{account_id, blocking, json, no_account, shown};
use crate::account::diff::{Diff, Knowledge};
use crate::config;
use crate::ids::AccountId;
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::tokens::Role;
use crate::server::{Service, Shared};
use crate::snapshot::{self, Archive, EXTENSION};
use crate::store::keys;
use crate::store::layout::DataDir;
use crate::store::memory::MemoryStore;
use crate::store::schema::{account, run};
use crate::time::MINUTE_MS;

/// A checkpoint of a large fleet takes so long.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(120);
/// How often a snapshot is begun anew because a checkpoint came between.
const TRIES: usize = 3;
/// The state as it is now, where a snapshot's name is asked for.
const NOW: &str = "now";

/// One snapshot.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnapshotView {
    /// Its file in the data directory's `snapshots`.
    pub name: String,
    /// Bytes.
    pub bytes: Option<u64>,
    /// What it says of itself; absent if it cannot be read.
    #[schema(value_type = Option<Object>)]
    pub manifest: Option<Value>,
    /// Why it cannot be read.
    pub error: Option<String>,
}

/// Snapshots.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnapshotList {
    /// By name.
    pub items: Vec<SnapshotView>,
}

fn folder(shared: &Shared) -> PathBuf {
    DataDir::new(&shared.data_dir).snapshots()
}

/// Names of the files that are snapshots, ascending.
fn names(shared: &Shared) -> Result<Vec<String>, Problem> {
    let entries = match std::fs::read_dir(folder(shared)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(anyhow::Error::from(e).into()),
    };
    let files = entries.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|e| e == EXTENSION));
    let mut names: Vec<String> =
        files.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

fn view(shared: &Shared, name: String) -> SnapshotView {
    let opened = Archive::open(&folder(shared).join(&name));
    match opened.and_then(|mut archive| archive.glance().map(|()| archive)) {
        Ok(archive) => SnapshotView {
            name,
            bytes: Some(archive.bytes()),
            manifest: Some(value!(archive.manifest())),
            error: None,
        },
        Err(_) => {
            let error = Some("it is damaged or of a newer version".to_owned());
            SnapshotView { name, bytes: None, manifest: None, error }
        }
    }
}

/// Lists the snapshots of the data directory.
#[utoipa::path(
    get,
    path = "/v1/snapshots",
    tag = "snapshots",
    responses(
        (status = 200, description = "The snapshots.", body = SnapshotList),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(service: Data<Service>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.whole_fleet()?;
    let shared = service.shared.clone();
    let items =
        blocking(move || Ok(names(&shared)?.into_iter().map(|name| view(&shared, name)).collect()));
    json(&SnapshotList { items: items.await? })
}

/// Makes everything durable and takes a snapshot into the data directory.
#[utoipa::path(
    post,
    path = "/v1/snapshots",
    tag = "snapshots",
    responses(
        (status = 201, description = "The snapshot.", body = SnapshotView),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    caller.must(Role::Admin)?;
    caller.whole_fleet()?;
    let Ok(_alone) = service.snapshot.try_lock() else {
        let detail = "a snapshot is being taken";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    for _ in 0..TRIES {
        let asked = service.shared.desk.checkpoint();
        match tokio::time::timeout(CHECKPOINT_PATIENCE, asked).await {
            Ok(done) => done??,
            Err(_) => return Err(Problem::unavailable("the engine is busy; ask again later")),
        }
        let shared = service.shared.clone();
        if let Some(taken) = blocking(move || take(&shared)).await? {
            let bytes = serde_json::to_vec(&taken).map_err(anyhow::Error::from)?;
            return Ok(HttpResponse::Created().content_type("application/json").body(bytes));
        }
    }
    Err(Problem::unavailable("checkpoints came between; ask again when less is going on"))
}

/// Takes one; `None` if the state moved on meanwhile, and it may hold parts of both.
fn take(shared: &Shared) -> Result<Option<SnapshotView>, Problem> {
    let now = shared.clock.now();
    let intel = &shared.config.config.intel;
    let about = config::about::about(&shared.config, &intel.tor_exits, &intel.threat_ips, now)?;
    let folder = folder(shared);
    std::fs::create_dir_all(&folder).map_err(anyhow::Error::from)?;
    let stem: String = now.azure().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let name = format!("asked-{stem}.{EXTENSION}");
    let store = shared.store.as_ref();
    let before = store.get(&keys::positions())?;
    let path = folder.join(&name);
    snapshot::create(store, &path, &about, &mut |_| ()).map_err(anyhow::Error::from)?;
    if store.get(&keys::positions())? != before {
        std::fs::remove_file(&path).map_err(anyhow::Error::from)?;
        return Ok(None);
    }
    Ok(Some(view(shared, name)))
}

/// Which two, and which account.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// A snapshot's name.
    a: Option<String>,
    /// Another one, or `now`.
    b: Option<String>,
    /// The account.
    account: Option<String>,
}

/// What an account learnt between two snapshots.
#[utoipa::path(
    get,
    path = "/v1/snapshots/diff",
    tag = "snapshots",
    params(DiffQuery),
    responses(
        (status = 200, description = "As `snapshot diff A B ACCOUNT --json` has it.", body = Object),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn diff(
    query: Query<DiffQuery>,
    service: Data<Service>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let need = |field: &str, text: &Option<String>| {
        text.clone().ok_or_else(|| Problem::field(field, "it is missing"))
    };
    let (a, b) = (need("a", &query.a)?, need("b", &query.b)?);
    let id = account_id(&need("account", &query.account)?);
    caller.account(&id.to_string())?;
    let shared = service.shared.clone();
    let answer = blocking(move || {
        let (before, after) = (known(&shared, "a", &a, &id)?, known(&shared, "b", &b, &id)?);
        let mut answer = match (before, after) {
            (Some(before), Some(after)) => value!(Diff::of(&before, &after)),
            (None, Some(_)) => value!({"change": "new"}),
            (Some(_), None) => value!({"change": "gone"}),
            (None, None) => return Err(no_account(&id.to_string())),
        };
        answer["account"] = Value::from(id.to_string());
        Ok(answer)
    });
    json(&answer.await?)
}

/// What a snapshot, or the state of now, knows of an account. Only names of the list are opened.
fn known(
    shared: &Shared,
    field: &str,
    name: &str,
    id: &AccountId,
) -> Result<Option<Knowledge>, Problem> {
    let profile = &shared.config.config.profile;
    let lateness_ms = profile.time.lateness_minutes * MINUTE_MS;
    let (sealed, state) = if name == NOW {
        let store = shared.store.as_ref();
        (store.get(&keys::account(id))?, run::load(store, lateness_ms)?)
    } else {
        if !names(shared)?.iter().any(|known| known == name) {
            let message = format!("no snapshot `{}`; /v1/snapshots lists all", shown(name));
            return Err(Problem::field(field, message));
        }
        let mut archive = Archive::open(&folder(shared).join(name)).map_err(anyhow::Error::from)?;
        let store = MemoryStore::default();
        archive.load_run(&store).map_err(anyhow::Error::from)?;
        let sealed = archive.account(id).map_err(anyhow::Error::from)?;
        (sealed, run::load(&store, lateness_ms)?)
    };
    let Some(sealed) = sealed else { return Ok(None) };
    let model = account::open(&sealed).map_err(anyhow::Error::from)?;
    Ok(Some(model.knowledge(profile, state.priors.before(model.now().day()))))
}
