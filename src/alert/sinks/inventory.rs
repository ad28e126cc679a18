//! Which accounts there are, and whose: an export of the Azure Resource Graph.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// Largest export that is read, bytes: 100,000 accounts with their tags have some 80 MB.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Most accounts of one export.
const ACCOUNTS_MAX: usize = 500_000;
/// Resource type of an account.
const ACCOUNT_TYPE: &str = "microsoft.documentdb/databaseaccounts";

/// One account of the inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name, lower case.
    pub account: String,
    /// Its subscription, lower case.
    pub subscription: String,
    /// Its tenant, lower case.
    pub tenant: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Who answers for it: a column `owner`, else a tag of that name.
    pub owner: String,
    /// How much depends on it: a column `criticality`, else a tag of that name.
    pub criticality: String,
}

/// All accounts that are known to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    entries: BTreeMap<String, Entry>,
}

/// Why an export cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// It cannot be read.
    #[error("the inventory {path} cannot be read: {cause}; check [inventory] file")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// It is none.
    #[error(
        "the inventory {path} is no export of the resource graph: {why}; export `resources | where type =~ '{ACCOUNT_TYPE}' | project name, type, subscriptionId, tenantId, tags` as JSON or CSV"
    )]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl Inventory {
    /// Reads the export at `path`; an empty path is an empty inventory.
    ///
    /// # Errors
    /// It cannot be read, is too large, or is no export.
    pub fn read(path: &Path) -> Result<Inventory, InventoryError> {
        if path.as_os_str().is_empty() {
            return Ok(Inventory::default());
        }
        let shown = path.display().to_string();
        let unreadable = |cause| InventoryError::Unreadable { path: shown.clone(), cause };
        let malformed = |why: String| InventoryError::Malformed { path: shown.clone(), why };
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(malformed("it is larger than 256 MiB".to_owned()));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        Inventory::parse(&bytes).map_err(malformed)
    }

    /// Reads an export in memory.
    ///
    /// # Errors
    /// In words.
    pub fn parse(bytes: &[u8]) -> Result<Inventory, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())?;
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let rows = if text.starts_with(['[', '{']) { json_rows(text)? } else { csv_rows(text)? };
        let mut entries = BTreeMap::new();
        for row in rows {
            if let Some(entry) = entry(row) {
                entries.insert(entry.account.clone(), entry);
            }
            if entries.len() > ACCOUNTS_MAX {
                return Err(format!("it has more than {ACCOUNTS_MAX} accounts"));
            }
        }
        Ok(Inventory { entries })
    }

    /// The account of this name, any case.
    pub fn get(&self, account: &str) -> Option<&Entry> {
        self.entries.get(&account.to_ascii_lowercase())
    }
    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// Accounts that are there and never logged: nothing watches them. `known` are lower-case names
    /// of those that did, in name order.
    pub fn never_logged<'a>(
        &'a self,
        known: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = &'a Entry> + 'a {
        self.entries.values().filter(|entry| !known.contains(&entry.account))
    }
}

/// Columns by lower-case name.
type Row = BTreeMap<String, Value>;

fn json_rows(text: &str) -> Result<Vec<Row>, String> {
    let whole: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let wrapped = ["data", "value", "rows"].iter().find_map(|name| whole.get(name));
    let rows = whole.as_array().or_else(|| wrapped?.as_array());
    let rows = rows.ok_or_else(|| "it holds no list of accounts".to_owned())?;
    let objects = rows.iter().filter_map(Value::as_object);
    let lower = |(key, value): (&String, &Value)| (key.to_ascii_lowercase(), value.clone());
    Ok(objects.map(|row| row.iter().map(lower).collect()).collect())
}

fn csv_rows(text: &str) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .map_err(|e| e.to_string())?
        .iter()
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    if !names.iter().any(|name| name == "name" || name == "id") {
        return Err("no column is called name or id".to_owned());
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let cells = record.iter().map(Value::from);
        rows.push(names.iter().cloned().zip(cells).collect());
    }
    Ok(rows)
}

fn entry(row: Row) -> Option<Entry> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    let kind = text("type");
    if !kind.is_empty() && !kind.eq_ignore_ascii_case(ACCOUNT_TYPE) {
        return None;
    }
    let id = text("id").to_ascii_lowercase();
    let of_id = |word: &str| {
        let mut parts = id.split('/').skip_while(|part| *part != word);
        parts.nth(1).unwrap_or_default().to_owned()
    };
    let or = |name: &str, otherwise: String| match text(name) {
        "" => otherwise,
        found => found.to_ascii_lowercase(),
    };
    let account = or("name", of_id("databaseaccounts"));
    if account.is_empty() {
        return None;
    }
    let tags = tags(row.get("tags"));
    let tagged = |name: &str| {
        let tag = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        tag.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let own = |name: &str| match text(name) {
        "" => tagged(name),
        found => found.to_owned(),
    };
    Some(Entry {
        account,
        subscription: or("subscriptionid", of_id("subscriptions")),
        tenant: or("tenantid", String::new()),
        owner: own("owner"),
        criticality: own("criticality"),
        tags,
    })
}

/// Tags are an object, or one in a string, as the portal's CSV has them.
fn tags(value: Option<&Value>) -> BTreeMap<String, String> {
    let read = value.and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    let object = read.as_ref().or(value).and_then(Value::as_object);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"count":3,"data":[
        {"id":"/subscriptions/AAAA/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/Contoso-Orders",
         "name":"Contoso-Orders","type":"microsoft.documentdb/databaseaccounts","subscriptionId":"AAAA",
         "tenantId":"TTTT","tags":{"env":"prod","Owner":"shop@contoso.example","criticality":"high"}},
        {"name":"other","type":"microsoft.storage/storageaccounts"},
        {"id":"/subscriptions/bbbb/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/silent","tags":null}]}"#;

    #[test]
    fn json_and_csv_say_the_same() {
        let json = Inventory::parse(JSON.as_bytes()).unwrap();
        assert_eq!(json.len(), 2);
        let entry = json.get("contoso-ORDERS").unwrap();
        assert_eq!((entry.subscription.as_str(), entry.tenant.as_str()), ("aaaa", "tttt"));
        assert_eq!(
            (entry.owner.as_str(), entry.criticality.as_str()),
            ("shop@contoso.example", "high")
        );
        assert_eq!(json.get("silent").unwrap().subscription, "bbbb");
        let csv = "\u{feff}NAME,TYPE,SUBSCRIPTIONID,TENANTID,TAGS\r\n\
            Contoso-Orders,microsoft.documentdb/databaseaccounts,AAAA,TTTT,\"{\"\"env\"\":\"\"prod\"\",\"\"Owner\"\":\"\"shop@contoso.example\"\",\"\"criticality\"\":\"\"high\"\"}\"\r\n\
            silent,,bbbb,,\r\n";
        assert_eq!(Inventory::parse(csv.as_bytes()).unwrap(), json);
    }

    #[test]
    fn accounts_that_never_logged_are_named() {
        let inventory = Inventory::parse(JSON.as_bytes()).unwrap();
        let known = BTreeSet::from(["contoso-orders".to_owned()]);
        let silent: Vec<&str> =
            inventory.never_logged(&known).map(|e| e.account.as_str()).collect();
        assert_eq!(silent, ["silent"]);
    }

    #[test]
    fn what_is_no_export_is_refused_in_words() {
        for (bytes, why) in [
            (&b"{\"a\":1}"[..], "no list"),
            (b"[{", "EOF"),
            (b"a,b\n1,2\n", "name or id"),
            (b"\xff\xfe", "UTF-8"),
        ] {
            let error = Inventory::parse(bytes).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(Inventory::read(Path::new("")).unwrap().is_empty());
    }
}
