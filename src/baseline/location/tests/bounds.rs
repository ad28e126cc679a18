//! Bounds, idle time and what is contributed.
use super::*;

#[test]
fn ten_thousand_networks_stay_inside_the_bound_and_spare_what_is_used_daily() {
    let mut account = Account::new();
    account.days(20, &[home()]);
    for chunk in 0..500_u32 {
        let callers: Vec<(Who, u64)> = (0..20)
            .map(|i| {
                let asn = 1_000_000 + chunk * 20 + i;
                let ip = format!("62.{}.{}.{i}", chunk / 250, chunk % 250);
                (who(&ip, AddressClass::Residential, "NL", asn), 1)
            })
            .collect();
        account.minute(i64::from(chunk), &callers);
        if chunk % 50 == 49 {
            account.minute(800 + i64::from(chunk), &[(home(), 1)]);
            account.end_day();
        }
    }
    assert!(account.baseline.sizes()[1] <= NETWORKS_MAX);
    let bytes = account.baseline.heap_bytes();
    assert!(bytes < 48 << 10, "{bytes}");
    assert_eq!(account.days(1, &[home()]), []);
}

#[test]
fn gaps_and_idle_days_are_no_exposure() {
    let mut account = Account::new();
    account.days(10, &[home()]);
    let exposure = |a: &Account| a.baseline.exposure.value(Timestamp::of_day(a.day), 90.0);
    let before = exposure(&account);
    account.day += 1;
    account.baseline.close_day(account.day - 1, false, &account.profile);
    assert!(exposure(&account) < before);
    assert_eq!(
        account.baseline.maturity(Timestamp::of_day(account.day), &account.profile).state,
        MaturityState::Provisional
    );
    account.days(5, &[home()]);
    assert_eq!(
        account.baseline.maturity(Timestamp::of_day(account.day), &account.profile).state,
        MaturityState::Mature
    );
}

#[test]
fn a_contribution_carries_rates_and_countries() {
    let mut account = Account::new();
    account.days(20, &[home(), azure("NL")]);
    let given = account.end_day().unwrap();
    assert!(given.exposure_days > 18.0);
    assert_eq!(given.country_shares.len(), 1);
    assert!((given.country_shares[0].1 - 0.5).abs() < 0.01);
}
