//! Azure's own address lists: service tags, the region table, the portal's middleware.
use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Deserialize;

use super::ranges::PrefixTable;
use super::{Country, IntelError};
use crate::ids::Text;

/// The file that Azure publishes weekly as `ServiceTags_Public_….json`, as far as it is used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    values: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    region: String,
    address_prefixes: Vec<String>,
}

/// A region as `describe` names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) name: Text,
    pub(crate) country: Option<Country>,
}

/// Networks of Azure and their regions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AzureRanges {
    table: PrefixTable,
    regions: Vec<Region>,
}

/// Value of a network that some tag lists without a region.
const NO_REGION: u32 = u32::MAX;

impl AzureRanges {
    /// Reads service-tag documents and joins them.
    pub(crate) fn new(documents: &[Vec<u8>]) -> Result<AzureRanges, IntelError> {
        let known = region_table()?;
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut regions = Vec::new();
        let mut rows: BTreeMap<IpNet, u32> = BTreeMap::new();
        for bytes in documents {
            for tag in read(bytes)? {
                let number = match tag.region.as_str() {
                    "" => NO_REGION,
                    name => *numbers.entry(name.to_owned()).or_insert_with(|| {
                        let fallback = Region { name: Text::from(name), country: None };
                        regions.push(known.get(name).cloned().unwrap_or(fallback));
                        u32::try_from(regions.len() - 1).unwrap_or(NO_REGION)
                    }),
                };
                for text in &tag.address_prefixes {
                    let network = parse_prefix(text)?;
                    // A tag with a region says more than one without; of two regions the first
                    // read one stays.
                    let kept = rows.entry(network).or_insert(number);
                    if *kept == NO_REGION {
                        *kept = number;
                    }
                }
            }
        }
        let table = PrefixTable::new(rows.iter().map(|(network, region)| (network, *region)));
        Ok(AzureRanges { table, regions })
    }

    /// Whether `key` is Azure's, and the region of the narrowest network that has one.
    pub(crate) fn find(&self, key: u128) -> Option<Option<&Region>> {
        let mut found = None;
        for number in self.table.covering(key) {
            found = Some(None);
            if let Some(region) = self.regions.get(number as usize) {
                return Some(Some(region));
            }
        }
        found
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Properties>, IntelError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|e| IntelError::ServiceTags { reason: e.to_string() })?;
    Ok(document
        .values
        .into_iter()
        .map(|mut tag| {
            tag.properties.region = squeeze(&tag.properties.region);
            tag.properties
        })
        .collect())
}

fn squeeze(region: &str) -> String {
    region.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}

fn parse_prefix(text: &str) -> Result<IpNet, IntelError> {
    let network: IpNet = text.parse().map_err(|_| IntelError::ServiceTags {
        reason: format!("`{}` is not a network", text.escape_debug()),
    })?;
    Ok(network.trunc())
}

/// Region name in any of Azure's spellings → the usual name and its country.
fn region_table() -> Result<BTreeMap<String, Region>, IntelError> {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/intel/azure_regions.csv"));
    let mut table = BTreeMap::new();
    for row in super::tables::rows::<3>("azure_regions.csv", text)? {
        let [name, country, region] = row;
        let region = Region { name: Text::from(region), country: Country::parse(&country) };
        table.insert(name, region);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::super::ranges::key;
    use super::*;

    fn at(text: &str) -> u128 {
        key(text.parse().unwrap())
    }

    const EXCERPT: &[u8] =
        include_bytes!("../../../tests/fixtures/intel/azure_ServiceTags_Public_excerpt.json");

    #[test]
    fn the_excerpt_gives_region_and_country() {
        let ranges = AzureRanges::new(&[EXCERPT.to_vec()]).unwrap();
        let region = ranges.find(at("203.0.113.63")).unwrap().unwrap();
        assert_eq!((&*region.name, region.country), ("westeurope", Country::parse("NL")));
        assert!(ranges.find(at("2001:db8:1:ffff::1")).unwrap().is_some());
        assert!(ranges.find(at("203.0.113.64")).is_none());
    }

    #[test]
    fn a_region_wins_over_a_tag_without_one() {
        let json = br#"{"values":[
            {"name":"AzureCloud","properties":{"region":"","addressPrefixes":["203.0.113.0/25","192.0.2.0/24"]}},
            {"name":"AzureCloud.centralfrance","properties":{"region":"centralfrance","addressPrefixes":["203.0.113.0/25"]}},
            {"name":"X.moon","properties":{"region":"Moon North","addressPrefixes":["198.51.100.0/24"]}}]}"#;
        let ranges = AzureRanges::new(&[json.to_vec()]).unwrap();
        assert_eq!(&*ranges.find(at("203.0.113.1")).unwrap().unwrap().name, "francecentral");
        assert_eq!(ranges.find(at("192.0.2.1")), Some(None));
        let moon = ranges.find(at("198.51.100.1")).unwrap().unwrap();
        assert_eq!((&*moon.name, moon.country), ("moonnorth", None));
    }

    #[test]
    fn broken_documents_are_refused() {
        for bad in [&b"{}"[..], b"[", br#"{"values":[{"properties":{"addressPrefixes":["x"]}}]}"#] {
            assert!(matches!(
                AzureRanges::new(&[bad.to_vec()]),
                Err(IntelError::ServiceTags { .. })
            ));
        }
    }
}
