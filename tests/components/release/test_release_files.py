import pytest

from components.release import release_files as files

LAST = "2026-01-03"


@pytest.mark.parametrize(
    ("step", "names"),
    [
        ("train_retrieval", [files.CURVE_FILE]),
        ("train_ranker", [files.CURVE_FILE]),
        (
            "evaluate_models",
            [
                files.METRICS_FILE,
                files.DECISION_FILE,
            ],
        ),
        ("publish_release", [files.RELEASE_FILE, files.DECISION_FILE, files.CORPUS_FOLDER]),
    ],
)
def test_every_step_writes_its_files_under_these_names(
    step: str, names: list[str], three_days
) -> None:
    folder = three_days.artifact(step, LAST).folder
    assert [name for name in names if not (folder / name).exists()] == []
