//! What a person must look at: the values of the label `reason` of `casewright_alarms_total`. What each
//! means is told in the README.

/// Every reason there is.
pub const REASONS: [&str; 20] = [
    "refused",
    "too_old",
    "several_cases",
    "held",
    "never_proved",
    "hopeless",
    "unprepared",
    "vendor_denied",
    "vendor_failing",
    "vendor_gone",
    "target_denied",
    "target_failing",
    "catalog",
    "not_offered",
    "watch",
    "waits_for_us",
    "closed_while_firing",
    "lease_lost",
    "store",
    "store_damaged",
];
