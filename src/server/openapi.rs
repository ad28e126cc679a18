//! The API, described (OpenAPI 3.1); `docs/openapi.json` is this text.
use std::collections::BTreeMap;
use std::sync::OnceLock;

use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::api::{
    accounts, alerts, announced, events, fleet, metrics, service, snapshots, status, stream,
    suppressions,
};

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
        suppressions::list,
        suppressions::create,
        suppressions::simulate,
        suppressions::one,
        suppressions::replace,
        suppressions::end,
        announced::expected,
        announced::expect,
        announced::expectation,
        announced::unexpect,
        announced::trusted,
        announced::trust,
        announced::network,
        announced::distrust,
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

/// Methods that the description has for a route, as `Allow` wants them; `None`: it is not described.
pub(super) fn methods(route: &str) -> Option<&'static str> {
    static METHODS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    let all = METHODS.get_or_init(|| {
        let paths = serde_json::to_value(Document::openapi().paths).unwrap_or_default();
        let methods = |item: &serde_json::Value| {
            let names = item.as_object().into_iter().flatten().map(|(name, _)| name.to_uppercase());
            names.collect::<Vec<String>>().join(", ")
        };
        let items = paths.as_object().into_iter().flatten();
        items.map(|(path, item)| (path.clone(), methods(item))).collect()
    });
    // `{id:pattern}` of a route is `{id}` of the description.
    let mut plain = String::new();
    for part in route.split_inclusive('}') {
        match part.split_once(':') {
            Some((name, pattern)) if name.contains('{') && pattern.ends_with('}') => {
                plain.push_str(name);
                plain.push('}');
            }
            _ => plain.push_str(part),
        }
    }
    all.get(&plain).map(String::as_str)
}

/// The description as pretty JSON.
pub fn text() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
