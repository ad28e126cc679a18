use super::*;
use crate::alert::formats::{Format, write_line};
use crate::alert::testing::{alert, hostile};
use crate::detect::AlertKind;

fn line(alert: &crate::alert::Alert) -> String {
    let mut out = Vec::new();
    write_line(alert, Format::Defender, &mut out);
    String::from_utf8(out).unwrap()
}

fn page(kind: AlertKind, glyphs: Glyphs) -> String {
    let view = AlertView::read(&line(&alert(kind))).unwrap();
    render(&view, glyphs).iter().map(|l| l.text().trim_end().to_owned() + "\n").collect()
}

#[test]
fn a_volume_alert_is_told_in_the_accounts_own_numbers() {
    let expected = include_str!("../../../tests/fixtures/alerts/explain_volume.txt");
    assert_eq!(page(AlertKind::DataExfiltration, Glyphs::Unicode), expected);
}

#[test]
fn a_sweep_is_told_with_its_operations() {
    let expected = include_str!("../../../tests/fixtures/alerts/explain_sweep.txt");
    assert_eq!(page(AlertKind::MaliciousScript, Glyphs::Unicode), expected);
}

#[test]
fn every_kind_fits_the_page_and_says_its_parts() {
    for kind in AlertKind::ALL {
        for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
            let text = page(kind, glyphs);
            for part in
                ["\nrarity ", "\nwhy ", "\nbroke ", "\nheld ", "\nsilent ", "\nnext ", "\ndo "]
            {
                assert!(text.contains(part), "{kind:?} lacks {part} in {text}");
            }
            assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
            assert!(glyphs == Glyphs::Unicode || text.is_ascii(), "{text}");
            let ruled = matches!(kind, AlertKind::TorAnomaly | AlertKind::SuspiciousIp);
            assert_eq!(text.contains("daily "), !ruled, "a rule has no ruler: {text}");
        }
    }
}

#[test]
fn hostile_text_moves_no_cursor_and_breaks_no_column() {
    for kind in AlertKind::ALL {
        let view = AlertView::read(&line(&hostile(kind))).unwrap();
        for line in render(&view, Glyphs::Unicode) {
            let text = line.text();
            assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text}");
            assert!(text.chars().count() <= 100, "{text}");
        }
    }
    // A line that somebody else wrote.
    let forged = line(&alert(AlertKind::TorAnomaly)).replace("contoso-orders", "x\\u001b[2Jy");
    let view = AlertView::read(&forged).unwrap();
    assert!(render(&view, Glyphs::Ascii).iter().all(|l| !l.text().contains('\u{1b}')));
}

#[test]
fn the_ruler_has_one_mark_in_the_band_of_the_severity() {
    use crate::detect::Severity::{High, Low};
    let limits = [Some(1.0 / 30.0), Some(1.0 / 300.0), Some(1.0 / 3000.0)];
    for (days, before, after) in [
        (410.0, "Low", "Medium"),
        (31.0, "silent", "Low"),
        (299.0, "Low", "Medium"),
        (1e9, "High", ""),
    ] {
        let text = draw::Ruler::new(1.0 / days, limits, Low, High).line(Glyphs::Unicode).text();
        assert_eq!(text.matches('▲').count(), 1, "{text}");
        assert_eq!(text.matches('┼').count(), 3, "{text}");
        let (left, right) = text.split_once('▲').unwrap();
        assert!(left.contains(before) && right.contains(after), "{days}: {text}");
    }
    let text = draw::Ruler::new(0.0, [None; 3], Low, High).line(Glyphs::Ascii).text();
    assert!(text.contains("silent") && text.contains('^'), "{text}");
}

#[test]
fn hours_show_gaps_zero_and_extremes_apart() {
    let draw = |h: &[Option<f64>]| draw::hours(h, Glyphs::Unicode);
    assert_eq!(draw(&[Some(1.0), None, Some(0.0), Some(1e15)]), "▁· █");
    assert_eq!(draw(&[None, None]), "··");
    assert_eq!(draw(&[Some(5.0)]), "▁");
    assert_eq!(draw(&[]), "");
    assert_eq!(draw(&vec![Some(1.0); 72]).chars().count(), 24);
}

#[test]
fn alerts_are_found_by_the_beginning_of_their_id() {
    let first = alert(AlertKind::DataExfiltration);
    let mut raised = first.clone();
    raised.revision = 2;
    let other = alert(AlertKind::TorAnomaly);
    let lines = [line(&raised), line(&first), "not json".to_owned(), line(&other)];
    let all = || lines.iter().map(String::as_str);
    let id = first.id.to_string();
    for prefix in [&id[..4], &id.to_uppercase(), &id] {
        let Lookup::One(view) = find(all(), prefix) else { panic!("{prefix}") };
        assert_eq!((view.revision, view.id.as_str()), (2, id.as_str()));
    }
    assert!(matches!(find(all(), "zz"), Lookup::None));
    let Lookup::Several(ids) = find(all(), "") else { panic!("both") };
    assert_eq!(ids.len(), 2);
    let broken = r#"{"name":"ab12","properties":{}}"#;
    assert!(matches!(find([broken], "ab"), Lookup::Broken(ExplainError::Missing("severity"))));
}
