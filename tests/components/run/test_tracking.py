"""MLflow hears of a run and changes nothing."""

import sys
import time
from contextlib import nullcontext

import pytest

from components.errors import BadConfigurationError
from components.run import tracking
from components.settings.training import TrackingSection


def test_nothing_is_tracked_unless_asked_for() -> None:
    with tracking.tracked(None, name="run", parameters={}) as tracker:
        assert tracker is None


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's use of SQLAlchemy
def test_a_run_is_tracked_with_parameters_curve_and_files(
    tmp_path, monkeypatch, require_extra
) -> None:
    require_extra("tracking", "mlflow")
    import mlflow

    monkeypatch.chdir(tmp_path)  # Where MLflow puts artifacts of a local database.
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    section = TrackingSection(uri=uri, experiment="test")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "curve.json").write_text("[]")
    parameters = {"model": {"emb_size": 8}, "epochs": 2}
    for code in (0, 1):
        with (
            pytest.raises(ZeroDivisionError) if code else nullcontext(),
            tracking.tracked(section, name=f"run {code}", parameters=parameters) as tracker,
        ):
            assert tracker is not None
            tracker.log_point({"step": 3, "loss": 0.5, "validation_loss": 0.6, "epoch": 1})
            tracker.log_curve(tmp_path / "files" / "curve.json", "train_ranker of a day")
            1 / (1 - code)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("test")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name: run.info.status for run in runs} == {
        "run 0": "FINISHED",
        "run 1": "FAILED",
    }
    data = runs[0].data
    assert data.params == {"model.emb_size": "8", "epochs": "2"}
    assert data.metrics == {"train_loss": 0.5, "val_loss": 0.6, "epoch": 1}
    files = client.list_artifacts(runs[0].info.run_id)
    assert [file.path for file in files] == ["curve.json", "curve.svg"]


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's use of SQLAlchemy
def test_names_that_mlflow_does_not_take_are_told_in_its_letters(
    tmp_path, monkeypatch, require_extra
) -> None:
    require_extra("tracking", "mlflow")
    import mlflow

    monkeypatch.chdir(tmp_path)
    section = TrackingSection(uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="Tëst: 1/2 ☃")
    with tracking.tracked(section, name="run: ü/☃", parameters={"a!b": 1}) as tracker:
        assert tracker is not None
        tracker.log_point({"step": 1, "auc/like!": 0.5})
    client = mlflow.MlflowClient(section.uri)
    experiment = client.get_experiment_by_name(section.experiment)
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.data.metrics, run.data.params) == ({"auc/like_": 0.5}, {"a_b": "1"})


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/mlflow.db", "htp://x"])
def test_a_run_goes_on_where_nobody_listens_and_says_so_once(
    uri: str, tmp_path, monkeypatch, require_extra, caplog
) -> None:
    require_extra("tracking", "mlflow")
    # MLflow by itself would ask again for minutes, or for an hour where it is a database.
    monkeypatch.setattr(tracking, "_PATIENCE_SECONDS", 1.0)
    (tmp_path / "curve.json").write_text("[]")
    with tracking.tracked(TrackingSection(uri=uri), name="run", parameters={}) as tracker:
        assert tracker is not None
        begun = time.monotonic()  # MLflow is imported.
        tracker.log_point({"step": 1, "loss": 0.5})
        tracker.log_curve(tmp_path / "curve.json", "train_ranker of a day")
    assert time.monotonic() - begun < 30
    (said,) = [record for record in caplog.records if record.name == "components.run.tracking"]
    assert f"MLflow at {uri} does not take this run, which goes on untracked" in said.getMessage()


def test_a_missing_mlflow_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with (
        pytest.raises(BadConfigurationError, match="install the extra `tracking`"),
        tracking.tracked(TrackingSection(uri="x"), name="run", parameters={}),
    ):
        pass
