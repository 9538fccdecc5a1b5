"""Run the data steps of an earlier day again, because rows arrived for it.

Started by the asset `late_rows`, one run per day for which `phoenix_data` found late rows. The day
gets a new version of its events and features, which every later training and history reads. What
was trained, released and served for the day stays as it was: to make that anew as well, start
`phoenix_data` for the day.
"""

from pathlib import Path

from airflow.sdk import DAG, PartitionedAssetTimetable

from components import contract
from wiring.steps import DEFAULTS, LATE_ROWS, SETTINGS, form, task

with DAG(
    dag_id=Path(__file__).stem,
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=LATE_ROWS),
    start_date=SETTINGS.first_day,
    catchup=False,
    max_active_runs=1,  # days in order: histories of a day read the ones before
    default_args=DEFAULTS,
    params=form(),
    tags=["phoenix"],
):
    ingest = task(contract.INGEST_EVENTS)  # which has nothing to do where the source is as it was
    validate = task(contract.VALIDATE_EVENTS)
    features = task(contract.BUILD_FEATURES)

    ingest >> validate >> features
