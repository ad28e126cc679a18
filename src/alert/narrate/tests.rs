use super::*;
use crate::alert::testing::{alert, alert_of, finding, time};
use crate::profile::{Profile, SeverityProfile};
use crate::severity::grade;

fn reason(kind: AlertKind) -> String {
    severity_reason(&alert(kind))
}

#[test]
fn print_all() {
    for kind in AlertKind::ALL {
        let a = alert(kind);
        println!(
            "{}\nO {}\nE {}\nS {}\n",
            description(&a),
            observed(&a),
            expected(&a),
            silent_unless(&a)
        );
    }
}
