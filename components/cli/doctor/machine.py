"""Checks that need no configuration: Python, the libraries, memory."""

import importlib.metadata
import os
import sys
from collections.abc import Iterator

from packaging.requirements import Requirement

from components.cli.doctor.findings import Finding, fine, unfit, warning

DISTRIBUTION = "phoenix-pipeline"
PYTHON = ((3, 11), (3, 14))  # from, and below
GIB = 2**30
_MIN_MEMORY_BYTES = 4 * GIB


def machine_findings() -> Iterator[Finding]:
    """Checks Python, the libraries and the memory of this machine."""
    yield _python_finding()
    yield from _library_findings()
    yield _memory_finding()


def _python_finding() -> Finding:
    version = sys.version_info[:2]
    supported = f"{PYTHON[0][0]}.{PYTHON[0][1]} to {PYTHON[1][0]}.{PYTHON[1][1] - 1}"
    if PYTHON[0] <= version < PYTHON[1]:
        return fine("python", f"Python {version[0]}.{version[1]}.")
    return unfit(
        "python",
        f"Python {version[0]}.{version[1]} is not supported, expected {supported}.",
        "Run `make setup` with a supported Python.",
    )


def _library_findings() -> Iterator[Finding]:
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield warning(
            "libraries",
            f"{DISTRIBUTION} is not installed as a package: nothing says which versions it needs.",
            "Fine in an image that was built from the lock; otherwise run `make setup`.",
        )
        return
    requirements = [Requirement(line) for line in lines]
    # Without extras: an image without Airflow, MLflow or sinks is a fit machine, too.
    base = [
        item for item in requirements if item.marker is None or item.marker.evaluate({"extra": ""})
    ]
    problems = [problem for item in base if (problem := _library_problem(item))]
    for problem in problems:
        yield unfit("libraries", problem, "Run `make setup`: it installs what the lock says.")
    if not problems:
        yield fine("libraries", f"{len(base)} libraries in the versions that were asked for.")


def _library_problem(requirement: Requirement) -> str | None:
    """Returns the sentence about a library that is missing or of another version, else None."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is missing, expected {requirement.name}{requirement.specifier}."
    # Whoever installed a prerelease chose to: it counts by its number like any other version.
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return (
        f"{requirement.name} {version} is installed, expected "
        f"{requirement.name}{requirement.specifier}."
    )


def _memory_finding() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total >= _MIN_MEMORY_BYTES:
        return fine("memory", f"{total / GIB:.0f} GiB of memory.")
    return warning(
        "memory",
        f"{total / GIB:.1f} GiB of memory; training and validation together want "
        f"{_MIN_MEMORY_BYTES / GIB:.0f}.",
        "Lower `batch_size` and the table sizes, or take a larger machine.",
    )
