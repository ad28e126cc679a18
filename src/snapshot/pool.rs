//! Work on several threads whose results come in the order of the jobs: jobs go round the workers,
//! and their results are fetched on the same round. Every channel is short, so a slow end slows the
//! other and nothing piles up.
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Jobs that wait before a worker, and results behind it.
const WAITING: usize = 8;

/// As many as the machine has cores.
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Hands a job on; false when nobody wants more.
pub type Give<'a, J> = &'a mut dyn FnMut(J) -> bool;

/// `produce` makes jobs, `work` turns each into a result on one of `threads` threads, `sink` takes
/// the results in order on a thread of its own. The sink's error ends everything and counts first.
///
/// # Errors
/// What sink or producer said.
pub fn ordered<J: Send, R: Send, E: Send>(
    threads: usize,
    produce: impl FnOnce(Give<'_, J>) -> Result<(), E>,
    work: impl Fn(J) -> R + Sync,
    sink: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E> {
    thread::scope(|scope| {
        let (mut jobs, mut results) = (Vec::new(), Vec::new());
        for _ in 0..threads.max(1) {
            let (job_in, job_out) = sync_channel::<J>(WAITING);
            let (result_in, result_out) = sync_channel::<R>(WAITING);
            let work = &work;
            scope.spawn(move || serve(&job_out, &result_in, work));
            jobs.push(job_in);
            results.push(result_out);
        }
        let sinking = scope.spawn(move || drain(&results, sink));
        let mut next = 0;
        let produced = produce(&mut |job| {
            let sent = jobs[next % jobs.len()].send(job).is_ok();
            next += 1;
            sent
        });
        drop(jobs);
        let sunk = sinking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        sunk.and(produced)
    })
}

fn serve<J, R>(jobs: &Receiver<J>, results: &SyncSender<R>, work: &impl Fn(J) -> R) {
    for job in jobs {
        if results.send(work(job)).is_err() {
            return;
        }
    }
}

fn drain<R, E>(results: &[Receiver<R>], mut sink: impl FnMut(R) -> Result<(), E>) -> Result<(), E> {
    // The worker whose turn it is has ended: then there was no further job.
    for worker in results.iter().cycle() {
        match worker.recv() {
            Ok(result) => sink(result)?,
            Err(_) => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(threads: usize, jobs: u64, fail_at: Option<u64>) -> (Result<(), u64>, Vec<u64>) {
        let mut seen = Vec::new();
        let produce = |give: Give<'_, u64>| {
            let _ = (0..jobs).all(give);
            Ok(())
        };
        let work = |job: u64| if job % 7 == 3 { job + (0..999).fold(0, |_, _| 0) } else { job };
        let done = ordered(threads, produce, work, |n| {
            seen.push(n);
            if Some(n) == fail_at { Err(n) } else { Ok(()) }
        });
        (done, seen)
    }

    #[test]
    fn results_come_in_order_and_an_error_ends_it() {
        for threads in [1, 2, 5] {
            for jobs in [0, 1, 4, 500] {
                let (done, seen) = count(threads, jobs, None);
                assert_eq!((done, seen), (Ok(()), (0..jobs).collect()));
            }
            assert_eq!(count(threads, 5000, Some(40)).0, Err(40));
        }
    }
}
