"""The artifact store: content-addressed folders, pointers that are logs, leases, run records."""
