"""Findings of the checks: how bad each one is, and the exit code that they add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from components.contract import ExitCode


class Severity(StrEnum):
    """The severity of a finding."""

    FINE = "fine"
    WARNING = "warning"  # works, or mends itself at the next run
    ERROR = "error"  # the next run fails, or what is published cannot be trusted


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check; one that is not fine says what to do."""

    check: str
    severity: Severity
    message: str
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE  # of the whole examination, if this is an error


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """Returns the exit code of an examination: that of its worst error, or 0.

    An unfit machine or configuration (78) is worse than data that cannot be trusted (65): it has to
    be mended first, before the data can be made again.

    >>> exit_code([untrusted("gaps", "A day is missing.", "Run it."), fine("disk", "9 GiB free.")])
    <ExitCode.BAD_DATA: 65>
    """
    codes = {finding.exit_code for finding in findings if finding.severity is Severity.ERROR}
    return max(codes, default=ExitCode.DONE)


def fine(check: str, message: str) -> Finding:
    """Returns the finding that nothing is wrong."""
    return Finding(check=check, severity=Severity.FINE, message=message)


def warning(check: str, message: str, advice: str) -> Finding:
    """Returns the finding of something that works, or mends itself at the next run."""
    return Finding(check=check, severity=Severity.WARNING, message=message, advice=advice)


def unfit(check: str, message: str, advice: str) -> Finding:
    """Returns the finding that the machine or the configuration must be mended: exit code 78."""
    return Finding(
        check=check,
        severity=Severity.ERROR,
        message=message,
        advice=advice,
        exit_code=ExitCode.BAD_CONFIGURATION,
    )


def untrusted(check: str, message: str, advice: str) -> Finding:
    """Returns the finding that data or artifacts cannot be trusted: exit code 65."""
    return Finding(
        check=check,
        severity=Severity.ERROR,
        message=message,
        advice=advice,
        exit_code=ExitCode.BAD_DATA,
    )
