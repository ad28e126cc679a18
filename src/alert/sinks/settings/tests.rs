use super::*;

fn read(text: &str) -> Result<SinkSettings, String> {
    let table: toml::Table = text.parse().unwrap();
    SinkSettings::try_from(table)
}

#[test]
fn a_sink_reads_with_defaults() {
    let sink = read(
        r#"name = "soc"
        kind = "webhook"
        url = "https://soc.example/in"
        secret = "env:SOC_KEY""#,
    )
    .unwrap();
    assert_eq!((sink.kind(), sink.place().as_str()), ("webhook", "https://soc.example"));
    assert_eq!((sink.common.max_tries, sink.digest(), sink.groups()), (2000, true, false));
}

#[test]
fn what_cannot_work_is_refused_in_words() {
    for (text, why) in [
        ("name=\"a\"\nkind=\"webhook\"\nurl=\"http://x.example\"", "https://"),
        ("name=\"a\"\nkind=\"webhook\"\nurl=\"https://u:p@x.example\"", "password"),
        ("name=\"a\"\nkind=\"slack\"\nurl=\"https://hooks.example/x\"", "env:NAME"),
        ("name=\"A b\"\nkind=\"file\"\npath=\"x\"", "a-z"),
        ("name=\"a\"\nkind=\"file\"\npath=\"x\"\nformat=\"xml\"", "one of"),
        ("name=\"a\"\nkind=\"file\"\npath=\"x\"\ncolour=\"x\"", "colour"),
        ("name=\"a\"\nkind=\"pigeon\"", "pigeon"),
        ("name=\"a\"\nkind=\"syslog\"\naddress=\"x\"\ntransport=\"tcp\"", "host:port"),
        ("name=\"a\"\nkind=\"file\"\npath=\"x\"\nmax_tries=0", "max_tries"),
        (
            "name=\"a\"\nkind=\"log-analytics\"\nendpoint=\"https://x\"\nrule_id=\"dcr-1\"\nstream=\"Custom-A\"",
            "client_secret",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(why) && error.contains("sink `"), "{text}: {error}");
        assert!(!error.contains("u:p@"), "{error}");
    }
}

#[test]
fn rules_name_sinks_that_are_there() {
    let sink = read("name=\"a\"\nkind=\"file\"\npath=\"x\"").unwrap();
    let rule = |name: &str| Rule { sinks: vec![name.to_owned()], ..Rule::default() };
    let routes = |rule| Routes { rules: vec![rule], ..Routes::default() };
    assert_eq!(check(std::slice::from_ref(&sink), &routes(rule("a"))), Ok(()));
    assert!(check(std::slice::from_ref(&sink), &routes(rule("b"))).is_err());
    assert!(check(&[sink.clone(), sink], &Routes::default()).is_err());
    assert!(check(&[], &routes(Rule::default())).is_err());
}
