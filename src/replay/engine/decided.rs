//! What people decided, where records pass: networks that are trusted, and decisions that come
//! while the engine runs.
use std::sync::Arc;

use super::Engine;
use crate::account::message::{Context, Published};
use crate::alert::desk::Decide;
use crate::alert::rules::{Decision, Ledger, Trusted, works_from};
use crate::event::{Body, Event};
use crate::intel::view::{AddressClass, AddressInfo};
use crate::store::decisions;
use crate::time::Timestamp;

/// The ledger, and what of it is asked for each record.
#[derive(Debug, Default)]
pub(in crate::replay) struct Decided {
    ledger: Ledger,
    trusted: Trusted,
}

impl Decided {
    pub(in crate::replay) fn of(ledger: Ledger) -> Decided {
        Decided { trusted: Trusted::of(&ledger), ledger }
    }

    /// What an address is to us at the time of the record: of a network that was trusted then, ours.
    pub(in crate::replay) fn describe(
        &self,
        event: &Event,
        address: Arc<AddressInfo>,
    ) -> Arc<AddressInfo> {
        if self.trusted.is_empty() || address.class == AddressClass::Private {
            return address;
        }
        let ip = match &event.body {
            Body::Request(request) => request.client_ip,
            Body::Activity(operation) => operation.client_ip,
            Body::Query(_) | Body::Control(_) | Body::Coverage(_) => None,
        };
        if ip.is_some_and(|ip| self.trusted.covers(ip, event.time)) {
            return Arc::new(AddressInfo { class: AddressClass::Trusted, ..(*address).clone() });
        }
        address
    }
}

impl Engine {
    /// Lets a decision that was recorded work: the desk marks by it, accounts learn of it, networks
    /// are trusted by it. To be called between two chunks.
    ///
    /// # Errors
    /// An actor is gone.
    pub async fn decide(&mut self, decision: Decision) -> anyhow::Result<()> {
        self.flush().await?;
        self.decided.ledger.push(decision.clone());
        self.decided.trusted = Trusted::of(&self.decided.ledger);
        let context = self.router.context();
        let lessons = decisions::lessons(&self.decided.ledger);
        let published = Published { lessons, ..context.published.clone() };
        let context = Context { published, ..(**context).clone() };
        self.router.set_context(Arc::new(context));
        self.desk.send(Decide(decision)).await?;
        Ok(())
    }

    /// What was decided so far.
    pub fn ledger(&self) -> &Ledger {
        &self.decided.ledger
    }

    /// Event time from which a decision works that is taken now.
    pub fn decides_from(&self) -> Timestamp {
        works_from(self.watermark.newest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::{Trust, What};
    use crate::event::{Decoded, Decoder};

    #[test]
    fn an_address_is_ours_while_its_network_is_trusted_and_private_ones_stay_private() {
        let from = Timestamp::parse("2026-11-14T02:00Z").unwrap();
        let until = Timestamp::parse("2026-11-15T00:00Z").unwrap();
        let mut ledger = Ledger::default();
        let trust = What::Trust(Trust::parse("203.0.113.0/24", until).unwrap());
        let decision = ledger.draft(trust, [from, from], "ann", "office").unwrap();
        ledger.push(decision);
        let decided = Decided::of(ledger);
        let record = br#"{"time":"2026-11-14T03:00:00Z","resourceId":"/SUBSCRIPTIONS/00000000-0000-0000-0000-00000000C0DE/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.DOCUMENTDB/DATABASEACCOUNTS/A","category":"DataPlaneRequests","operationName":"Read","properties":{"statusCode":"200","clientIpAddress":"203.0.113.9"}}"#;
        let Decoded::Event(mut event) = Decoder::default().decode(record).unwrap() else {
            panic!("a request is an event")
        };
        let info = |class| {
            let view = crate::intel::view::IntelView::empty();
            let info = view.describe(Some("203.0.113.9".parse().unwrap()));
            Arc::new(AddressInfo { class, ..info })
        };
        let class = |event: &Event, class| decided.describe(event, info(class)).class;
        assert_eq!(class(&event, AddressClass::Hosting), AddressClass::Trusted);
        assert_eq!(class(&event, AddressClass::Private), AddressClass::Private);
        event.time = until;
        assert_eq!(class(&event, AddressClass::Hosting), AddressClass::Hosting);
    }
}
