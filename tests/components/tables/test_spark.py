"""The session of Spark, a real one with two threads where pyspark and Java are there."""

import subprocess
import sys
import warnings

import pytest

from components.errors import BadConfigurationError
from components.settings.steps import EngineConfig
from components.tables import spark

SPARK = EngineConfig(name="spark", spark_master="local[2]")

pytestmark = pytest.mark.filterwarnings("ignore")  # of Spark's own Python


def test_without_pyspark_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py4j.protocol", None)
    with pytest.raises(BadConfigurationError, match=r"pip install 'phoenix-pipeline\[spark\]'"):
        spark.session(SPARK)


def test_what_spark_says_of_pandas_on_every_run_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "py4j.protocol", None)  # it is said before Spark starts
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(BadConfigurationError):
            spark.session(SPARK)
        warnings.warn("PySpark does not yet fully support pandas >= 3.", FutureWarning, 2)
        warnings.warn("Something else.", FutureWarning, 2)
    assert [str(each.message) for each in told] == ["Something else."]


def test_spark_has_the_properties_that_are_configured(require_spark: None) -> None:
    name = "spark.sql.adaptive.coalescePartitions.minPartitionSize"
    config = SPARK.model_copy(update={"spark_options": {name: "2MB"}})
    assert spark.session(config).conf.get(name) == "2MB"
    assert spark.session(SPARK).conf.get("spark.sql.session.timeZone") == "UTC"


@pytest.mark.parametrize("master", ["nonsense", "spark://127.0.0.1", "local[x]"])
def test_a_master_that_is_none_is_refused_in_one_line(require_spark: None, master: str) -> None:
    # In a process of its own: the session of this one is there already.
    code = (
        "from components.tables import spark; from components.settings.steps import EngineConfig\n"
        "from components.errors import BadConfigurationError\n"
        f"try: spark.session(EngineConfig(name='spark', spark_master={master!r}))\n"
        "except BadConfigurationError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    (line,) = run.stdout.splitlines()
    assert line.startswith(f"`engine.spark_master`: Spark cannot be started at '{master}': ")
