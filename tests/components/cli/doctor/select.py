"""Parts of the findings of an examination."""

from components.cli.doctor.findings import Finding, Severity


def by_check(findings: list[Finding], check: str) -> list[Finding]:
    """The findings of one check."""
    return [finding for finding in findings if finding.check == check]


def complaints(findings: list[Finding]) -> list[Finding]:
    """The findings that are not fine."""
    return [finding for finding in findings if finding.severity is not Severity.FINE]
