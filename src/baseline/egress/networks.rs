//! Networks that take data: the known ones and those that are new. Azure and hosting networks are
//! told apart by country only (their addresses and AS numbers change under a client that stays),
//! all others by country and AS; never by address.
use super::Novelty;
use crate::baseline::cell::Network;
use crate::intel::view::{AddressClass, Country};
use crate::profile::EgressProfile;

/// Known networks kept.
pub(crate) const KNOWN_MAX: usize = 32;
/// New networks watched at once.
pub(crate) const CANDIDATES_MAX: usize = 4;
/// Known principals and clients kept.
pub(crate) const CLIENTS_MAX: usize = 32;
/// A network or client unseen for so long is forgotten, days.
const FORGOTTEN_AFTER_DAYS: i64 = 90;

/// A network, packed: class, country, AS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkKey(pub(crate) u64);

impl NetworkKey {
    /// Packs what tells networks apart here.
    pub fn of(network: &Network) -> NetworkKey {
        let country = network.country.map_or(0, |c| u64::from(u16::from_be_bytes(c.0)));
        let asn = u64::from(network.asn.unwrap_or(0));
        let (class, country, asn) = match network.class {
            AddressClass::Private => (0, 0, 0),
            AddressClass::Azure => (1, country, 0),
            AddressClass::Hosting => (2, country, 0),
            AddressClass::Trusted => (3, country, asn),
            AddressClass::Residential => (4, country, asn),
        };
        NetworkKey(class << 48 | country << 32 | asn)
    }

    /// Class, country and AS as far as they were kept.
    pub fn network(self) -> Network {
        let class = match self.0 >> 48 {
            0 => AddressClass::Private,
            1 => AddressClass::Azure,
            2 => AddressClass::Hosting,
            3 => AddressClass::Trusted,
            _ => AddressClass::Residential,
        };
        let country = ((self.0 >> 32) & 0xffff) as u16;
        let asn = self.0 as u32;
        Network {
            class,
            country: (country != 0).then_some(Country(country.to_be_bytes())),
            asn: (asn != 0).then_some(asn),
        }
    }

    /// `residential/NL/AS1136`, `azure/IE`, `private`: stable, for keys and evidence.
    pub fn name(self) -> String {
        let network = self.network();
        let mut name = network.class.as_str().to_owned();
        if let Some(country) = network.country {
            name.push('/');
            name.push_str(country.as_str());
        }
        if let Some(asn) = network.asn {
            name.push_str(&format!("/AS{asn}"));
        }
        name
    }
}

/// A known network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    pub(crate) key: NetworkKey,
    /// Last day with data.
    pub(crate) last_day: i32,
    /// Decayed bytes, for eviction.
    pub(crate) bytes: f32,
}

/// A network that is new to this account, with what it took. Rings by absolute ten-minute cell,
/// hour and day.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub(crate) key: NetworkKey,
    /// Minute in which it was first seen.
    pub(crate) first_minute: i64,
    pub(crate) slots: [u64; 6],
    pub(crate) hours: [u64; 24],
    pub(crate) days: [u64; 8],
}

impl Candidate {
    fn new(key: NetworkKey, minute: i64) -> Candidate {
        Candidate { key, first_minute: minute, slots: [0; 6], hours: [0; 24], days: [0; 8] }
    }
    fn total(&self) -> u64 {
        self.days.iter().fold(0, |sum, d| sum.saturating_add(*d))
    }
    fn add(&mut self, minute: i64, bytes: u64) {
        let cell = |ring: &mut [u64], at: i64| {
            let i = at.rem_euclid(ring.len() as i64) as usize;
            ring[i] = ring[i].saturating_add(bytes);
        };
        cell(&mut self.slots, minute.div_euclid(10));
        cell(&mut self.hours, minute.div_euclid(60));
        cell(&mut self.days, minute.div_euclid(1440));
    }
    /// Empties the cells between the open slot `from` (excluded) and `to` (included).
    fn advance(&mut self, from: i64, to: i64) {
        let clear = |ring: &mut [u64], from: i64, to: i64| {
            let n = ring.len() as i64;
            for at in from.max(to - n) + 1..=to {
                ring[at.rem_euclid(n) as usize] = 0;
            }
        };
        clear(&mut self.slots, from, to);
        clear(&mut self.hours, from.div_euclid(6), to.div_euclid(6));
        clear(&mut self.days, from.div_euclid(144), to.div_euclid(144));
    }
    /// Bytes of 1 hour, 24 hours and 7 days up to the end of slot `slot`, before it was left.
    pub(crate) fn taken(&self, slot: i64) -> [u64; 3] {
        let sum = |ring: &[u64], from: i64, to: i64| {
            (from..=to).fold(0u64, |sum, at| {
                sum.saturating_add(ring[at.rem_euclid(ring.len() as i64) as usize])
            })
        };
        let (hour, day) = (slot.div_euclid(6), slot.div_euclid(144));
        [
            sum(&self.slots, slot - 5, slot),
            sum(&self.hours, hour - 23, hour),
            sum(&self.days, day - 6, day),
        ]
    }
}

/// A known principal (by credential) or client (by family), as a hash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Client {
    pub(crate) hash: u64,
    pub(crate) first_day: i32,
    pub(crate) last_day: i32,
}

/// Networks and clients of one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Networks {
    /// Ascending by key.
    pub(crate) known: Vec<Known>,
    pub(crate) candidates: Vec<Candidate>,
    /// Ascending by hash.
    pub(crate) clients: Vec<Client>,
}

impl Networks {
    /// Bytes taken from `network` in `minute`. `learning`: the account is too young for anything
    /// to be new.
    pub(crate) fn add(&mut self, network: &Network, minute: i64, bytes: u64, learning: bool) {
        if network.class == AddressClass::Trusted {
            return;
        }
        let key = NetworkKey::of(network);
        let day = minute.div_euclid(1440) as i32;
        if let Ok(i) = self.known.binary_search_by_key(&key, |k| k.key) {
            self.known[i].last_day = day;
            self.known[i].bytes += bytes as f32;
        } else if learning {
            self.learn(key, day, bytes as f32);
        } else {
            self.watch(key, minute, bytes);
        }
    }

    fn learn(&mut self, key: NetworkKey, last_day: i32, bytes: f32) {
        if self.known.len() == KNOWN_MAX {
            let least = self.known.iter().enumerate().min_by(|(_, a), (_, b)| {
                a.bytes.total_cmp(&b.bytes).then(a.last_day.cmp(&b.last_day))
            });
            if let Some((i, _)) = least {
                self.known.remove(i);
            }
        }
        if let Err(i) = self.known.binary_search_by_key(&key, |k| k.key) {
            self.known.insert(i, Known { key, last_day, bytes });
        }
    }

    fn watch(&mut self, key: NetworkKey, minute: i64, bytes: u64) {
        if let Some(c) = self.candidates.iter_mut().find(|c| c.key == key) {
            c.add(minute, bytes);
            return;
        }
        let mut new = Candidate::new(key, minute);
        new.add(minute, bytes);
        if self.candidates.len() < CANDIDATES_MAX {
            self.candidates.push(new);
            return;
        }
        // Full: the one that took least gives way; what falls out stays unknown and may return.
        let least = self.candidates.iter_mut().min_by_key(|c| (c.total(), c.key));
        if let Some(least) = least
            && least.total() < bytes
        {
            *least = new;
        }
    }

    /// The open ten-minute cell moves from `from` to `to`.
    pub(crate) fn advance(&mut self, from: i64, to: i64) {
        self.candidates.iter_mut().for_each(|c| c.advance(from, to));
    }

    /// Marks a principal or client as seen.
    pub(crate) fn see_client(&mut self, hash: u64, day: i32) {
        match self.clients.binary_search_by_key(&hash, |c| c.hash) {
            Ok(i) => self.clients[i].last_day = self.clients[i].last_day.max(day),
            Err(_) => {
                if self.clients.len() == CLIENTS_MAX {
                    let oldest =
                        self.clients.iter().enumerate().min_by_key(|(_, c)| (c.last_day, c.hash));
                    if let Some((i, _)) = oldest {
                        self.clients.remove(i);
                    }
                }
                if let Err(i) = self.clients.binary_search_by_key(&hash, |c| c.hash) {
                    self.clients.insert(i, Client { hash, first_day: day, last_day: day });
                }
            }
        }
    }

    /// Whether a principal or client first came after the account's learning days and not long
    /// before `day`. Never while the table is full: then first dates are not to be trusted.
    pub(crate) fn client_is_new(&self, hash: u64, first: i32, day: i32, p: &EgressProfile) -> bool {
        if self.clients.len() == CLIENTS_MAX {
            return false;
        }
        self.clients.binary_search_by_key(&hash, |c| c.hash).is_ok_and(|i| {
            let c = &self.clients[i];
            f64::from(c.first_day - first) > p.judged_after_days
                && f64::from(day - c.first_day) <= p.new_for_days
        })
    }

    /// Midnight: new networks that have stayed long enough become known, old ones are forgotten.
    pub(crate) fn midnight(&mut self, day: i64, days: f64, profile: &EgressProfile) {
        let factor = (-days / profile.half_life_days).exp2() as f32;
        self.known.iter_mut().for_each(|k| k.bytes *= factor);
        self.known.retain(|k| day - i64::from(k.last_day) <= FORGOTTEN_AFTER_DAYS);
        self.clients.retain(|c| day - i64::from(c.last_day) <= FORGOTTEN_AFTER_DAYS);
        let stayed = |c: &Candidate| {
            (day + 1 - c.first_minute.div_euclid(1440)) as f64 > profile.new_for_days
        };
        let grown: Vec<Candidate> = self.candidates.extract_if(.., |c| stayed(c)).collect();
        for c in grown {
            self.learn(c.key, day as i32, c.total() as f32);
        }
    }

    /// The candidate that took most in 1 hour, 24 hours and 7 days up to the end of `slot`.
    pub(crate) fn novelty(&self, slot: i64) -> [Option<Novelty>; 3] {
        let mut most: [Option<Novelty>; 3] = [None; 3];
        for c in &self.candidates {
            for (best, bytes) in most.iter_mut().zip(c.taken(slot)) {
                let better = best.is_none_or(|b| (bytes, c.key) > (b.bytes, b.key));
                if better && bytes > 0 {
                    *best = Some(Novelty { key: c.key, bytes, first_minute: c.first_minute });
                }
            }
        }
        most
    }

    /// No table is fuller than it may be.
    pub(crate) fn within_bounds(&self) -> bool {
        self.known.len() <= KNOWN_MAX
            && self.candidates.len() <= CANDIDATES_MAX
            && self.clients.len() <= CLIENTS_MAX
    }

    /// Most heap bytes.
    pub(crate) const HEAP_MAX: usize = KNOWN_MAX * size_of::<Known>()
        + CANDIDATES_MAX * size_of::<Candidate>()
        + CLIENTS_MAX * size_of::<Client>();

    pub(crate) fn heap_bytes(&self) -> usize {
        self.known.capacity() * size_of::<Known>()
            + self.candidates.capacity() * size_of::<Candidate>()
            + self.clients.capacity() * size_of::<Client>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn network(class: AddressClass, country: &str, asn: u32) -> Network {
        Network { class, country: Country::parse(country), asn: Some(asn) }
    }

    #[test]
    fn azure_is_told_apart_by_country_and_residential_by_as() {
        let key = |n: &Network| NetworkKey::of(n);
        let azure = network(AddressClass::Azure, "IE", 8075);
        assert_eq!(key(&azure), key(&network(AddressClass::Azure, "IE", 8068)));
        assert_ne!(key(&azure), key(&network(AddressClass::Azure, "NL", 8075)));
        let home = network(AddressClass::Residential, "NL", 1136);
        assert_ne!(key(&home), key(&network(AddressClass::Residential, "NL", 33915)));
        assert_eq!(key(&home).network(), home);
        assert_eq!(key(&home).name(), "residential/NL/AS1136");
        assert_eq!(key(&azure).name(), "azure/IE");
    }

    #[test]
    fn windows_of_a_candidate_slide() {
        let mut n = Networks::default();
        let new = network(AddressClass::Residential, "RU", 1);
        n.add(&new, 5, 100, false);
        n.advance(0, 5);
        assert_eq!(n.candidates[0].taken(5), [100, 100, 100]);
        n.advance(5, 6);
        n.add(&new, 60, 7, false);
        assert_eq!(n.candidates[0].taken(6), [7, 107, 107]);
        n.advance(6, 6 + 144);
        assert_eq!(n.candidates[0].taken(150), [0, 0, 107]);
        n.advance(150, 150 + 144 * 7);
        assert_eq!(n.candidates[0].taken(150 + 144 * 7), [0, 0, 0]);
    }

    #[test]
    fn a_new_network_becomes_known_after_eight_days() {
        let profile = Profile::default().egress;
        let mut n = Networks::default();
        n.add(&network(AddressClass::Residential, "RU", 1), 0, 100, false);
        for day in 0..8 {
            n.midnight(day, 1.0, &profile);
        }
        assert_eq!((n.candidates.len(), n.known.len()), (1, 0));
        n.midnight(8, 1.0, &profile);
        assert_eq!((n.candidates.len(), n.known.len()), (0, 1));
    }

    #[test]
    fn tables_are_bounded_and_a_big_newcomer_always_fits() {
        let mut n = Networks::default();
        for asn in 0..100 {
            n.add(&network(AddressClass::Residential, "RU", asn), 0, 10, true);
            n.add(&network(AddressClass::Residential, "US", asn), 0, 10, false);
            n.see_client(u64::from(asn), 0);
        }
        assert_eq!((n.known.len(), n.candidates.len(), n.clients.len()), (32, 4, 32));
        n.add(&network(AddressClass::Residential, "BR", 7), 3, 1000, false);
        assert_eq!(n.novelty(0)[0].map(|x| x.bytes), Some(1000));
    }
}
