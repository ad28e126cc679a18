//! `DataPlaneRequests5M` and `DataPlaneRequests15M`: rows that stand for many alike requests.
use crate::event::decoder::Context;
use crate::event::fields::{Field, Fields};
use crate::event::interner::Region;
use crate::event::request::{self, needed};
use crate::event::scalar::NotANumber;
use crate::event::{Category, Refusal, Request};
use crate::time::MINUTE_MS;

/// The interval that rows of `category` cover, milliseconds.
fn interval_ms(category: Category) -> i64 {
    if category == Category::DataPlaneRequests15M { 15 * MINUTE_MS } else { 5 * MINUTE_MS }
}

/// A total as logged, or its average times the number of requests.
fn total(
    fields: &Fields<'_>,
    [total, average]: [Field; 2],
    count: u64,
) -> Result<Option<u64>, NotANumber> {
    if let Some(total) = fields.get(total).whole()? {
        return Ok(Some(total));
    }
    // Averages keep their fraction until they are multiplied.
    let milli = fields.get(average).milli()?;
    Ok(milli.map(|milli| milli.saturating_mul(count).saturating_add(500) / 1000))
}

/// One row. A row without requests (`RequestCount` 0) is tolerated and counts nothing.
pub(super) fn decode(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    category: Category,
    region: Region,
) -> Result<Request, Refusal> {
    let mut request = request::decode(cx, fields, category, region)?;
    let count = needed(fields.get(Field::RequestCount).whole(), "request count")?.unwrap_or(1);
    request.count = count;
    request.interval_ms = interval_ms(category);
    // The row stands for many requests; an id, were there one, could be only one of theirs.
    request.activity_id = None;
    let response = total(fields, [Field::TotalResponseLength, Field::AvgResponseLength], count);
    if let Some(response) = needed(response, "total response length")? {
        request.response_bytes = response;
    }
    let sent = total(fields, [Field::TotalRequestLength, Field::AvgRequestLength], count);
    if let Some(sent) = cx.tolerated(sent) {
        request.request_bytes = sent;
    }
    let charge = match cx.tolerated(fields.get(Field::TotalRequestCharge).milli()) {
        Some(total) => Some(total),
        None => cx
            .tolerated(fields.get(Field::AvgRequestCharge).milli())
            .map(|average| average.saturating_mul(count)),
    };
    request.charge_milli = charge.unwrap_or(request.charge_milli);
    // Without a maximum the mean is what is known of a single response.
    let mean = request.response_bytes.div_ceil(count.max(1));
    request.response_bytes_max =
        cx.tolerated(fields.get(Field::MaxResponseLength).whole()).unwrap_or(mean);
    Ok(request)
}
