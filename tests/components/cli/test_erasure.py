from components.cli import erasure
from components.contract import ExitCode
from components.settings.loading import load

LISTED = "ingest_events: {source: {layout: kuairand, path: source}, erased_users: forget.txt}\n"


def test_rows_are_counted_apart_in_what_is_current_and_in_old_versions(deployment, row) -> None:
    rows = [row(n, user_id=100 + n) for n in range(5)]
    deployment.log([*rows, row(7, user_id=103)])
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    (deployment.root / "forget.txt").write_text("103\n")
    deployment.configure(LISTED)
    config = load(deployment.root / "phoenix.yaml")
    report = erasure.report(deployment.store, config)
    assert (report["forgotten"], report["days_to_run_again"]) == (1, ["2026-01-02"])
    assert (report["rows_in_current_artifacts"], report["rows_in_old_artifacts"]) == (2, 0)
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    report = erasure.report(deployment.store, config)
    assert (report["rows_in_current_artifacts"], report["rows_in_old_artifacts"]) == (0, 2)
    assert report["days_to_run_again"] == []
    assert {trace["is_current"] for trace in report["traces"]} == {False}
