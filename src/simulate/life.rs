//! Benign life: the look-alikes of attacks, and the accidents of running a service.
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

use super::account::{self, Home};
use super::agent;
use super::caller::{Caller, Credential, Op, Sizes, Step};
use super::draw::{Draw, Purpose};
use super::labels::Exception;
use super::network;
use super::query::Asks;
use super::record::{Principal, PrincipalKind, uuid_text};
use super::{Archetype, Fleet, Operation, Session, Subscription};

/// Cosmos DB `listKeys`.
pub(crate) const LIST_KEYS: &str = "Microsoft.DocumentDB/databaseAccounts/listKeys/action";
/// Cosmos DB `readonlykeys`.
pub(crate) const READONLY_KEYS: &str = "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action";
/// Cosmos DB `listConnectionStrings`.
pub(crate) const CONNECTION_STRINGS: &str =
    "Microsoft.DocumentDB/databaseAccounts/listConnectionStrings/action";
const REGENERATE: &str = "Microsoft.DocumentDB/databaseAccounts/regenerateKey/action";

/// Azure portal, Azure CLI and Azure PowerShell.
const PORTAL: u128 = 0xc44b_4083_3bb0_49c1_b47d_974e_53cb_df3c;
const CLI: u128 = 0x04b0_7795_8ddb_461a_bbee_02f9_e1bf_7b46;
const POWERSHELL: u128 = 0x1950_a258_227b_4e31_a9cf_7174_9594_5fc2;

const PEOPLE: &[&str] =
    &["anna", "bram", "chitra", "david", "elena", "farid", "grace", "hiro", "ines", "jonas"];

/// A person, acting through portal, CLI or PowerShell.
pub(crate) fn person(portal: bool, draw: &mut Draw) -> Principal {
    let guest = draw.chance(0.1);
    let name = *draw.pick(PEOPLE);
    let domain = if guest { "partner.example" } else { "contoso.example" };
    Principal {
        object: draw.uuid(),
        app: if portal { PORTAL } else { *draw.pick(&[CLI, POWERSHELL]) },
        upn: format!("{name}.{:02}@{domain}", draw.below(100)),
        kind: if guest { PrincipalKind::Guest } else { PrincipalKind::User },
        role: draw.pick::<&'static str>(&[
            "Contributor",
            "Owner",
            "DocumentDB Account Contributor",
        ]),
    }
}

/// An application.
pub(crate) fn machine(role: &'static str, draw: &mut Draw) -> Principal {
    let managed = draw.chance(0.25);
    Principal {
        object: draw.uuid(),
        app: draw.uuid(),
        upn: String::new(),
        kind: if managed {
            PrincipalKind::ManagedIdentity
        } else {
            PrincipalKind::ServicePrincipal
        },
        role,
    }
}

/// Draws a subscription without accounts.
pub(crate) fn subscription(index: usize, draw: &mut Draw) -> Subscription {
    let home = Home::draw(draw);
    let id = (draw.uuid() & !0xffff) | index as u128;
    let office = network::in_country(network::HOMES, home.country, draw);
    let ci = network::in_region(home.region, draw);
    Subscription {
        id_text: uuid_text(id),
        home,
        accounts: Vec::new(),
        terraform: machine("Contributor", draw),
        scanner: machine("DocumentDB Account Contributor", draw),
        rotator: machine("Cosmos DB Operator", draw),
        admins: (0..2 + draw.below(2)).map(|_| person(true, draw)).collect(),
        ci: (0..1 + draw.below(2)).map(|_| ci.address(draw)).collect(),
        office: (0..2 + draw.below(3)).map(|_| office.address(draw)).collect(),
    }
}

/// Fills a fleet with benign life.
pub(crate) fn live(fleet: &mut Fleet) {
    for s in 0..fleet.subscriptions.len() {
        let draw = &mut Draw::new(fleet.options.seed, Purpose::Life, s as u64, 1);
        terraform(fleet, s, draw);
        scanner(fleet, s, draw);
        rotation(fleet, s, draw);
        portal(fleet, s, draw);
    }
    for a in 0..fleet.accounts.len() {
        let draw = &mut Draw::new(fleet.options.seed, Purpose::Life, a as u64, 2);
        failovers(fleet, a);
        redeployment(fleet, a, draw);
        release_steps(fleet, a, draw);
        exports(fleet, a, draw);
        travel(fleet, a, draw);
        refused_knocks(fleet, a, draw);
        log_gap(fleet, a, draw);
    }
}

pub(crate) fn local(fleet: &Fleet, day: i64, hour: f64, ahead: i32) -> Timestamp {
    let ms = (hour - f64::from(ahead)) * HOUR_MS as f64;
    fleet.options.start.plus_ms(day * DAY_MS + ms as i64)
}

fn inside(fleet: &Fleet, at: Timestamp) -> bool {
    at >= fleet.options.start && at < fleet.options.end()
}

/// Plans a successful operation on an account.
pub(crate) fn operation(
    fleet: &mut Fleet,
    account: usize,
    name: &'static str,
    time: Timestamp,
    principal: &Principal,
    ip: std::net::Ipv4Addr,
) {
    if inside(fleet, time) {
        let target = fleet.arm_id(account);
        let subscription = fleet.accounts[account].subscription;
        let principal = principal.clone();
        let failed = false;
        let operation = Operation { time, subscription, target, name, principal, ip, failed };
        fleet.operations.push(operation);
    }
}

/// Plans an operation that Azure refuses.
pub(crate) fn refused(
    fleet: &mut Fleet,
    account: usize,
    name: &'static str,
    time: Timestamp,
    principal: &Principal,
    ip: std::net::Ipv4Addr,
) {
    let before = fleet.operations.len();
    operation(fleet, account, name, time, principal, ip);
    fleet.operations.iter_mut().skip(before).for_each(|o| o.failed = true);
}

/// Every plan of a pipeline reads all three kinds of keys of every account.
fn terraform(fleet: &mut Fleet, s: usize, draw: &mut Draw) {
    let Subscription { terraform, ci, accounts, home, .. } = fleet.subscriptions[s].clone();
    let hour = draw.between(1.0, 22.0);
    for day in 0..i64::from(fleet.options.days) {
        let mut plans = vec![hour + draw.between(0.0, 0.1)];
        if draw.chance(0.15) {
            plans.push(draw.between(9.0, 18.0));
        }
        for plan in plans {
            let ip = *draw.pick(&ci);
            let mut at = local(fleet, day, plan, home.ahead);
            for &account in &accounts {
                for name in [LIST_KEYS, READONLY_KEYS, CONNECTION_STRINGS] {
                    at = at.plus_ms(400 + draw.below_ms(1500));
                    operation(fleet, account, name, at, &terraform, ip);
                }
            }
        }
    }
}

/// A posture scanner reads every account's keys once a week.
fn scanner(fleet: &mut Fleet, s: usize, draw: &mut Draw) {
    let Subscription { scanner, accounts, home, .. } = fleet.subscriptions[s].clone();
    let ip = network::in_region(home.second, draw).address(draw);
    let (weekday, hour) = (draw.below(7) as i64, draw.between(0.0, 6.0));
    let mut day = weekday;
    while day < i64::from(fleet.options.days) {
        let mut at = local(fleet, day, hour, home.ahead);
        for &account in &accounts {
            at = at.plus_ms(2000 + draw.below_ms(6000));
            operation(fleet, account, LIST_KEYS, at, &scanner, ip);
        }
        day += 7;
    }
}

/// A rotation job regenerates the secondary key and reads it back, every two weeks.
fn rotation(fleet: &mut Fleet, s: usize, draw: &mut Draw) {
    let Subscription { rotator, accounts, home, .. } = fleet.subscriptions[s].clone();
    let ip = network::in_region(home.region, draw).address(draw);
    for &account in &accounts {
        let mut day = draw.below(10) as i64;
        let hour = draw.between(2.0, 5.0);
        while day < i64::from(fleet.options.days) {
            let at = local(fleet, day, hour, home.ahead);
            operation(fleet, account, REGENERATE, at, &rotator, ip);
            let read = at.plus_ms(20_000 + draw.below_ms(90_000));
            operation(fleet, account, LIST_KEYS, read, &rotator, ip);
            day += 10;
        }
    }
}

fn browsing(fleet: &Fleet, account: usize, ip: std::net::Ipv4Addr, draw: &mut Draw) -> Caller {
    Caller {
        addresses: vec![ip],
        agent: agent::browser(draw),
        direct: false,
        credential: Credential::Key("PrimaryMasterKey"),
        per_day: 0.0,
        mix: vec![
            (Op::Query, 0.5),
            (Op::PointRead, 0.2),
            (Op::ListDatabases, 0.1),
            (Op::ListContainers, 0.1),
            (Op::ReadContainer, 0.1),
            (Op::Replace, 0.05),
        ],
        sizes: Sizes { median: 6000.0, sigma: 0.9 },
        rhythm: super::caller::Rhythm::flat(),
        steps: Vec::new(),
        from: fleet.options.start,
        until: fleet.options.end(),
        person: true,
        region: fleet.accounts[account].region,
    }
}

/// Administrators look at accounts in the portal: it lists the keys and then reads a little. Now
/// and then a new one joins.
fn portal(fleet: &mut Fleet, s: usize, draw: &mut Draw) {
    let Subscription { mut admins, accounts, .. } = fleet.subscriptions[s].clone();
    let days = f64::from(fleet.options.days);
    let known = admins.len();
    if draw.chance(0.3) {
        admins.push(person(true, draw));
    }
    for (i, admin) in admins.iter().enumerate() {
        let since = if i < known { 0.0 } else { draw.between(5.0, days) };
        let own: Vec<usize> = accounts.iter().copied().filter(|_| draw.chance(0.6)).collect();
        for &account in &own {
            let every = draw.between(1.5, 6.0);
            let mut day = since + draw.between(0.0, every);
            if i >= known && day < days {
                let from = fleet.options.start.plus_ms((day as i64) * DAY_MS);
                except(fleet, "new administrator", account, from, from.plus_ms(DAY_MS));
            }
            while day < days {
                browse(fleet, account, admin, day as i64, draw);
                day += every * draw.between(0.5, 1.5);
            }
        }
    }
}

/// One visit of the portal's Data Explorer.
fn browse(fleet: &mut Fleet, account: usize, admin: &Principal, day: i64, draw: &mut Draw) {
    let subscription = &fleet.subscriptions[fleet.accounts[account].subscription];
    let ip = *draw.pick(&subscription.office);
    let at = local(fleet, day, draw.between(9.0, 17.5), subscription.home.ahead);
    if draw.chance(0.02) {
        // A role that has run out is refused once before it is renewed.
        let before = at.plus_ms(-60_000 - draw.below_ms(600_000));
        refused(fleet, account, LIST_KEYS, before, admin, ip);
    }
    operation(fleet, account, LIST_KEYS, at, admin, ip);
    let caller = browsing(fleet, account, ip, draw);
    let start = at.plus_ms(3000 + draw.below_ms(20_000));
    let count = 4 + draw.below(30) as u32;
    let end = start.plus_ms(300_000 + draw.below_ms(1_500_000));
    let session = Session { routine: true, ..Session::new(start, end, count, caller) };
    push_session(fleet, account, session);
}

/// Adds a session that lies inside the fleet's time.
pub(crate) fn push_session(fleet: &mut Fleet, a: usize, session: Session) {
    if inside(fleet, session.start) && session.end <= fleet.options.end() {
        fleet.accounts[a].sessions.push(session);
    }
}

/// Some workloads move to new machines once: new addresses in the same region, newer client.
fn redeployment(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    if !draw.chance(0.35) || fleet.accounts[a].callers.is_empty() {
        return;
    }
    let day = draw.below(fleet.options.days.max(1) as usize) as i64;
    let at = local(fleet, day, draw.between(9.0, 17.0), 0);
    if !inside(fleet, at) {
        return;
    }
    let hour = Timestamp::of_hour(at.hour());
    let (addresses, agent) = account::redeploy(&fleet.accounts[a].callers[0], draw);
    let mut successor = fleet.accounts[a].callers[0].clone();
    fleet.accounts[a].callers[0].until = hour;
    successor.from = hour;
    successor.addresses = addresses;
    successor.agent = agent;
    fleet.accounts[a].callers.push(successor);
    except(fleet, "redeployment", a, hour, hour.plus_ms(DAY_MS));
}

/// Releases change the load for good, by × 0.6 to × 1.6.
fn release_steps(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    let mut day = draw.between(5.0, 45.0);
    while day < f64::from(fleet.options.days) {
        let from = local(fleet, day as i64, draw.between(8.0, 18.0), 0);
        let from = Timestamp::of_hour(from.hour());
        let factor = draw.log_normal(1.0, 0.25).clamp(0.6, 1.6);
        let until = fleet.options.end();
        for caller in &mut fleet.accounts[a].callers {
            if caller.credential != Credential::System {
                caller.steps.push(Step { from, until, factor });
            }
        }
        except(fleet, "release", a, from, from.plus_ms(DAY_MS));
        day += draw.between(20.0, 60.0);
    }
}

/// A one-off export by the account's own workload, .3 times a month.
fn exports(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    let mut day = draw.between(0.0, 200.0);
    while day < f64::from(fleet.options.days) {
        let start = local(fleet, day as i64, draw.between(6.0, 20.0), 0);
        let Some(own) = fleet.accounts[a].main_caller(start).cloned() else { return };
        let bytes = fleet.accounts[a].mean_day_bytes(start) * draw.log_normal(1.0, 0.8).min(6.0);
        let end = start.plus_ms((draw.between(0.3, 4.0) * HOUR_MS as f64) as i64);
        if let Some(session) = bulk(own, bytes, start, end, draw) {
            push_session(fleet, a, session);
            except(fleet, "export", a, start, end);
        }
        day += draw.between(60.0, 200.0);
    }
}

/// A session of reads that returns about `bytes` bytes: pages larger than everyday answers, at
/// most 6,000 of them.
pub(crate) fn bulk(
    mut caller: Caller,
    bytes: f64,
    start: Timestamp,
    end: Timestamp,
    draw: &mut Draw,
) -> Option<Session> {
    let page = (caller.sizes.mean() * draw.log_normal(4.0, 0.6))
        .clamp(2000.0, 1_500_000.0)
        .max(bytes / 6000.0)
        .min(2_500_000.0);
    let count = (bytes / page + 0.5) as u32;
    caller.mix = match draw.below(3) {
        0 => vec![(Op::Query, 1.0)],
        1 => vec![(Op::Feed, 1.0)],
        _ => vec![(Op::Query, 0.7), (Op::Feed, 0.3)],
    };
    let sigma = 0.3;
    caller.sizes = Sizes { median: page / super::draw::exp(sigma * sigma / 2.0), sigma };
    let asks = Asks::Everything;
    (count > 0).then(|| Session { asks, ..Session::new(start, end, count, caller) })
}

/// Someone works from abroad for a few days: about a third of the accounts where people work, in
/// a year. The showcase always has one.
fn travel(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    if fleet.accounts[a].archetype != Archetype::Developer && !draw.chance(0.15) {
        return;
    }
    let latest = if fleet.options.showcase { 20.0 } else { 120.0 };
    let (day, length) = (draw.between(6.0, latest), draw.between(1.0, 6.0));
    let country = fleet.accounts[a].country;
    let abroad: Vec<_> = network::HOMES.iter().filter(|b| b.country != country).collect();
    if day + length >= f64::from(fleet.options.days) {
        return;
    }
    let ip = draw.pick(&abroad).address(draw);
    let person = fleet.accounts[a].callers.iter().find(|c| c.person).cloned();
    let mut caller = person.unwrap_or_else(|| browsing(fleet, a, ip, draw));
    caller.addresses = vec![ip];
    let start = local(fleet, day as i64, 8.0, 0);
    let end = start.plus_ms((length * DAY_MS as f64) as i64);
    let count = 10 + draw.below(80) as u32;
    push_session(fleet, a, Session { by_day: true, ..Session::new(start, end, count, caller) });
    except(fleet, "travel", a, start, end);
}

/// Failovers were drawn with the account; here they become known.
fn failovers(fleet: &mut Fleet, a: usize) {
    let first = fleet.accounts[a].callers.first();
    let steps: Vec<Step> = first.map_or_else(Vec::new, |c| c.steps.clone());
    for step in steps {
        except(fleet, "failover", a, step.from, step.until);
    }
}

/// Knocks without a key from scanners, Tor and listed addresses: refused, so no access.
fn refused_knocks(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    let mut day = draw.between(0.0, 20.0);
    while day < f64::from(fleet.options.days) {
        let ip = match draw.below(3) {
            0 => *draw.pick(&fleet.tor_exits),
            1 => *draw.pick(&fleet.listed),
            _ => draw.pick(network::HOSTING).address(draw),
        };
        let mut caller = browsing(fleet, a, ip, draw);
        caller.agent = agent::scanner(draw);
        caller.credential = Credential::None;
        caller.mix = vec![(Op::ListDatabases, 0.7), (Op::ReadAccount, 0.3)];
        let start = local(fleet, day as i64, draw.between(0.0, 23.0), 0);
        let end = start.plus_ms(60_000 + draw.below_ms(600_000));
        let status = Some(if draw.chance(0.8) { 401 } else { 403 });
        let count = 1 + draw.below(8) as u32;
        push_session(fleet, a, Session { status, ..Session::new(start, end, count, caller) });
        day += draw.between(3.0, 30.0);
    }
}

/// Some accounts lose their data-plane logs for some hours.
fn log_gap(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    if draw.chance(0.12) {
        let day = draw.below(fleet.options.days.max(1) as usize) as i64;
        let from = Timestamp::of_hour(local(fleet, day, draw.between(0.0, 24.0), 0).hour());
        let until = from.plus_ms((3 + draw.below(12) as i64) * HOUR_MS);
        fleet.accounts[a].gaps.push((from, until));
        except(fleet, "log gap", a, from, until);
    }
}

/// Notes an unusual but benign episode.
pub(crate) fn except(
    fleet: &mut Fleet,
    kind: &'static str,
    a: usize,
    start: Timestamp,
    end: Timestamp,
) {
    let account = fleet.accounts[a].name.clone();
    fleet.exceptions.push(Exception { kind, account, start, end });
}
