"""Python, libraries and memory of the machine."""

import importlib.metadata
import os
import sys

import pytest

from components.cli.doctor import machine
from components.cli.doctor.findings import Severity
from tests.components.cli.doctor.select import by_check, complaints


def test_the_machine_of_the_tests_is_fit() -> None:
    findings = list(machine.machine_findings())
    assert [finding.check for finding in findings] == ["python", "libraries", "memory"]
    assert [f for f in complaints(findings) if f.severity is Severity.ERROR] == []


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (4, 0)])
def test_a_python_of_another_age_is_an_error(version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    (finding,) = by_check(list(machine.machine_findings()), "python")
    assert finding.severity is Severity.ERROR
    assert f"Python {version[0]}.{version[1]} is not supported, expected 3.11 to 3.13." == (
        finding.message
    )


def test_a_library_that_is_missing_or_old_is_an_error_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs = ["numpy>=99", "no-such-library>=1", "packaging", 'mlflow>=3; extra == "tracking"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs)
    findings = by_check(list(machine.machine_findings()), "libraries")
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.ERROR]
    assert findings[0].message.endswith("is installed, expected numpy>=99.")
    assert findings[1].message == "no-such-library is missing, expected no-such-library>=1."


def test_without_a_package_nothing_says_which_libraries_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "DISTRIBUTION", "no-such-distribution")
    (finding,) = by_check(list(machine.machine_findings()), "libraries")
    assert finding.severity is Severity.WARNING


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**19}.get)
    (finding,) = by_check(list(machine.machine_findings()), "memory")
    assert (finding.severity, finding.message[:8]) == (Severity.WARNING, "2.0 GiB ")
