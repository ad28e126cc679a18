//! Who acted, as the Activity log tells it: `identity` of the stream, `authorization`, `claims`
//! and `httpRequest` of the REST form, and the `AzureActivity` columns that hold the same as JSON
//! strings. Any of them may be an object, a string, or missing.
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::event::record::too_deep;
use crate::event::scalar::{ScalarSeed, cut};
use crate::limits;

/// What was found, trimmed and cut; blanks count as nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Who {
    /// An `identity` that is a plain string.
    pub(super) plain: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) action: Option<String>,
    pub(super) role: Option<String>,
    /// `evidence.principalId`: a GUID without dashes, of the principal the role was given to,
    /// which for a group is not the caller.
    pub(super) evidence_principal_id: Option<String>,
    pub(super) evidence_principal_type: Option<String>,
    pub(super) upn: Option<String>,
    /// The `…/claims/name` claim: the name somebody signed in with.
    pub(super) sign_in_name: Option<String>,
    /// The plain `name` claim.
    pub(super) display_name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) object_id: Option<String>,
    pub(super) app_id: Option<String>,
    pub(super) app_credential: Option<String>,
    pub(super) token_kind: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) identity_provider: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) managed_identity: Option<String>,
    pub(super) client_ip: Option<String>,
    pub(super) request_ip: Option<String>,
}

/// Which part of an identity an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Identity,
    Authorization,
    Evidence,
    Claims,
    HttpRequest,
}

impl Who {
    /// The place inside `place` that `key` leads to. Four steps at most, so strings inside
    /// strings cannot recurse further.
    fn inner(place: Place, key: &str) -> Option<Place> {
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        match place {
            Place::Identity if is("authorization") => Some(Place::Authorization),
            Place::Identity if is("claims") => Some(Place::Claims),
            Place::Authorization if is("evidence") => Some(Place::Evidence),
            _ => None,
        }
    }

    fn slot(&mut self, place: Place, key: &str) -> Option<&mut Option<String>> {
        let lower = key.to_ascii_lowercase();
        let slot = match (place, lower.as_str()) {
            (Place::Authorization, "scope") => &mut self.scope,
            (Place::Authorization, "action") => &mut self.action,
            (Place::Authorization | Place::Evidence, "role") => &mut self.role,
            (Place::Evidence, "principalid") => &mut self.evidence_principal_id,
            (Place::Evidence, "principaltype") => &mut self.evidence_principal_type,
            (Place::HttpRequest, "clientipaddress") => &mut self.request_ip,
            (Place::Claims, lower) => return self.claim(lower),
            _ => return None,
        };
        Some(slot)
    }

    /// Claims go by URI or by short name; the last part of the URI tells them apart, but `name`
    /// differs from `…/claims/name`.
    fn claim(&mut self, key: &str) -> Option<&mut Option<String>> {
        let slot = match key.rsplit('/').next().unwrap_or_default() {
            "upn" => &mut self.upn,
            "name" if key.contains('/') => &mut self.sign_in_name,
            "unique_name" => &mut self.sign_in_name,
            "name" => &mut self.display_name,
            "emailaddress" | "email" => &mut self.email,
            "objectidentifier" | "oid" => &mut self.object_id,
            "appid" => &mut self.app_id,
            "appidacr" => &mut self.app_credential,
            "idtyp" => &mut self.token_kind,
            "tenantid" | "tid" => &mut self.tenant,
            "identityprovider" | "idp" => &mut self.identity_provider,
            "iss" => &mut self.issuer,
            "altsecid" => &mut self.external_id,
            "xms_mirid" => &mut self.managed_identity,
            "ipaddr" => &mut self.client_ip,
            _ => return None,
        };
        Some(slot)
    }

    /// Reads text that stands where an object is meant: JSON, or for an identity a plain name.
    fn read_text(&mut self, place: Place, text: &str) {
        let text = text.trim();
        if text.starts_with('{') {
            if too_deep(text.as_bytes()).is_none() {
                let mut input = serde_json::Deserializer::from_str(text);
                // A string that only looks like JSON leaves what was read before the damage.
                let _ = WhoSeed { who: self, place }.deserialize(&mut input);
            }
        } else if place == Place::Identity && !text.is_empty() {
            self.plain = Some(cut(text, limits::STRING_BYTES_MAX).to_owned());
        }
    }
}

/// Reads any JSON value into one part of an identity.
pub(super) struct WhoSeed<'r> {
    pub(super) who: &'r mut Who,
    pub(super) place: Place,
}

impl<'de> DeserializeSeed<'de> for WhoSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for WhoSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identity")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let WhoSeed { who, place } = self;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if let Some(place) = Who::inner(place, &key) {
                map.next_value_seed(WhoSeed { who, place })?;
                continue;
            }
            let Some(slot) = who.slot(place, &key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value_seed(ScalarSeed)?;
            if let Some(words) = value.words() {
                *slot = Some(cut(&words, limits::STRING_BYTES_MAX).to_owned());
            }
        }
        Ok(())
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.who.read_text(self.place, text);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: Place, json: &str) -> Who {
        let mut who = Who::default();
        let mut input = serde_json::Deserializer::from_str(json);
        WhoSeed { who: &mut who, place }.deserialize(&mut input).expect("valid JSON");
        who
    }

    #[test]
    fn an_identity_is_read_from_objects_and_from_strings() {
        let object = r#"{"authorization":{"action":"a","evidence":{"role":"Owner","principalId":"55"}},
            "claims":{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":" admin@contoso.com",
            "name":"Admin","appidacr":2,"http://schemas.microsoft.com/identity/claims/objectidentifier":"o"}}"#;
        let who = read(Place::Identity, object);
        assert_eq!(who.sign_in_name.as_deref(), Some("admin@contoso.com"));
        assert_eq!(who.display_name.as_deref(), Some("Admin"));
        assert_eq!(
            (who.role.as_deref(), who.app_credential.as_deref()),
            (Some("Owner"), Some("2"))
        );
        assert_eq!(who.object_id.as_deref(), Some("o"));
        let string = serde_json::to_string(object).expect("a string");
        assert_eq!(read(Place::Identity, &string), who);
    }

    #[test]
    fn an_identity_of_any_other_type_is_no_error() {
        assert_eq!(read(Place::Identity, r#""someone""#).plain.as_deref(), Some("someone"));
        assert_eq!(read(Place::Claims, r#""someone""#), Who::default());
        for json in ["{}", "null", "[1,{}]", "3", "-3", "1.5", "true", r#""{broken""#] {
            assert_eq!(read(Place::Identity, json), Who::default(), "{json}");
        }
    }
}
