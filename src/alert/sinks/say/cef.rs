//! ArcSight Common Event Format, version 0.
use super::super::line::Line;
use super::super::notice::Change;
use super::{scale, status};
use crate::alert::formats::{PRODUCT, VERSION};
use crate::alert::words::visible;
use crate::time::Timestamp;

/// An alert.
pub fn alert(line: &Line, change: &Change) -> String {
    let head = [line.kind(), line.text("alertDisplayName"), scale(line, ["3", "6", "9"])];
    whole(head, &extension(line, change))
}

/// Something that is no alert.
pub fn word(kind: &str, text: &str, at: Timestamp) -> String {
    let fields = [("rt", at.millis().to_string()), ("msg", text.to_owned())];
    whole([kind, text.split(':').next().unwrap_or(kind), "0"], &fields)
}

fn whole([kind, name, severity]: [&str; 3], extension: &[(&'static str, String)]) -> String {
    let mut out = String::from("CEF:0");
    for field in [PRODUCT, PRODUCT, VERSION, kind, name, severity] {
        out.push('|');
        out.push_str(&escaped(field, '|'));
    }
    out.push('|');
    for (at, (key, value)) in extension.iter().filter(|(_, v)| !v.is_empty()).enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push('=');
        out.push_str(&escaped(value, '='));
    }
    out
}

fn extension(line: &Line, change: &Change) -> Vec<(&'static str, String)> {
    let millis = |name: &str| line.time(name).millis().to_string();
    let extended = |name: &str| line.extended(name).to_owned();
    let (ip, id, name) = (extended("Client IP"), extended("Principal id"), extended("Principal"));
    let (v4, v6) = if ip.contains(':') { (String::new(), ip) } else { (ip, String::new()) };
    let account = line.account();
    let resource = Some(line.resource()).filter(|id| *id != account).unwrap_or(account);
    let mut out = vec![
        ("rt", millis("timeGeneratedUtc")),
        ("start", millis("startTimeUtc")),
        ("end", millis("endTimeUtc")),
        ("externalId", line.id().to_owned()),
        ("cat", line.text("intent").to_owned()),
        ("dhost", format!("{account}.{}", host_suffix(line))),
        ("src", v4),
        ("suser", if name == id { String::new() } else { name }),
        ("suid", id),
        ("requestClientApplication", extended("User agent")),
        ("out", extended("Bytes returned")),
    ];
    out.swap(7, 8);
    let (status, reason) = status(change);
    if matches!(change, Change::Status { .. }) {
        out.push(("act", status.to_owned()));
        out.push(("reason", reason.to_owned()));
    }
    let techniques = line.value()["properties"]["subTechniques"].clone();
    let mut labelled = |keys: [&'static str; 2], label: &str, value: String| {
        if !value.is_empty() {
            out.push((keys[0], label.to_owned()));
            out.push((keys[1], value));
        }
    };
    labelled(["cs1Label", "cs1"], "ResourceId", resource.to_owned());
    labelled(["cs2Label", "cs2"], "Techniques", technique_ids(line, &techniques));
    labelled(["cs3Label", "cs3"], "Explanation", line.text("description").to_owned());
    labelled(["cs4Label", "cs4"], "Country", extended("Country"));
    labelled(["cs5Label", "cs5"], "SeverityBasis", extended("Severity basis"));
    let nominal = extended("Nominal false alerts per account-day");
    labelled(["cs6Label", "cs6"], "NominalPerDay", nominal);
    labelled(["cn1Label", "cn1"], "Revision", line.revision().to_string());
    labelled(["cn2Label", "cn2"], "ASN", extended("ASN"));
    labelled(["c6a2Label", "c6a2"], "Source IPv6 Address", v6);
    out
}

/// The finest id of each technique.
fn technique_ids(line: &Line, sub: &serde_json::Value) -> String {
    let sub: Vec<&str> = sub.as_array().into_iter().flatten().filter_map(|v| v.as_str()).collect();
    let mut ids = Vec::new();
    for base in line.list("techniques") {
        let of_base = sub.iter().filter(|id| id.split('.').next() == Some(base));
        let before = ids.len();
        ids.extend(of_base.copied());
        if ids.len() == before {
            ids.push(base);
        }
    }
    ids.join(",")
}

/// By the cloud, where the line names it.
fn host_suffix(line: &Line) -> &'static str {
    let key = line.text("correlationKey");
    let within = |cloud: &str| key.contains(&format!("account:{cloud}/"));
    match (within("china"), within("usgov")) {
        (true, _) => "documents.azure.cn",
        (_, true) => "documents.azure.us",
        _ => "documents.azure.com",
    }
}

/// `text` with `\` and `special` escaped; what would be obeyed is seen.
fn escaped(text: &str, special: char) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        if c == '\\' || c == special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
