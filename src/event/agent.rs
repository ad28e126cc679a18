//! User agents: which client family speaks, and whether it claims to be the service itself.
use super::secrets::without_secrets;
use crate::ids::Text;

/// Longest family, bytes: three product names fit.
const FAMILY_BYTES_MAX: usize = 96;
/// Product names kept in a family: the SDK, and what the application adds to it.
const FAMILY_NAMES_MAX: usize = 3;

/// A user agent as logged, with what it says.
#[derive(Clone)]
pub(super) struct Agent {
    /// As logged, cut, without keys and tokens that callers put there.
    pub(super) raw: Text,
    /// Without versions, platform and per-instance counters.
    pub(super) family: Text,
    /// Claims to be the service's own gateway. Anybody can claim that.
    pub(super) claims_service: bool,
    /// Names a change feed processor or trigger.
    pub(super) change_feed: bool,
}

impl Agent {
    pub(super) fn of(raw: &str) -> Agent {
        let raw = without_secrets(raw);
        let lower = raw.to_ascii_lowercase();
        Agent {
            raw: Text::from(&*raw),
            family: Text::from(family(&lower)),
            claims_service: lower.starts_with("microsoft.azure.documents.common/")
                || lower.contains("routinggateway"),
            change_feed: CHANGE_FEED.iter().any(|name| lower.contains(name)),
        }
    }
}

/// What change feed readers put into their agent: the processor library's `changefeed-2.2.6`
/// suffix, and the Azure Functions trigger's.
const CHANGE_FEED: [&str; 4] = ["changefeed", "change feed", "change-feed", "cosmosdbtrigger"];

/// Product names that say where a client runs, not who it is. `windows11` and the like are met
/// without their digits.
const PLATFORM: [&str; 24] = [
    "host",
    "microsoftwindowsnt",
    "windows",
    "linux",
    "darwin",
    "macos",
    "mac",
    "os",
    "x",
    "jre",
    "jdk",
    "java",
    "python",
    "node.js",
    "node",
    "go",
    "rust",
    "dotnet",
    ".net",
    "netcore",
    "bit",
    "unix",
    "ubuntu",
    "debian",
];

/// The family of a lower-cased agent; empty if it names no product.
fn family(lower: &str) -> String {
    let lower = lower.trim();
    // Data Explorer and SDKs in a web page: the rest describes the person's machine.
    if lower.starts_with("mozilla/") {
        return "browser".to_owned();
    }
    let mut family = String::new();
    let mut kept = 0;
    let mut platform = None;
    let mut depth = 0usize;
    for token in tokens(lower) {
        let opens = token.matches('(').count();
        let closes = token.matches(')').count();
        let inside = depth > 0 || opens > 0;
        depth = (depth + opens).saturating_sub(closes);
        let Some(name) = (!inside).then(|| product(token)).flatten() else { continue };
        if PLATFORM.contains(&name) {
            platform = platform.or(Some(name));
            continue;
        }
        if kept == FAMILY_NAMES_MAX || family.len() + name.len() >= FAMILY_BYTES_MAX {
            break;
        }
        if kept > 0 {
            family.push(' ');
        }
        family.push_str(name);
        kept += 1;
    }
    if lower.contains("routinggateway") && !family.contains("routinggateway") {
        family.push_str(" routinggateway");
    }
    // A bare `Python/3.12` has nothing but its platform.
    if family.is_empty() { platform.unwrap_or_default().to_owned() } else { family }
}

/// Words of an agent. The .NET v3 SDK writes `sdk/version|client|arch|OS|runtime|flags|suffix`
/// where all but the first and the last part describe the machine, and the client part is a
/// counter that differs in each instance.
fn tokens(lower: &str) -> impl Iterator<Item = &str> {
    let (head, rest) = lower.split_once('|').unwrap_or((lower, ""));
    let suffix = rest.rsplit('|').next().unwrap_or_default();
    // `F <hex>` are feature flags, one letter is the region configuration.
    let suffix = if suffix.starts_with("f ") || suffix.len() < 2 || !rest.contains('|') {
        ""
    } else {
        suffix
    };
    head.split_ascii_whitespace().chain(suffix.split_ascii_whitespace())
}

/// The name of a product token without its version; `None` for versions, numbers, identifiers.
fn product(token: &str) -> Option<&str> {
    let name = token.split('/').next().unwrap_or_default();
    let name = name.trim_matches(|c: char| !c.is_alphanumeric() && c != '.');
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_'));
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    // `v1.2`, `64-bit`, GUIDs and host names with counters: not a product.
    (name.len() > 1 && digits < 3 && !name.starts_with(|c: char| c.is_ascii_digit()))
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_forget_versions_platforms_and_counters() {
        for (agent, expected) in [
            ("", ""),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/114.0.0.0",
                "browser",
            ),
            (
                "cosmos-netstandard-sdk/3.49.0|2|X64|Microsoft Windows 10.0.26100|.NET 6.0.36|L|",
                "cosmos-netstandard-sdk",
            ),
            (
                "cosmos-netstandard-sdk/3.17.0|3.17.1|01|X64|Linux 5.4|.NET 5|",
                "cosmos-netstandard-sdk",
            ),
            (
                "cosmos-netstandard-sdk/3.49.0|7|X64|Linux 6.1|.NET 8.0.1|L|F 00000010|",
                "cosmos-netstandard-sdk",
            ),
            (
                "cosmos-netstandard-sdk/3.49.0|7|X64|Linux 6.1|.NET 8.0.1|L|OrdersApi/1.4.2",
                "cosmos-netstandard-sdk ordersapi",
            ),
            (
                "documentdb-dotnet-sdk/2.9.2 Host/64-bit MicrosoftWindowsNT/6.2.9200.0",
                "documentdb-dotnet-sdk",
            ),
            (
                "documentdb-dotnet-sdk/1.12.0 Host/64-bit MicrosoftWindowsNT/6.2.9200.0 AzureSearchIndexer/1.0.0",
                "documentdb-dotnet-sdk azuresearchindexer",
            ),
            ("azsdk-java-cosmos/4.40.0 Windows11/10.0 JRE/1.8.0_351", "azsdk-java-cosmos"),
            ("azsdk-java-cosmos/4.6.0 Linux/4.15.0-1096-azure JRE/11.0.8", "azsdk-java-cosmos"),
            (
                "azsdk-python-cosmos/4.5.1 Python/3.10.16 (Windows-10-10.0.26100-SP0)",
                "azsdk-python-cosmos",
            ),
            ("Node.js/18.2 (linux; x64) azure-cosmos-js/3.17.2", "azure-cosmos-js"),
            ("azsdk-go-azcosmos/v0.1.0 (go1.20; linux)", "azsdk-go-azcosmos"),
            ("PostmanRuntime/7.31.3", "postmanruntime"),
            ("Microsoft.Azure.Documents.Common/2.14.0", "microsoft.azure.documents.common"),
            (
                "Microsoft.Azure.Documents.Common/2.14.0RoutingGateway",
                "microsoft.azure.documents.common routinggateway",
            ),
            ("Python/3.12", "python"),
            ("|||", ""),
            ("((((", ""),
        ] {
            assert_eq!(&*Agent::of(agent).family, expected, "{agent}");
        }
    }

    #[test]
    fn keys_and_tokens_are_not_taken_over() {
        let agent = Agent::of("billing/1.2 sig=Qm9vTw93 (linux)");
        assert_eq!(
            (&*agent.raw, &*agent.family),
            ("billing/1.2 [redacted] (linux)", "billing redacted")
        );
    }

    #[test]
    fn a_client_counter_does_not_split_a_family() {
        let families: std::collections::BTreeSet<String> = (0..50)
            .map(|i| format!("cosmos-netstandard-sdk/3.{i}.0|{i}|X64|Linux|.NET 8|L|"))
            .map(|agent| Agent::of(&agent).family.to_string())
            .collect();
        assert_eq!(families.len(), 1);
    }

    #[test]
    fn the_service_and_change_feed_readers_are_told_by_name() {
        assert!(Agent::of("Microsoft.Azure.Documents.Common/2.2.0.0").claims_service);
        assert!(!Agent::of("PostmanRuntime/7.31.3").claims_service);
        assert!(Agent::of("documentdb-dotnet-sdk/2.9.2 Host/64-bit changefeed-2.2.6").change_feed);
        assert!(!Agent::of("azsdk-java-cosmos/4.40.0").change_feed);
    }
}
