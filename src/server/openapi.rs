//! The API, described (OpenAPI 3.1); `docs/openapi.json` is this text.
use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::api::{accounts, alerts, events, fleet, metrics, service, snapshots, status, stream};

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "cosmoguard",
        description = "Threat detection for Azure Cosmos DB. Times are RFC 3339 in UTC. Refusals are `application/problem+json`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        events::post,
        alerts::list,
        stream::stream,
        alerts::one,
        alerts::evidence,
        status::post,
        status::undo,
        accounts::list,
        accounts::one,
        accounts::model,
        accounts::series,
        accounts::timeline,
        accounts::coverage,
        accounts::why_not,
        service::status,
        snapshots::list,
        snapshots::create,
        snapshots::diff,
        fleet::principal,
        fleet::caller,
        fleet::heat,
        fleet::callers,
        fleet::stories,
        fleet::budget,
        service::healthz,
        service::readyz,
        metrics::metrics,
        service::openapi,
    ),
    components(schemas(stream::Tick, stream::StatusNews)),
    security(("token" = [])),
    modifiers(&Bearer),
)]
struct Document;

/// The description as pretty JSON.
pub fn text() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
