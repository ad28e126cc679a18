//! What a caller's place is: area, network, and the combination of site, actor and client.
//! Addresses are classified before geography is asked, and never appear here: only subnets of
//! private callers do.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::baseline::cell::{CallerKey, Network};
use crate::event::{Credential, KeyKind};
use crate::ids::{PrincipalId, Text};
use crate::intel::view::{AddressClass, Country};

/// The coarsest level of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Private or service endpoint.
    Private,
    /// Azure, whatever the region: regional failover is no new place.
    Azure,
    /// A country.
    Country(Country),
    /// A public address whose country is not known: never tested at this level.
    Unknown,
}

impl std::fmt::Display for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Area::Private => f.write_str("private network"),
            Area::Azure => f.write_str("Azure"),
            Area::Country(c) => write!(f, "{c}"),
            Area::Unknown => f.write_str("unknown country"),
        }
    }
}

/// The network level of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkKey {
    /// A private subnet: /24 (IPv4) or /64 (IPv6), by its first address.
    Subnet(IpAddr),
    /// The country of an Azure region.
    Azure(Country),
    /// An autonomous system in a country.
    Routed(Option<Country>, u32),
}

impl std::fmt::Display for NetworkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NetworkKey::Subnet(ip @ IpAddr::V4(_)) => write!(f, "{ip}/24"),
            NetworkKey::Subnet(ip) => write!(f, "{ip}/64"),
            NetworkKey::Azure(c) => write!(f, "Azure {c}"),
            NetworkKey::Routed(Some(c), asn) => write!(f, "AS{asn} ({c})"),
            NetworkKey::Routed(None, asn) => write!(f, "AS{asn}"),
        }
    }
}

/// Where a combination is used: the area, except that each hosting provider is its own site,
/// because anyone can rent a machine there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    /// An area.
    Area(Area),
    /// A hosting provider's AS in a country.
    Hosting(Option<Country>, Option<u32>),
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Site::Area(area) => area.fmt(f),
            Site::Hosting(country, asn) => {
                let country = country.as_ref().map_or("unknown country", |c| c.as_str());
                match asn {
                    Some(asn) => write!(f, "hosting AS{asn} ({country})"),
                    None => write!(f, "hosting ({country})"),
                }
            }
        }
    }
}

/// Who acts, as far as it distinguishes habits. Primary and secondary keys are one actor: rotation
/// is not a new caller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A read-write account key.
    Key,
    /// A read-only account key.
    ReadonlyKey,
    /// A Microsoft Entra principal.
    Entra(PrincipalId),
    /// A resource token.
    Token,
    /// Not logged.
    Unknown,
}

impl Actor {
    fn of(credential: &Credential) -> Option<Actor> {
        Some(match credential {
            Credential::Key(KeyKind::PrimaryMaster | KeyKind::SecondaryMaster) => Actor::Key,
            Credential::Key(_) => Actor::ReadonlyKey,
            Credential::Entra(principal) => Actor::Entra(principal.clone()),
            Credential::ResourceToken => Actor::Token,
            Credential::System => return None,
            Credential::Unknown => Actor::Unknown,
        })
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Actor::Key => f.write_str("account key"),
            Actor::ReadonlyKey => f.write_str("read-only key"),
            Actor::Entra(principal) => write!(f, "{principal}"),
            Actor::Token => f.write_str("resource token"),
            Actor::Unknown => f.write_str("unknown credential"),
        }
    }
}

/// Site, actor and client: the level at which callers from known places are told apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Combination {
    /// Where.
    pub site: Site,
    /// Who.
    pub actor: Actor,
    /// With what ([`BROWSER`] for every browser).
    pub family: Text,
}

impl Combination {
    /// The lane it belongs to.
    pub fn lane(&self) -> Lane {
        match (self.site, &self.actor) {
            (Site::Area(Area::Private), _) => Lane::Private,
            _ if &*self.family == BROWSER => Lane::Interactive,
            (_, Actor::Key | Actor::ReadonlyKey) => Lane::Key,
            (_, Actor::Entra(_)) => Lane::Entra,
            (_, Actor::Token | Actor::Unknown) => Lane::Token,
        }
    }
}

/// The client family under which all browsers count: the portal's Data Explorer runs in the
/// user's own browser, whose version and vendor are no news.
pub const BROWSER: &str = "browser";

/// Folds browsers into [`BROWSER`].
pub fn client_family(family: &Text) -> Text {
    let browser = family.get(..7).is_some_and(|head| {
        head.eq_ignore_ascii_case("mozilla") || head.eq_ignore_ascii_case("browser")
    });
    if browser { Text::from(BROWSER) } else { family.clone() }
}

/// Habits that are counted apart: each lane has its own rate of new places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Account keys.
    Key = 0,
    /// Entra principals with anything but a browser.
    Entra = 1,
    /// Browsers.
    Interactive = 2,
    /// Resource tokens and unlogged credentials.
    Token = 3,
    /// Private callers.
    Private = 4,
}

/// One caller's place in all levels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit {
    /// Area.
    pub area: Area,
    /// Network; `None` where the address is not known well enough.
    pub network: Option<NetworkKey>,
    /// Combination.
    pub combination: Combination,
    /// Which rate of novelty it belongs to.
    pub lane: Lane,
    /// The key it used.
    pub key_kind: Option<KeyKind>,
    /// The operator trusts the network: teaches, never tested.
    pub trusted: bool,
}

impl Visit {
    /// The place of a caller; `None` for what the service does itself.
    pub fn of(key: &CallerKey) -> Option<Visit> {
        if key.internal {
            return None;
        }
        let actor = Actor::of(&key.credential)?;
        let family = client_family(&key.family);
        let area = area_of(&key.network);
        let site = match key.network.class {
            AddressClass::Hosting => Site::Hosting(key.network.country, key.network.asn),
            _ => Site::Area(area),
        };
        let combination = Combination { site, actor, family };
        Some(Visit {
            area,
            network: network_of(key),
            lane: combination.lane(),
            combination,
            key_kind: match &key.credential {
                Credential::Key(kind) => Some(*kind),
                _ => None,
            },
            trusted: key.network.class == AddressClass::Trusted,
        })
    }

    /// From a public address that the operator has not declared trusted.
    pub fn is_public(&self) -> bool {
        self.area != Area::Private && !self.trusted
    }
}

fn area_of(network: &Network) -> Area {
    match (network.class, network.country) {
        (AddressClass::Private, _) => Area::Private,
        (AddressClass::Azure, _) => Area::Azure,
        (_, Some(country)) => Area::Country(country),
        (_, None) => Area::Unknown,
    }
}

fn network_of(key: &CallerKey) -> Option<NetworkKey> {
    match key.network.class {
        AddressClass::Private => key.ip.map(|ip| NetworkKey::Subnet(subnet(ip))),
        AddressClass::Azure => key.network.country.map(NetworkKey::Azure),
        _ => key.network.asn.map(|asn| NetworkKey::Routed(key.network.country, asn)),
    }
}

fn subnet(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & !0xff)),
        IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & !u128::from(u64::MAX))),
    }
}

/// The first level of a place at which something is judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// The area.
    Area(Area),
    /// The network.
    Network(NetworkKey),
    /// The combination.
    Combination(Combination),
}

impl Category {
    /// Its level.
    pub fn level(&self) -> Level {
        match self {
            Category::Area(_) => Level::Country,
            Category::Network(_) => Level::Network,
            Category::Combination(_) => Level::Combination,
        }
    }
}

/// Levels of a place, coarse to fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Country = 0,
    Network = 1,
    Combination = 2,
}

/// A kind of novelty with a hazard of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Novelty {
    /// Something new at a level, in a lane.
    New {
        /// Whose habit.
        lane: Lane,
        /// What is new.
        level: Level,
        /// With a client family or key kind that the account never saw.
        unseen_client: bool,
    },
    /// The first public access to an account that was private.
    FirstPublic,
}

/// Kinds of novelty in each lane.
pub const LANE_KINDS: usize = 6;

/// How many kinds of novelty there are.
pub const NOVELTIES: usize = 31;

impl Novelty {
    /// Position in tables of [`NOVELTIES`].
    pub fn index(self) -> usize {
        match self {
            Novelty::New { lane, level, unseen_client } => {
                lane as usize * 6 + level as usize * 2 + usize::from(unseen_client)
            }
            Novelty::FirstPublic => NOVELTIES - 1,
        }
    }
}
