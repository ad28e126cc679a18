//! The actors together: a slow one holds the rest back instead of filling memory, a panicking one
//! loses nothing and disturbs nobody, sleep changes nothing, and everyone talks in sorted order.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub mod doubles;
mod order;
mod panics;
mod sleep;

use std::cell::Cell;
use std::time::Duration;

use doubles::{House, event, in_paused_time, minute};
use tokio::time::timeout;

const CHUNK: u64 = 100;

/// A slow account's events, and after the first chunk as many of a quick one.
fn chunk(n: u64) -> Vec<cosmoguard::account::message::Routed> {
    let of = |account: &str| {
        let at = |i| event(account, n * CHUNK + i, minute((n * CHUNK + i) as i64));
        (0..CHUNK).map(at).collect::<Vec<_>>()
    };
    [of("slow"), of("quick")].concat()
}

#[test]
fn a_slow_account_holds_the_reader_back_at_two_chunks() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.script.shut("slow");
        let script = std::sync::Arc::clone(&house.script);
        let handed = Cell::new(0);
        {
            let router = &mut house.router;
            let feed = async {
                for n in 0..50 {
                    handed.set(n + 1);
                    router.route(chunk(n)).await.unwrap();
                }
                router.drain().await.unwrap();
            };
            let mut feed = std::pin::pin!(feed);
            // A day passes: nothing more is taken in than the two chunks.
            timeout(Duration::from_secs(86_400), &mut feed).await.expect_err("the gate is shut");
            assert_eq!(handed.get(), 2);
            timeout(Duration::from_secs(86_400), &mut feed).await.expect_err("the gate is shut");
            assert_eq!(handed.get(), 2);
            script.open();
            feed.await;
        }
        assert_eq!(handed.get(), 50);
        let all: Vec<u64> = (0..50 * CHUNK).collect();
        assert_eq!(house.numbers("slow").await, all);
        assert_eq!(house.numbers("quick").await, all);
        let findings = house.router.harvest().await.unwrap().findings;
        assert_eq!(findings.len() as u64, 2 * 50 * CHUNK);
        house.close();
    });
}

#[test]
fn a_slow_account_does_not_stop_its_neighbours_from_working() {
    in_paused_time(async {
        let mut house = House::new(2);
        house.script.shut("slow");
        house.script.watch("quick");
        let script = std::sync::Arc::clone(&house.script);
        house.router.route(chunk(0)).await.unwrap();
        let applied = std::sync::Arc::clone(&script);
        // The quick one answers while the slow one waits: the gate opens only once it has.
        let opener = std::thread::spawn(move || applied.open_after("quick", CHUNK));
        house.router.drain().await.unwrap();
        opener.join().unwrap();
        assert_eq!(house.numbers("slow").await.len() as u64, CHUNK);
        house.close();
    });
}
