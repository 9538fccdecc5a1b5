"""Every row's place: account, rules, quarantine, repairs, late rows."""
