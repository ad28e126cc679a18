//! The Activity log: what people and workloads did to accounts.
use std::net::IpAddr;

use super::super::Fleet;
use super::super::draw::{Draw, Purpose};
use super::super::record::Activity;
use super::{Log, Writer};
use crate::time::{HOUR_MS, Timestamp};

/// Writes the operations of an hour, the first of which is number `from`; returns the number of the
/// next.
pub(super) fn hour(fleet: &Fleet, from: usize, hour: Timestamp, writer: &mut Writer) -> usize {
    let until = hour.plus_ms(HOUR_MS);
    let mut next = from;
    while let Some(operation) = fleet.operations.get(next).filter(|o| o.time < until) {
        let draw = &mut Draw::new(fleet.options.seed, Purpose::Activity, next as u64, 0);
        let correlation = draw.uuid();
        let took = 200 + draw.below_ms(1800);
        let end = if operation.failed {
            ("Failure", "Failed.Forbidden")
        } else {
            ("Success", "Succeeded.OK")
        };
        for (after, (result, signature)) in [(0, ("Start", "Started.")), (took, end)] {
            let mut out = Vec::with_capacity(2600);
            let time = operation.time.plus_ms(after);
            Activity {
                time,
                ticks: draw.below(10_000) as u32,
                target: &operation.target,
                operation: operation.name,
                result,
                signature,
                ip: IpAddr::V4(operation.ip),
                correlation,
                principal: &operation.principal,
                tenant: fleet.tenant,
                subscription: &fleet.subscriptions[operation.subscription].id_text,
            }
            .write(&mut out);
            let arrival = time.plus_ms(60_000 + draw.below_ms(180_000));
            writer.push(arrival, Log::Activity(operation.subscription as u32), out);
        }
        next += 1;
    }
    next
}
