//! The routes. One file a subject; what a handler may be asked for is decided by the gate.
use actix_web::error::{PathError, QueryPayloadError};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::problem::Problem;
use crate::time::Timestamp;

pub(crate) mod accounts;
pub(crate) mod alerts;
pub(crate) mod announced;
pub(crate) mod events;
mod fields;
pub(crate) mod fleet;
mod judge;
pub(crate) mod metrics;
mod rules;
pub(crate) mod service;
pub(crate) mod snapshots;
pub(crate) mod status;
pub(crate) mod stream;
pub(crate) mod suppressions;

/// Most items of a page.
pub(crate) const PAGE_MAX: usize = 200;
/// Items of a page, unless told otherwise.
pub(crate) const PAGE: usize = 50;

/// An account in a path: its name, or its cloud before it.
const ACCOUNT: &str = "/v1/accounts/{id:(?:(?:public|china|usgov)/)?[^/]+}";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::QueryConfig::default().error_handler(query_error))
        .app_data(web::PathConfig::default().error_handler(path_error));
    let get = |config: &mut web::ServiceConfig, path: &str, route: actix_web::Route| {
        config.service(web::resource(path).route(route));
    };
    config.service(web::resource("/v1/events").route(web::post().to(events::post)));
    get(config, "/v1/alerts", web::get().to(alerts::list));
    get(config, "/v1/alerts/stream", web::get().to(stream::stream));
    get(config, "/v1/alerts/{id}", web::get().to(alerts::one));
    get(config, "/v1/alerts/{id}/evidence", web::get().to(alerts::evidence));
    get(config, "/v1/alerts/{id}/status", web::post().to(status::post));
    get(config, "/v1/alerts/{id}/status:undo", web::post().to(status::undo));
    get(config, "/v1/accounts", web::get().to(accounts::list));
    let account = |tail: &str| format!("{ACCOUNT}{tail}");
    get(config, &account("/model"), web::get().to(accounts::model));
    get(config, &account("/series"), web::get().to(accounts::series));
    get(config, &account("/timeline"), web::get().to(accounts::timeline));
    get(config, &account("/coverage"), web::get().to(accounts::coverage));
    get(config, &account("/why-not"), web::get().to(accounts::why_not));
    get(config, &account(""), web::get().to(accounts::one));
    get(config, "/v1/status", web::get().to(service::status));
    get(config, "/v1/snapshots/diff", web::get().to(snapshots::diff));
    config.service(
        web::resource("/v1/snapshots")
            .route(web::get().to(snapshots::list))
            .route(web::post().to(snapshots::create)),
    );
    decisions(config);
    get(config, "/v1/principals/{id}", web::get().to(fleet::principal));
    get(config, "/v1/callers/{ip}", web::get().to(fleet::caller));
    get(config, "/v1/fleet/heat", web::get().to(fleet::heat));
    get(config, "/v1/fleet/callers", web::get().to(fleet::callers));
    get(config, "/v1/stories", web::get().to(fleet::stories));
    get(config, "/v1/budget", web::get().to(fleet::budget));
    get(config, "/healthz", web::get().to(service::healthz));
    get(config, "/readyz", web::get().to(service::readyz));
    get(config, "/metrics", web::get().to(metrics::metrics));
    get(config, "/openapi.json", web::get().to(service::openapi));
}

/// What people decide beyond a single alert.
fn decisions(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/v1/suppressions")
            .route(web::get().to(suppressions::list))
            .route(web::post().to(suppressions::create)),
    );
    config.service(
        web::resource("/v1/suppressions:simulate").route(web::post().to(suppressions::simulate)),
    );
    config.service(
        web::resource("/v1/suppressions/{id}")
            .route(web::get().to(suppressions::one))
            .route(web::put().to(suppressions::replace))
            .route(web::delete().to(suppressions::end)),
    );
    config.service(
        web::resource("/v1/expectations")
            .route(web::get().to(announced::expected))
            .route(web::post().to(announced::expect)),
    );
    config.service(
        web::resource("/v1/expectations/{id}")
            .route(web::get().to(announced::expectation))
            .route(web::delete().to(announced::unexpect)),
    );
    config.service(
        web::resource("/v1/trusted-networks")
            .route(web::get().to(announced::trusted))
            .route(web::post().to(announced::trust)),
    );
    config.service(
        web::resource("/v1/trusted-networks/{id}")
            .route(web::get().to(announced::network))
            .route(web::delete().to(announced::distrust)),
    );
}

fn query_error(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    let detail = error.to_string();
    // Serde puts the name between backquotes.
    let field = detail.split('`').nth(1).unwrap_or("query").to_owned();
    Problem::field(&field, detail).into()
}

fn path_error(error: PathError, _: &HttpRequest) -> actix_web::Error {
    Problem::field("path", error.to_string()).into()
}

/// 200 with `value`.
pub(crate) fn json(value: &impl Serialize) -> Result<HttpResponse, Problem> {
    let bytes = serde_json::to_vec(value).map_err(anyhow::Error::from)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(bytes))
}

/// Runs what waits for the disk on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match web::block(work).await {
        Ok(done) => done,
        Err(_) => Err(Problem::unavailable("the service is stopping")),
    }
}

/// No such account, or none that the asker may see.
pub(crate) fn no_account(name: &str) -> Problem {
    Problem::not_found(format!("no account `{}`; /v1/accounts lists all", shown(name)))
}

/// A text of the asker in an answer: not longer than it must be.
pub(crate) fn shown(text: &str) -> String {
    crate::alert::words::visible(&text.chars().take(120).collect::<String>())
}

/// A moment.
pub(crate) fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let read = |text: &str| {
        let wrong = "not a time; write 2026-11-13T03:00Z (UTC)";
        Timestamp::parse(text).ok_or_else(|| Problem::field(field, wrong))
    };
    text.map(read).transpose()
}

/// How many.
pub(crate) fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(PAGE) };
    let number = text.parse::<usize>().ok().filter(|n| (1..=PAGE_MAX).contains(n));
    number.ok_or_else(|| Problem::field("limit", format!("not a number from 1 to {PAGE_MAX}")))
}

/// An account from a path or a parameter.
pub(crate) fn account_id(text: &str) -> crate::ids::AccountId {
    let text = text.to_ascii_lowercase();
    crate::ids::AccountId::parse(text.strip_prefix("public/").unwrap_or(&text))
}
