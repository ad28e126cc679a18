//! Key harvesting over the accounts of a subscription.
use std::net::Ipv4Addr;

use crate::detect::AlertKind;
use crate::time::{DAY_MS, Timestamp};

use super::attack::{Busy, label};
use super::draw::Draw;
use super::life::{self, LIST_KEYS};
use super::network;
use super::record::{Principal, uuid_text};
use super::{Fleet, Operation};

/// Operations that a key-harvesting script asks for before Cosmos DB, and after it, in its order.
const BEFORE: &[(&str, &str)] = &[
    ("Microsoft.KeyVault/vaults/accessPolicies/write", "Microsoft.KeyVault/vaults/kv"),
    ("Microsoft.Web/sites/publishxml/action", "Microsoft.Web/sites/app"),
    (
        "Microsoft.ContainerRegistry/registries/listCredentials/action",
        "Microsoft.ContainerRegistry/registries/acr",
    ),
    ("Microsoft.Storage/storageAccounts/listKeys/action", "Microsoft.Storage/storageAccounts/st"),
    (
        "Microsoft.Automation/automationAccounts/listKeys/action",
        "Microsoft.Automation/automationAccounts/aa",
    ),
];
const AFTER: &[(&str, &str)] = &[
    (
        "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
        "Microsoft.ContainerService/managedClusters/aks",
    ),
    ("Microsoft.Web/sites/host/listkeys/action", "Microsoft.Web/sites/fn"),
    (
        "Microsoft.CognitiveServices/accounts/listKeys/action",
        "Microsoft.CognitiveServices/accounts/ai",
    ),
];

/// One sweep over the accounts of each subscription that has at least four.
pub(crate) fn sweep(fleet: &mut Fleet, s: usize, busy: &mut [Busy], draw: &mut Draw) {
    let mut accounts = fleet.subscriptions[s].accounts.clone();
    let warm = i64::from(fleet.options.warmup_days);
    let days = i64::from(fleet.options.days) - warm;
    let slow = !fleet.options.showcase && s % 3 == 2;
    let length = if slow { accounts.len() as i64 } else { 1 };
    let room = days - length - 1;
    if accounts.len() < 4 || room <= 0 {
        return;
    }
    let at = if fleet.options.showcase {
        room as f64 + draw.between(0.05, 0.6)
    } else {
        draw.between(0.0, room as f64)
    };
    let start = fleet.options.start.plus_ms(warm * DAY_MS + (at * DAY_MS as f64) as i64);
    accounts.sort_by_key(|&a| (fleet.accounts[a].resource_group.clone(), a));
    let principal = if draw.chance(0.5) {
        life::person(false, draw)
    } else {
        life::machine("Reader and Data Access", draw)
    };
    let blocks = if draw.chance(0.5) { network::FAR } else { network::HOSTING };
    let ip = draw.pick(blocks).address(draw);
    let pace = draw.between(1500.0, 12_000.0);
    let (variant, strength, end) = match s % 3 {
        0 => {
            ("microburst", "strong", script(fleet, s, &accounts, &principal, ip, start, pace, draw))
        }
        1 => (
            "cosmos-fan-out",
            "medium",
            fan_out(fleet, &accounts, &principal, ip, start, pace, draw),
        ),
        _ if slow => {
            let step = DAY_MS as f64 * 0.97;
            ("low-and-slow", "weak", fan_out(fleet, &accounts, &principal, ip, start, step, draw))
        }
        _ => {
            ("microburst", "strong", script(fleet, s, &accounts, &principal, ip, start, pace, draw))
        }
    };
    let mut attack = label(fleet, AlertKind::MaliciousScript, &accounts, (start, end));
    attack.also = vec![AlertKind::SuspiciousPrincipal];
    attack.variant = variant.to_owned();
    attack.strength = strength;
    attack.addresses = vec![ip];
    attack.principal = uuid_text(principal.object);
    for &a in &accounts {
        busy[a].push((start, end));
    }
    fleet.attacks.push(attack);
}

fn fan_out(
    fleet: &mut Fleet,
    accounts: &[usize],
    principal: &Principal,
    ip: Ipv4Addr,
    start: Timestamp,
    pace: f64,
    draw: &mut Draw,
) -> Timestamp {
    let mut at = start;
    for &a in accounts {
        life::operation(fleet, a, LIST_KEYS, at, principal, ip);
        at = at.plus_ms((pace * draw.between(0.9, 1.1)) as i64);
    }
    at
}

#[allow(clippy::too_many_arguments)] // one attack's parts, used once
fn script(
    fleet: &mut Fleet,
    s: usize,
    accounts: &[usize],
    principal: &Principal,
    ip: Ipv4Addr,
    start: Timestamp,
    pace: f64,
    draw: &mut Draw,
) -> Timestamp {
    let mut at = others(fleet, s, BEFORE, principal, ip, start, draw);
    at = fan_out(fleet, accounts, principal, ip, at, pace, draw);
    others(fleet, s, AFTER, principal, ip, at, draw)
}

fn others(
    fleet: &mut Fleet,
    s: usize,
    list: &[(&'static str, &'static str)],
    principal: &Principal,
    ip: Ipv4Addr,
    mut at: Timestamp,
    draw: &mut Draw,
) -> Timestamp {
    for &(name, resource) in list {
        for n in 0..1 + draw.below(3) {
            let id = &fleet.subscriptions[s].id_text;
            let target =
                format!("/subscriptions/{id}/resourceGroups/rg-shared/providers/{resource}{n:02}");
            let principal = principal.clone();
            fleet.operations.push(Operation {
                time: at,
                subscription: s,
                target,
                name,
                principal,
                ip,
                failed: false,
            });
            at = at.plus_ms(1500 + draw.below_ms(9000));
        }
    }
    at
}
