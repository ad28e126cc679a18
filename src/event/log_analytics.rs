//! Rows of Log Analytics tables: the same content, flat, under a table's name.
//!
//! `CDB*` tables have one column a property; `AzureDiagnostics` rows carry the property names
//! with a type suffix (`_s`, `_g`, `_d`, `_b`, `_t`), which the field table folds; and
//! `AzureActivity` rows hold identity and claims as JSON strings.
use crate::event::Category;
use crate::event::fields::{Field, Fields};

/// Cosmos DB's category of that name, in any case.
pub(super) fn category_named(name: &str) -> Option<Category> {
    Category::ALL
        .into_iter()
        .filter(|category| *category != Category::Activity)
        .find(|category| category.as_str().eq_ignore_ascii_case(name))
}

/// The category that a table holds: `CDBDataPlaneRequests5M` holds `DataPlaneRequests5M`.
pub(super) fn category_of_table(table: &str) -> Option<Category> {
    let (prefix, rest) = table.split_at_checked(3)?;
    if prefix.eq_ignore_ascii_case("CDB") { category_named(rest) } else { None }
}

/// Whether the record is a row of a table rather than a record of the stream. In rows `TenantId`
/// is the workspace, not the Entra tenant.
pub(super) fn is_row(fields: &Fields<'_>) -> bool {
    !fields.get(Field::TableType).is_nothing() || !fields.get(Field::TimeGenerated).is_nothing()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_categories_are_matched_in_any_case() {
        for category in Category::ALL {
            let expected = (category != Category::Activity).then_some(category);
            assert_eq!(category_named(&category.as_str().to_uppercase()), expected);
            assert_eq!(category_of_table(&format!("CDB{}", category.as_str())), expected);
        }
        for other in ["AzureActivity", "AzureDiagnostics", "CDB", "", "é"] {
            assert_eq!(category_of_table(other), None, "{other}");
        }
    }
}
