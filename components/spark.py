"""The Spark session of a process, where the configuration asks for Spark."""

# pyright: reportMissingImports=false
# (pyspark is an extra)

from typing import TYPE_CHECKING

from components.errors import BadConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def session(master: str) -> "SparkSession":
    """Returns the session of this process, started when first asked for.

    Args:
      master: Address of the cluster, or `local[N]` for N threads of this machine.

    Raises:
      BadConfigurationError: If pyspark or Java is missing, or no Spark answers there.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise BadConfigurationError(
            "`engine.name: spark` needs the extra `spark`: pip install "
            "'phoenix-pipeline[spark]', in a checkout `make setup EXTRAS=airflow,sinks,spark,dev`."
        ) from error
    builder = SparkSession.builder.appName("phoenix").master(master)
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    if master.startswith("local"):
        builder = builder.config("spark.sql.shuffle.partitions", "4")  # not the 200 of a cluster
    try:
        return builder.getOrCreate()
    except (PySparkRuntimeError, OSError) as error:
        raise BadConfigurationError(
            f"Spark cannot be started at {master!r}: {error}. It needs Java 17 or later."
        ) from error
