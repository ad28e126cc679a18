//! MaxMind-format databases: country, city, AS number and organisation in any of the usual field
//! layouts.
use std::fmt;
use std::net::IpAddr;

use maxminddb::Reader;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Country, IntelError};

/// One open database, wholly in memory.
pub(crate) struct Database {
    reader: Reader<Vec<u8>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.reader.metadata().database_type)
    }
}

impl Database {
    /// Opens `bytes`.
    pub(crate) fn open(name: &str, bytes: Vec<u8>) -> Result<Database, IntelError> {
        let reader = Reader::from_source(bytes)
            .map_err(|e| IntelError::Database { name: name.to_owned(), reason: e.to_string() })?;
        Ok(Database { reader })
    }

    /// What it says of `address`; nothing where it has no record or a broken one.
    pub(crate) fn lookup(&self, address: IpAddr) -> Option<Record<'_>> {
        self.reader.lookup(address).ok()?.decode::<Record<'_>>().ok()?
    }
}

/// The fields that we use, whatever the layout. MaxMind: `country.iso_code`,
/// `registered_country.iso_code`, `city.names.en`, `location`, `autonomous_system_*`. Others:
/// `country_code`, `country` and `city` as text, `asn` as number or `AS64500`, `as_name`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Record<'a> {
    pub(crate) country: Option<Country>,
    pub(crate) registered_country: Option<Country>,
    pub(crate) city: Option<&'a str>,
    pub(crate) coordinates: Option<(f64, f64)>,
    pub(crate) asn: Option<u32>,
    pub(crate) organisation: Option<&'a str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of an address database")
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Record<'de>, M::Error> {
        let mut record = Record::default();
        while let Some(field) = map.next_key::<&str>()? {
            match field {
                "country" | "country_code" => {
                    record.country = map.next_value::<Value<'_>>()?.country().or(record.country);
                }
                "registered_country" => {
                    record.registered_country = map.next_value::<Value<'_>>()?.country();
                }
                "city" => record.city = map.next_value::<Value<'_>>()?.name,
                "location" => record.coordinates = map.next_value::<Value<'_>>()?.coordinates(),
                "autonomous_system_number" | "asn" => {
                    record.asn = map.next_value::<Value<'_>>()?.asn().or(record.asn);
                }
                "autonomous_system_organization" | "as_name" => {
                    record.organisation = map.next_value::<Value<'_>>()?.name;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(record)
    }
}

/// A field that is text, a number or a map, depending on the layout.
#[derive(Default)]
struct Value<'a> {
    /// The text itself, or `names.en` of a map.
    name: Option<&'a str>,
    code: Option<&'a str>,
    number: Option<u64>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl<'a> Value<'a> {
    fn country(&self) -> Option<Country> {
        Country::parse(self.code.or(self.name)?)
    }
    fn asn(&self) -> Option<u32> {
        match self.number {
            Some(n) => u32::try_from(n).ok(),
            None => self.name?.trim_start_matches("AS").parse().ok(),
        }
    }
    fn coordinates(&self) -> Option<(f64, f64)> {
        Some((self.latitude?, self.longitude?))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a map")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value { name: Some(text).filter(|t| !t.is_empty()), ..Value::default() })
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value { number: Some(number), ..Value::default() })
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value<'de>, M::Error> {
        let mut value = Value::default();
        while let Some(field) = map.next_key::<&str>()? {
            match field {
                "iso_code" => value.code = map.next_value::<Value<'_>>()?.name,
                "names" | "en" => value.name = map.next_value::<Value<'_>>()?.name,
                "latitude" => value.latitude = Some(map.next_value()?),
                "longitude" => value.longitude = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(value)
    }
}
