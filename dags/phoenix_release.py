"""Train on the days before, judge on this day, and bind what is best into one release.

Started by the asset `features`, for the same day, one day at a time. Models are promoted only when
they beat the champion; otherwise the champion goes on with the day's posts. The form can force the
gate (with a reason), retrain or not, and ask for a person's approval. Rejected means that
`publish_release` fails with the note of who rejected, and the day before stays live: start this DAG
again for the day, with `force` set to keep, to go on without.
"""

from pathlib import Path

from airflow.sdk import DAG, Param, PartitionedAssetTimetable

from components import contract
from wiring.approval import CHOICES, FORM, Approval
from wiring.steps import DAY, DEFAULTS, FEATURES, RELEASE, SETTINGS, form, option_param, task

RETRAIN = "{{ params.retrain }}"
FORCE = "{{ params.force or '' }}"
REASON = "{{ params.reason or '' }}"
ANSWER = {
    name: f"{{{{ (ti.xcom_pull(task_ids='approval') or {{}}).get('{name}', '') }}}}"
    for name in ("answer", "answered_by", "note")
}

with DAG(
    dag_id=Path(__file__).stem,
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=FEATURES),
    start_date=SETTINGS.first_day,
    catchup=False,
    max_active_runs=1,  # days in order: a day starts from the champion of the one before
    default_args=DEFAULTS,
    params=form(
        retrain=option_param(contract.TRAIN_RANKER, "retrain", section="Training"),
        force=option_param(contract.EVALUATE_MODELS, "force", section="Gate"),
        reason=option_param(
            contract.EVALUATE_MODELS, "reason", section="Gate", minLength=10, maxLength=500
        ),
        approval=Param(
            "configured",
            type="string",
            enum=list(CHOICES),
            title="Approval",
            description="When a person must approve: as the deployment says, or otherwise.",
            section="Gate",
        ),
    ),
    tags=["phoenix"],
):
    retrieval = task(contract.TRAIN_RETRIEVAL, retrain=RETRAIN)
    ranker = task(contract.TRAIN_RANKER, retrain=RETRAIN)
    evaluate = task(contract.EVALUATE_MODELS, force=FORCE, reason=REASON)
    approval = Approval(
        task_id="approval",
        configured=SETTINGS.approval,
        day=DAY,
        params=FORM,
        subject="Release the models of {{ partition_key or params.day }}?",
        execution_timeout=None,  # a person may take as long as it takes
    )
    corpus = task(contract.EXPORT_CORPUS)
    publish = task(contract.PUBLISH_RELEASE, outlets=[RELEASE], **ANSWER)

    [retrieval, ranker] >> evaluate >> corpus >> approval >> publish
