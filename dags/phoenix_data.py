"""Turn one UTC day of the engagement log into features.

Runs every midnight for the day that has just ended, and is the only DAG to backfill: its asset
`features` starts `phoenix_release` for the same day, which in turn starts `phoenix_feeds`. Started
by hand, it takes the day from the field Partition Key or from the form, and the rest follows. Where
rows arrived for earlier days, on this day or in files of their own, the asset `late_rows` starts
`phoenix_late` for these.
"""

from pathlib import Path

from airflow.sdk import DAG, CronPartitionTimetable

from components import contract
from wiring.late import LateDays
from wiring.steps import DEFAULTS, FEATURES, KEY_FORMAT, LATE_ROWS, SETTINGS, form, task

with DAG(
    dag_id=Path(__file__).stem,
    doc_md=__doc__,
    schedule=CronPartitionTimetable(
        "0 0 * * *", timezone="UTC", run_offset=-1, key_format=KEY_FORMAT
    ),
    start_date=SETTINGS.first_day,
    end_date=SETTINGS.last_day,
    catchup=False,
    max_active_runs=1,  # days in order: a day needs the one before
    default_args=DEFAULTS,
    params=form(),
    tags=["phoenix"],
):
    ingest = task(contract.INGEST_EVENTS)
    validate = task(contract.VALIDATE_EVENTS)
    features = task(contract.BUILD_FEATURES, outlets=[FEATURES])
    late = LateDays(
        task_id="late_rows",
        after=[contract.INGEST_EVENTS.name, contract.VALIDATE_EVENTS.name],
        outlets=[LATE_ROWS],
    )

    ingest >> validate >> features >> late
