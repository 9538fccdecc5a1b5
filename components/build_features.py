"""Cuts a day into windows, each with the history strictly before it.

Reads the state that the day before left and the accepted events of the day. Writes the windows and
the log to which they refer, which is the state that the next day starts from; where ids are text,
the texts of the users in it.
"""

import sys
from collections.abc import Sequence

import numpy as np

from components import contract, step
from components.erasure import forgotten
from components.features import (
    day_windows,
    known_values,
    later_labels,
    log_actions,
    partitions,
    shapes,
    statistics,
    windows_files,
)
from components.features import state as feature_state
from components.features.day_counts import SINCE, DayCounts, EarlierCounts
from components.features.day_windows import DayFiles
from components.features.impression_facts import ImpressionFacts
from components.features.log_actions import LogActions
from components.features.state import State
from components.features.windows_files import FeaturesWriter
from components.rows import account
from components.rows.row_texts import RowTexts
from components.run.context import Context, Outcome
from components.tables import action_lists
from components.tables.data_files import ACCEPTED_FILE
from phoenix.data import attributes, sorted_ids


def run(context: Context) -> Outcome:
    """Writes the windows of the day.

    Raises:
      BadDataError: If the accepted events of the day are missing, or the days before it are, or
        their account is wrong.
    """
    config, attribute_config = context.config.build_features, context.config.attributes
    state = feature_state.initial_state(context)
    earlier_counts = EarlierCounts.of(context, state.erased)
    accepted = context.read(contract.VALIDATE_EVENTS.name, context.day)
    account.check_validated(accepted)
    actions = log_actions.of_events({accepted.ref.partition: accepted.manifest}, context)
    recipe = {
        "build_features": config.model_dump(),
        "feature_users": context.config.baseline.feature_users,
        **action_lists.recipe(context.config),
        "attributes": attributes.digest(attribute_config.attributes),
    }
    shape = shapes.shape_metadata(config, attribute_config)
    inputs = list(dict.fromkeys([*state.inputs, *earlier_counts.refs]))
    with context.write(
        inputs=[*inputs, accepted.ref], config=recipe | forgotten.recipe(context.config)
    ) as draft:
        # Block by block of users, so that memory does not grow with the day.
        counts = dict.fromkeys(("windows", "impressions", "users", "state_users", "state_rows"), 0)
        histograms, users = [], [np.empty(0, np.int64)]
        facts = ImpressionFacts(
            {context.day: accepted.folder}, attribute_config, gap_minutes=config.gap_minutes
        )
        label_files = later_labels.files_of(accepted)
        day_files = DayFiles(accepted.paths(ACCEPTED_FILE), label_files, actions)
        day_counts = DayCounts(
            context, actions, has_late_rows=bool(accepted.facts.get("arrived_late"))
        )
        writer = FeaturesWriter(
            draft.folder,
            shape | later_labels.metadata(config),
            has_weights=state.has_weights or windows_files.have_weights(day_files.events),
            num_buckets=context.config.user_buckets,
        )
        with writer:
            for block in day_windows.day_blocks(state, day_files, config, facts):
                writer.write(block)
                day_counts.add(block)
                histograms.append(statistics.of_block(block, context.config))
                counts["windows"] += len(block.window_ids)
                counts["impressions"] += int((block.window_of_row >= 0).sum())
                counts["users"] += len(sorted_ids.distinct(block.refs.user_ids))
                users.append(sorted_ids.distinct(block.log.user_ids))
                counts["state_users"] += len(users[-1])
                counts["state_rows"] += len(block.log.user_ids)
        day_counts.close(earlier_counts, draft.folder)
        known_values.carry(accepted.folder, draft.folder, forgotten.erased_ids(context.config))
        texts = RowTexts.of(context.store, [*state.inputs, accepted.ref]).read("user_id")
        if len(texts.ids):
            texts.only(np.concatenate(users)).write(draft.folder)
        path = draft.folder / statistics.FEATURES_FILE
        statistics.write(path, statistics.merge(histograms))
        draft.facts |= {
            **counts,
            "started_from": [ref.partition for ref in state.inputs],
            "is_replayed": state.is_replayed,
            SINCE: earlier_counts.since,
            # By day, so that a later day sees whether events of it were accepted anew.
            "accepted": {**state.accepted, accepted.ref.partition: accepted.ref.digest},
            # Of a day that was run again some impressions arrived after it.
            "has_late_rows": bool(accepted.facts.get("arrived_late")),
            "reach": feature_state.reach(config, attribute_config.post_attributes),
            "shape": shape,
            "attributes": attributes.declaration(attribute_config.attributes),
            "actions": action_lists.to_json(context.config),
            action_lists.UNKNOWN: _unknown_actions(state, actions, context),
        }
    return Outcome(context.written_artifact())


def _unknown_actions(state: State, actions: LogActions, context: Context) -> dict[str, list[str]]:
    """Returns by day the actions that nobody could know, of all days that the log may hold."""
    config = context.config
    unknown = actions.unknown_by_day([context.day], config)
    if state.actions is None:
        return unknown
    days = partitions.days_before(config, context.day, config.build_features.history_days)
    return state.actions.unknown_by_day(days, config) | unknown


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.BUILD_FEATURES, run, argv)


if __name__ == "__main__":
    sys.exit(main())
