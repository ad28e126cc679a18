//! `cosmoguard token create|list|revoke`.
use anyhow::bail;

use super::Exit;
use super::args::{Token, TokenCreate, TokenList, TokenRevoke};
use super::style::{out, say, visible};
use super::table::{Align, Table};
use crate::server::tokens::{self, Role};
use crate::store::audit;
use crate::store::layout::DataDir;
use crate::time::{Clock, SystemClock};

/// Runs one of them.
pub fn run(command: &Token) -> anyhow::Result<Exit> {
    match command {
        Token::Create(args) => create(args),
        Token::List(args) => list(args),
        Token::Revoke(args) => revoke(args),
    }
}

fn create(args: &TokenCreate) -> anyhow::Result<Exit> {
    let Some(role) = Role::parse(&args.role) else { bail!("no role `{}`", args.role) };
    if !args.accounts.is_empty() && role == Role::Sender {
        bail!("a sender hands over records of any account; leave --accounts out");
    }
    let now = SystemClock::default().now();
    let expires = args.expires.map(|ms| now.plus_ms(ms));
    let place = &args.place.data_dir;
    let secret = tokens::create(place, &args.name, role, &args.accounts, (now, expires))?;
    let details = serde_json::json!({
        "name": args.name,
        "role": role.as_str(),
        "accounts": args.accounts,
        "expires": expires.map(|at| at.to_string()),
        "by": super::common::who(),
    });
    audit::append(&DataDir::new(place), now, "token create", details)?;
    out(&secret);
    let until = expires.map_or_else(|| "until it is revoked".to_owned(), |at| format!("to {at}"));
    say(&format!("{}, {}, good {until}; it is not shown again", args.name, role.as_str()));
    Ok(Exit::Done)
}

fn list(args: &TokenList) -> anyhow::Result<Exit> {
    let known = tokens::load(&args.place.data_dir)?;
    let Some(known) = known else {
        say("no token was ever made: on this machine everybody may ask");
        return Ok(Exit::Done);
    };
    let now = SystemClock::default().now();
    let mut table = Table::new(&[
        ("token", Align::Left),
        ("role", Align::Left),
        ("accounts", Align::Left),
        ("made", Align::Left),
        ("good until", Align::Left),
    ]);
    for token in &known {
        let accounts = token.accounts.patterns().join(", ");
        if args.json {
            let line = serde_json::json!({
                "name": token.name,
                "role": token.role,
                "accounts": token.accounts,
                "created": token.created,
                "expires": token.expires,
                "expired": token.is_expired(now),
            });
            out(&line.to_string());
            continue;
        }
        let until = token.expires.clone().unwrap_or_else(|| "revoked".to_owned());
        table.row(vec![
            visible(&token.name),
            token.role.as_str().to_owned(),
            if accounts.is_empty() { "all".to_owned() } else { visible(&accounts) },
            visible(&token.created),
            if token.is_expired(now) { format!("{until} (over)") } else { until },
        ]);
    }
    if !args.json {
        table.lines().iter().for_each(|line| out(line));
    }
    Ok(Exit::Done)
}

fn revoke(args: &TokenRevoke) -> anyhow::Result<Exit> {
    let place = &args.place.data_dir;
    if !tokens::revoke(place, &args.name)? {
        bail!("no token `{}`; `cosmoguard token list` lists all", visible(&args.name));
    }
    let details = serde_json::json!({"name": args.name, "by": super::common::who()});
    let now = SystemClock::default().now();
    audit::append(&DataDir::new(place), now, "token revoke", details)?;
    say(&format!("{} is taken back", visible(&args.name)));
    Ok(Exit::Done)
}
