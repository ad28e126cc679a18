use super::*;
use crate::tenant::tests::lived_in;

#[test]
fn a_tenant_comes_back_with_its_open_minutes_and_directories() {
    let (model, directory) = lived_in();
    assert!(!model.open.is_empty() && !model.late.is_empty());
    assert_eq!(TenantModel::try_from(TenantV1::from(&model)), Ok(model));
    let stored = DirectoryV1::from(&directory);
    assert_eq!(PrincipalDirectory::try_from(stored), Ok(directory));
}

#[test]
fn broken_tenants_are_refused() {
    let (model, _) = lived_in();
    let breakages: [fn(&mut TenantV1); 5] = [
        |v| v.principals[0].sums[0] = f64::INFINITY,
        |v| v.principals[0].principal_type = 0,
        |v| v.principals[0].accounts.reverse(),
        |v| v.open[0].codes[1] = 77,
        |v| v.scopes[0].1.exposure_days = -1.0,
    ];
    for (number, breakage) in breakages.into_iter().enumerate() {
        let mut broken = TenantV1::from(&model);
        breakage(&mut broken);
        let is_short = number == 2 && broken.principals[0].accounts.len() < 2;
        assert!(TenantModel::try_from(broken).is_err() || is_short, "{number}");
    }
}
