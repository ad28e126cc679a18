//! Whether innocent fleets alert as often as the p-values say.
use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Gamma};

use super::assess::Hazards;
use super::tests::{KEY, Who, cell_at, who};
use super::*;
use crate::event::Credential;
use crate::intel::view::AddressClass;
use crate::profile::Profile;

const LOW: f64 = 0.033333 * 2.0 / 8.5;
const DAYS: i64 = 150;
const WARM_UP: i64 = 20;

/// Kinds of innocent news: client, credential, and whether the country and the client are new.
struct Kind {
    credential: Credential,
    browser: bool,
    new_country: bool,
    new_client: bool,
    shape: f64,
}

fn kinds(profile: &LocationProfile) -> Vec<Kind> {
    let n = &profile.novelty;
    let lanes = [
        (KEY, false, &n.key),
        (Credential::Entra(PrincipalId::new("ann")), false, &n.entra),
        (Credential::Entra(PrincipalId::new("ann")), true, &n.interactive),
        (Credential::ResourceToken, false, &n.token),
    ];
    let mut kinds = Vec::new();
    for (credential, browser, shapes) in lanes {
        for (at, shape) in shapes.iter().enumerate().take(4).filter(|(_, shape)| **shape > 0.0) {
            kinds.push(Kind {
                credential: credential.clone(),
                browser,
                new_country: at < 2,
                new_client: at % 2 == 1,
                shape: *shape,
            });
        }
    }
    kinds
}

fn newcomer(kind: &Kind, rng: &mut rand_chacha::ChaCha8Rng) -> Who {
    const CLIENTS: [&str; 40] = [
        "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13",
        "c14", "c15", "c16", "c17", "c18", "c19", "c20", "c21", "c22", "c23", "c24", "c25", "c26",
        "c27", "c28", "c29", "c30", "c31", "c32", "c33", "c34", "c35", "c36", "c37", "c38", "c39",
    ];
    const COUNTRIES: [&str; 16] = [
        "DE", "FR", "ES", "IT", "PL", "RO", "BR", "US", "GB", "IN", "JP", "SG", "AU", "CA", "SE",
        "FI",
    ];
    let country =
        if kind.new_country { COUNTRIES[rng.random_range(0..COUNTRIES.len())] } else { "NL" };
    let mut who =
        who("62.1.2.3", AddressClass::Residential, country, rng.random_range(10_000..2_000_000));
    who.credential = kind.credential.clone();
    if kind.new_client {
        who.family = CLIENTS[rng.random_range(0..CLIENTS.len())];
    } else if kind.browser {
        who.family = "Mozilla/5.0";
    }
    who
}

/// Intruders with a stolen key after the innocent days: an unseen client from a new country, a known
/// one from there, an unseen client from a new network at home, a known one from there.
fn intruders() -> [Who; 4] {
    let abroad = who("175.45.1.2", AddressClass::Hosting, "KP", 131_279);
    let rented = who("145.9.1.2", AddressClass::Hosting, "NL", 60_781);
    [
        Who { family: "thief", ..abroad.clone() },
        abroad,
        Who { family: "thief", ..rented.clone() },
        rented,
    ]
}

/// What became of one account.
struct Life {
    /// Alerts at Low or above.
    alerts: f64,
    /// The number that its own hazards expected.
    expected: f64,
    /// Which of the intruders would alert on the last day.
    caught: [bool; 4],
}

fn live(seed: u64, profile: &LocationProfile, kinds: &[Kind]) -> Life {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let rates: Vec<f64> = kinds
        .iter()
        .map(|k| Gamma::new(k.shape, 1.0 / profile.novelty.exposure_days).unwrap().sample(&mut rng))
        .collect();
    let prior = LocationPrior::default();
    let cx = PlaceContext { profile, prior: &prior };
    let mut baseline = LocationBaseline::new();
    let browser = Who {
        family: "Mozilla/5.0",
        credential: kinds[4].credential.clone(),
        ..who("145.1.2.3", AddressClass::Residential, "NL", 1136)
    };
    let token = Who { credential: Credential::ResourceToken, ..browser.clone() };
    let home = who("145.1.2.3", AddressClass::Residential, "NL", 1136);
    let mut staying = vec![home, browser, token];
    let mut open: BTreeMap<category::Category, i64> = BTreeMap::new();
    let (mut alerts, mut expected) = (0.0, 0.0);
    for day in 20_000..20_000 + DAYS {
        let minute = day * 1440 + 600;
        let mut today: Vec<(Who, u64)> = staying.iter().map(|w| (w.clone(), 5)).collect();
        for (kind, rate) in kinds.iter().zip(&rates) {
            if rng.random::<f64>() < 1.0 - (-rate).exp() {
                let who = newcomer(kind, &mut rng);
                if rng.random::<f64>() < 0.3 && staying.len() < 12 {
                    staying.push(who.clone());
                }
                today.push((who, 2));
            }
        }
        let watched = day >= 20_000 + WARM_UP;
        if watched {
            let hazards = Hazards::at(&baseline, Timestamp::of_day(day), &cx);
            let odd = hazards
                .novelty
                .iter()
                .enumerate()
                .filter_map(|(index, p)| p.map(|p| hazards.oddness(Some(index), p)));
            let odd_enough = odd.filter(|odd| hazards.nominal(*odd) <= LOW);
            expected += hazards.nominal(odd_enough.fold(0.0, f64::max));
        }
        let cell = cell_at(minute, &today);
        let judged = baseline.assess(minute, &cell, &cx);
        for o in judged.iter().filter(|o| watched && o.p * o.per_day <= LOW) {
            let last = open.insert(o.category.clone(), day);
            alerts += f64::from(u8::from(last.is_none_or(|last| day - last >= 7)));
        }
        baseline.learn(minute, &cell, &judged, profile);
        baseline.close_day(day, true, profile);
    }
    let minute = (20_000 + DAYS) * 1440 + 300;
    let caught = intruders().map(|intruder| {
        let judged = baseline.assess(minute, &cell_at(minute, &[(intruder, 1)]), &cx);
        judged.iter().any(|o| o.p * o.per_day <= LOW)
    });
    Life { alerts, expected, caught }
}

#[test]
fn innocent_fleets_alert_at_the_nominal_rate_and_intruders_are_seen() {
    let profile = Profile::default().location;
    let kinds = kinds(&profile);
    let accounts = 250;
    let lives: Vec<Life> = (0..accounts).map(|seed| live(seed, &profile, &kinds)).collect();
    let sum = |f: fn(&Life) -> f64| lives.iter().map(f).sum::<f64>();
    let (alerts, expected) = (sum(|l| l.alerts), sum(|l| l.expected));
    let days = lives.len() as f64 * (DAYS - WARM_UP) as f64;
    let recall: [f64; 4] = std::array::from_fn(|i| {
        lives.iter().filter(|l| l.caught[i]).count() as f64 / lives.len() as f64
    });
    println!("{alerts} alerts, {expected:.1} expected in {days} account-days, recall {recall:?}");
    assert!(expected > 17.0);
    let ratio = alerts / expected;
    assert!((0.5..=2.0).contains(&ratio), "{ratio}");
    assert!(alerts <= LOW * days);
    assert!(recall[0] >= 0.95 && recall[2] >= 0.95, "{recall:?}");
}
