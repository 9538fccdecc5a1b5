"""The Spark session of a process, where the configuration asks for Spark."""

# pyright: reportMissingImports=false
# (pyspark is an extra)

import warnings
from typing import TYPE_CHECKING

from components.errors import BadConfigurationError
from components.settings.steps import EngineConfig

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.maxResultSize": "0",  # a day comes back whole, and the default is 1 GB
}


def session(engine: EngineConfig) -> "SparkSession":
    """Returns the session of this process, started when first asked for.

    Args:
      engine: Its `spark_master` is the address of the cluster, or `local[N]` for N threads of this
        machine.

    Raises:
      BadConfigurationError: If pyspark or Java is missing, or no Spark answers there.
    """
    # It is told on every run, and rows go to Spark and back as Arrow tables.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise BadConfigurationError(
            "`engine.name: spark` needs the extra `spark`: pip install "
            "'phoenix-pipeline[spark]', in a checkout `make setup EXTRAS=airflow,sinks,spark,dev`."
        ) from error
    master, settings = engine.spark_master, dict(_SETTINGS)
    if master.startswith("local"):
        settings["spark.sql.shuffle.partitions"] = "4"  # not the 200 of a cluster
    builder = SparkSession.builder.appName("phoenix").master(master)
    # The configuration comes last, so that it may overrule each of ours.
    for name, value in (settings | engine.spark_options).items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        # What Java says begins with where it was called from; a trace of its stack follows.
        reason = " ".join(str(error).splitlines()[:2]).rstrip(".")
        raise BadConfigurationError(
            f"`engine.spark_master`: Spark cannot be started at {master!r}: {reason}. It needs "
            "Java 17 or later, `local[N]` or a cluster that answers, and properties it knows."
        ) from error
