//! What a person sees. Text for people on standard error, data on standard output; exit codes 0
//! done, 1 failed, 2 wrong use, 3 finished but some records were refused.
mod about;
pub mod args;
mod audit_log;
mod by_hand;
mod check_config;
mod common;
mod confirm;
mod decide;
mod diff;
mod evidence;
mod explain;
mod feeds;
mod intel;
mod learnt_with;
mod model;
mod progress;
mod query;
mod rebuild;
mod recovery;
mod replay;
mod report;
mod sample_alerts;
mod scheduled;
mod serve;
mod shapes;
mod signals;
mod simulate;
mod sink;
mod snapshot;
mod style;
mod summary;
mod suppress;
mod table;
mod token;
mod verdict;
mod why_not;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, Intel, Model};
use style::{Role, Ui, say};

/// Ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Wrong use.
    Usage,
    /// Finished, but some records were refused.
    SomeRefused,
}

/// Parses the command line, runs it, and says how it ended.
pub fn main() -> ExitCode {
    init_logging();
    signals::outlive_file_size_limit();
    let cli = Cli::parse();
    let ui = Ui::stderr(cli.color);
    match run(cli) {
        Ok(_) if style::output_failed() => ExitCode::FAILURE,
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Usage) => ExitCode::from(2),
        Ok(Exit::SomeRefused) => ExitCode::from(3),
        Err(error) => {
            say(&format!(
                "{} {}",
                ui.paint(Role::High, "error:"),
                style::visible(&format!("{error:#}"))
            ));
            if error.is::<crate::config::ConfigError>() {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let color = cli.color;
    match cli.command {
        Command::Replay(args) => replay::run(args, color),
        Command::Model(Model::List(args)) => model::list(&args),
        Command::Model(Model::Show(args)) => model::show(&args),
        Command::Model(Model::Coverage(args)) => model::coverage(&args),
        Command::Model(Model::Forget(args)) => rebuild::forget(&args, color),
        Command::Explain(args) => explain::run(&args, color),
        Command::WhyNot(args) => why_not::run(&args),
        Command::Intel(Intel::Status(args)) => intel::status(&args),
        Command::Intel(Intel::Update(args)) => feeds::update(&args),
        Command::Intel(Intel::Add(args)) => feeds::add(&args),
        Command::Intel(Intel::Remove(args)) => feeds::remove(&args),
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Simulate(args) => simulate::run(&args, color),
        Command::Snapshot(command) => snapshot::run(&command, color),
        Command::Serve(args) => serve::run(&args, color),
        Command::Evidence(args) => evidence::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Evaluate(_) => Ok(later("evaluate")),
        Command::Backtest(_) => Ok(later("backtest")),
        Command::SampleAlerts(args) => sample_alerts::run(&args),
        Command::Sink(command) => sink::run(&command),
        Command::Audit(command) => audit_log::run(&command),
        Command::Suppress(command) => suppress::run(&command),
        Command::Expect(command) => decide::expect(&command),
        Command::Trust(command) => decide::trust(&command),
        Command::Verdict(args) => verdict::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Token(command) => token::run(&command),
    }
}

fn later(name: &str) -> Exit {
    say(&format!(
        "error: `{name}` comes in a later version; `cosmoguard --help` lists what this one does"
    ));
    Exit::Usage
}

/// Log lines go to standard error, warnings and up unless `COSMOGUARD_LOG` says otherwise. The
/// database's own are left out: what it meets is told in our words. So are those of requests that are
/// no HTTP: whoever sends them would write the log.
fn init_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("COSMOGUARD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,sled=off,actix_http=off"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    // A subscriber that is there already (a test's) stays.
    let _ = subscriber.try_init();
}
