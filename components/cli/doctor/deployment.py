"""Checks of a configuration against what it names: source, training, its Airflow."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from components.cli.doctor.findings import Finding, fine, unfit, untrusted, warning
from components.errors import BadConfigurationError, BadDataError
from components.local.airflow import LocalAirflow
from components.local.deployment import Deployment
from components.profiling import preview as previews
from components.profiling.preview import Preview
from components.release import releases
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import layouts

_NUM_SAMPLE_ROWS = 1_000


def deployment_findings(config: Config, folder: Path | None) -> Iterator[Finding]:
    """Checks everything that the configuration names, but for the store and the sinks.

    Args:
      config: The deployment to examine.
      folder: The folder of its configuration, where its own Airflow is if it has one; None to
        leave Airflow out.
    """
    yield from _source_findings(config)
    yield from _training_findings(config)
    if folder:
        yield from _airflow_findings(folder)


def _source_findings(config: Config) -> Iterator[Finding]:
    source = config.ingest_events.source
    if isinstance(source, SyntheticSource):
        yield fine("source", "The source is there: the synthetic world.")
        return
    try:
        layout = layouts.layout(source, config)
    except BadConfigurationError as error:
        yield unfit(
            "source",
            str(error),
            "Mend the path in the configuration; it is relative to the configuration's folder.",
        )
        return
    yield fine("source", f"The source is there: {len(layout.event_files)} event files.")
    try:
        preview = previews.preview(layout, num_rows=_NUM_SAMPLE_ROWS)
    except BadDataError as error:
        yield untrusted("source", str(error), "Mend the file, or the columns in the configuration.")
        return
    yield _sample_finding(preview, config)


def _sample_finding(preview: Preview, config: Config) -> Finding:
    """Judges the first rows of the newest file as the day will be judged."""
    limit = config.validate_events.max_quarantined_share
    share = preview.num_rejected / max(preview.num_rows, 1)
    if not preview.num_rejected:
        return fine("source", f"Its first {preview.num_rows:,} rows can be read.")
    _, _, example = preview.reasons[0]
    message = (
        f"Of its first {preview.num_rows:,} rows {share:.1%} cannot be read, the first because: "
        f"{example}."
    )
    advice = "Mend the mapping of the source in the configuration, or the file."
    if share > limit:
        return untrusted("source", message, advice)
    return warning("source", message, advice)


def _training_findings(config: Config) -> Iterator[Finding]:
    """Asks now what the trainer would refuse in a night."""
    if importlib.util.find_spec("jax") is None:
        return  # `machine` tells of the missing library, and nothing can be trained here
    # With JAX, which the other findings do without.
    from components.training import check as training_check

    for role in releases.ROLES:
        try:
            training_check.check(config, role)
            yield fine("training", f"The {role} can be trained here as configured.")
        except BadConfigurationError as error:
            yield unfit(
                "training",
                str(error),
                "Mend the setting in the configuration. If it names devices of another machine, "
                "ask there.",
            )


def _airflow_findings(folder: Path) -> Iterator[Finding]:
    """Checks the deployment's own Airflow, if it was ever started."""
    airflow = LocalAirflow(Deployment(folder))
    home = airflow.deployment.home
    if not home.exists():
        return
    if importlib.util.find_spec("airflow") is None:
        yield unfit("airflow", "Airflow is not installed here.", "Run `make setup`.")
    elif airflow.is_running:
        yield fine("airflow", f"Airflow runs at {airflow.url}.")
    elif airflow.deployment.state_file.exists():
        yield warning(
            "airflow",
            "Airflow was started, and not all of its processes live.",
            f"`phoenix down` clears up; its logs are in {home / 'logs'}.",
        )
    else:
        yield fine("airflow", "Airflow is not running; `phoenix up` starts it.")
