"""The examination as a whole."""

from components.cli.doctor.examination import examine, examine_machine
from components.cli.doctor.findings import exit_code
from components.contract import ExitCode
from components.errors import BadConfigurationError
from components.settings.config import Config
from tests.components.cli.doctor.select import by_check, complaints

LAST = "2026-01-03"


def test_a_fresh_deployment_is_fit(config: Config) -> None:
    findings = examine(config)
    assert exit_code(findings) == ExitCode.DONE
    assert {"python", "libraries", "memory", "source", "store", "live"} <= {
        finding.check for finding in findings
    }


def test_a_healthy_store_has_nothing_to_complain_about(three_days) -> None:
    findings = examine(three_days.config, deep=True)
    # Its models are trained for a moment, which is told.
    assert {each.check for each in complaints(findings)} == {"settings"}
    assert "Release and feeds of 2026-01-03 are live" in by_check(findings, "live")[0].message


def test_every_complaint_says_what_to_do(world) -> None:
    world.store.storage.remove(f"train_ranker/{LAST}")
    (world.artifact("ingest_events", LAST).folder / "manifest.json").write_text("{}")
    unfit = [each for each in complaints(examine(world.config)) if each.check != "settings"]
    assert len(unfit) == 2
    assert all(finding.advice for finding in unfit)


def test_a_damaged_pointer_is_an_error_that_names_the_file(world) -> None:
    world.store.storage.replace(f"pointers/heads/export_corpus/{LAST}/00000001.json", b"{")
    findings = examine(world.config)
    assert exit_code(findings) == ExitCode.BAD_DATA
    (finding,) = by_check(findings, "pointers")
    assert f"export_corpus/{LAST}/00000001.json" in finding.message


def test_without_a_configuration_the_machine_is_examined_all_the_same() -> None:
    findings = examine_machine(BadConfigurationError("none.yaml: cannot be read"))
    assert {finding.check for finding in findings} == {
        "python",
        "libraries",
        "memory",
        "configuration",
    }
    assert exit_code(findings) == ExitCode.BAD_CONFIGURATION
    assert by_check(findings, "configuration")[0].message == "none.yaml: cannot be read"
