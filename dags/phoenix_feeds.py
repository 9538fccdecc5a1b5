"""Make a ranked feed for every user of the day, check the feeds, and put them live.

Started by the asset `release`, for the same day. The first task measures what the feeds that were
live on the day before earned, of which all labels of this day are known by now. The last task
moves the pointer `live`, so that models, posts and feeds change together, and only forwards.
"""

from pathlib import Path

from airflow.sdk import DAG, PartitionedAssetTimetable

from components import contract
from wiring.steps import DEFAULTS, FEEDS, RELEASE, SETTINGS, form, mapped_task, shards, task

with DAG(
    dag_id=Path(__file__).stem,
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=RELEASE),
    start_date=SETTINGS.first_day,
    catchup=False,
    max_active_runs=1,  # days in order: the pointer `live` only moves forwards
    default_args=DEFAULTS,
    params=form(),
    tags=["phoenix"],
):
    measure = task(contract.MEASURE_FEEDS)
    # A measure goes back before feeds go live, where it is asked to; one that fails stops no feed.
    materialize = mapped_task(
        contract.MATERIALIZE_FEEDS, over=shards(SETTINGS.num_shards), trigger_rule="all_done"
    )
    publish = task(contract.PUBLISH_FEEDS, num_shards=SETTINGS.num_shards, outlets=[FEEDS])

    measure >> materialize >> publish
