//! `ControlPlaneRequests`: what was changed on the account; who did it is not logged.
use crate::event::decoder::Context;
use crate::event::fields::{Field, Fields};
use crate::event::scalar::Scalar;
use crate::event::{ControlOperation, Diagnostics};

/// One operation. A status that is no number reads as 0: the operation's name still counts.
pub(super) fn decode(cx: &mut Context<'_>, fields: &Fields<'_>) -> ControlOperation {
    let name = fields.text(Field::OperationName);
    let status = match fields.get(Field::HttpStatusCode) {
        code if code.is_nothing() => fields.get(Field::StatusCode),
        code => code,
    };
    ControlOperation {
        operation: cx.tables.text(name),
        activity_id: fields.get(Field::ActivityId).guid(),
        status: cx.tolerated(status.status()).unwrap_or_default(),
        diagnostics: name.filter(|name| is_diagnostics(name)).map(|_| Diagnostics {
            query_text: switch(fields.get(Field::SqlQueryTextTraceType)),
            data_plane: switch(fields.get(Field::DataPlaneTrace)),
        }),
    }
}

/// `DiagnosticLogUpdateStart`, `DiagnosticLogUpdateComplete`.
fn is_diagnostics(operation: &str) -> bool {
    const NAME: &str = "DiagnosticLogUpdate";
    operation.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}

/// A switch: the field is called a type and documented as a bool, so both vocabularies are read.
fn switch(value: &Scalar<'_>) -> Option<bool> {
    value.bool().or_else(|| {
        let word = value.text()?.to_ascii_lowercase();
        match word.as_str() {
            "none" | "disabled" | "off" => Some(false),
            "full" | "enabled" | "on" | "fulltext" => Some(true),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_diagnostic_updates_say_something_about_logging() {
        assert!(is_diagnostics("DiagnosticLogUpdateStart"));
        assert!(is_diagnostics("diagnosticlogupdatecomplete"));
        assert!(!is_diagnostics("AccountUpdateStart"));
        assert!(!is_diagnostics("é"));
        assert_eq!(switch(&Scalar::Text("True".into())), Some(true));
        assert_eq!(switch(&Scalar::Text("None".into())), Some(false));
        assert_eq!(switch(&Scalar::Text("sometimes".into())), None);
    }
}
