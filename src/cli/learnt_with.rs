//! The settings and lists that a state was learnt with, beside those that are given to build a model
//! of it again.
use anyhow::bail;

use super::about;
use super::common::Lists;
use super::style::{say, visible};
use crate::config::Resolved;
use crate::store::StateStore;
use crate::store::run_log::{self, Run};
use crate::time::Timestamp;

const LATENESS: &str = "profile.time.lateness_minutes";
/// Differences named.
const SHOWN: usize = 6;

/// A setting that differs: key, what it was learnt with, what is given now.
type Difference = (String, String, String);

/// Compares `resolved` and `lists` with those of the last run that taught `store`. Another lateness
/// is refused: a model closes its minutes by it, and one that is built with another is another
/// model from the first hour on. All else is warned of.
///
/// # Errors
/// The lateness differs; a list cannot be read; the store failed.
pub fn check(
    store: &dyn StateStore,
    resolved: &Resolved,
    lists: &Lists,
    now: Timestamp,
) -> anyhow::Result<()> {
    let Some((_, run)) = run_log::all(store)?.pop() else { return Ok(()) };
    let mut differences = settings(&run.config, resolved);
    if let Some((_, learnt, given)) = differences.iter().find(|(key, ..)| key == LATENESS) {
        bail!(
            "this state was learnt with {learnt} minutes of lateness, and the model would be built with {given}: give --lateness {learnt}m; nothing was changed"
        );
    }
    differences.extend(lists_that_differ(&run, resolved, lists, now)?);
    for (key, learnt, given) in differences.iter().take(SHOWN) {
        say(&format!(
            "warning: {} is {} now, and was {} when this state was learnt: the model will be another one for that alone",
            visible(key),
            visible(given),
            visible(learnt)
        ));
    }
    if differences.len() > SHOWN {
        say(&format!("warning: {} more settings differ", differences.len() - SHOWN));
    }
    Ok(())
}

/// Settings of which a model depends. A run of another build may not have had all of them.
fn settings(learnt: &str, resolved: &Resolved) -> Vec<Difference> {
    let Ok(learnt) = learnt.parse::<toml::Table>() else { return Vec::new() };
    let matters = |key: &str| key.starts_with("profile.") || key.starts_with("intel.trusted_");
    let given = resolved.values.iter().filter(|(key, ..)| matters(key));
    let differs = given.filter_map(|(key, value, _)| {
        let was = at(&learnt, key)?.to_string();
        (was != *value).then(|| (key.clone(), was, value.clone()))
    });
    differs.collect()
}

fn at<'a>(table: &'a toml::Table, key: &str) -> Option<&'a toml::Value> {
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let value = table.get(first.trim_matches('"'))?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

/// Lists are told by their bytes, whatever they are called.
fn lists_that_differ(
    run: &Run,
    resolved: &Resolved,
    lists: &Lists,
    now: Timestamp,
) -> anyhow::Result<Option<Difference>> {
    let given = about::about(resolved, &lists.files(), now)?.intel;
    let mut now: Vec<&str> = given.iter().map(|list| list.sha256.as_str()).collect();
    let mut then: Vec<&str> = run.lists.iter().map(|(_, sum)| sum.as_str()).collect();
    now.sort_unstable();
    then.sort_unstable();
    let named = |names: Vec<&str>| names.join(", ");
    let same = now == then;
    Ok((!same).then(|| {
        let then = named(run.lists.iter().map(|(name, _)| name.as_str()).collect());
        let now = named(given.iter().map(|list| list.name.as_str()).collect());
        ("the set of lists".to_owned(), then, now)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn what_a_model_depends_on_is_compared_and_nothing_else() {
        let mut resolved = config::resolve(None, &[]).unwrap();
        let learnt = super::super::check_config::lines(&resolved, false).join("\n");
        assert_eq!(settings(&learnt, &resolved), []);
        resolved.set_lateness(45);
        for (key, value, _) in &mut resolved.values {
            if key == "replay.threads" || key == "profile.location.half_life_days" {
                "7".clone_into(value);
            }
        }
        let said = |key: &str, learnt: &str, given: &str| {
            (key.to_owned(), learnt.to_owned(), given.to_owned())
        };
        assert_eq!(
            settings(&learnt, &resolved),
            [said("profile.location.half_life_days", "90.0", "7"), said(LATENESS, "15", "45"),]
        );
        assert_eq!(settings("of another time", &resolved), []);
    }
}
