"""The optional inputs are read where a model asks for them, and only there."""

import dataclasses

import numpy as np

from phoenix.data.attributes import Attribute
from phoenix.data.engagement.rates import Rates
from phoenix.data.windows import unpack_actions
from phoenix.inputs.batch import RecsysBatch
from phoenix.inputs.model_inputs import model_inputs, to_batch
from tests.phoenix.planted import ACTIONS, RANKER, world

WINDOWS = world(10).windows
REQUIRED = RecsysBatch._fields[:8]

COUNTED = WINDOWS.with_evidence(Rates.none(len(ACTIONS)))


def test_a_public_model_reads_no_optional_input():
    inputs = model_inputs(WINDOWS, ACTIONS, RANKER)
    for field, array in inputs._asdict().items():
        assert (array is not None) == (field in REQUIRED), field
    np.testing.assert_array_equal(
        inputs.history_actions, unpack_actions(WINDOWS.history_actions, 2)
    )


def test_each_option_adds_its_inputs_and_changes_no_other():
    plain = to_batch(WINDOWS, len(ACTIONS))._asdict()
    user, post = (Attribute(name=side, side=side, kind="raw") for side in ("user", "post"))
    cases = {
        "has_dwell": (True, {"history_dwell_seconds"}),
        "has_post_age": (True, {"history_post_age_minutes", "candidate_post_age_minutes"}),
        "attributes": ((user, post), {f"{x}_attributes" for x in ("user", "history", "candidate")}),
        "has_counts": (True, {"candidate_log_odds", "candidate_log_counts"}),
    }
    for option, (value, fields) in cases.items():
        config = dataclasses.replace(RANKER, **{option: value})
        inputs = model_inputs(COUNTED, ACTIONS, config)._asdict()
        assert {field for field in inputs if inputs[field] is not None} == {*REQUIRED, *fields}
        for field in REQUIRED:
            np.testing.assert_array_equal(inputs[field], plain[field])


def test_ages_are_those_at_the_impressions_and_read_where_the_model_asks():
    minute = 60_000
    windows = WINDOWS._replace(
        history_shown_at=np.full_like(WINDOWS.history_shown_at, 500 * minute),
        history_created_at=np.full_like(WINDOWS.history_created_at, 440 * minute),
        candidate_created_at=WINDOWS.candidate_shown_at * 0 + np.array([0, 4, 12, 1] * 2),
    )
    assert model_inputs(windows, ACTIONS, RANKER).history_post_age_minutes is None
    aged = dataclasses.replace(RANKER, has_post_age=True)
    inputs = model_inputs(windows, ACTIONS, aged)
    assert np.unique(inputs.history_post_age_minutes).tolist() == [60.0]
    ages = np.float32([np.nan, 6 / minute, -2 / minute, 9 / minute] * 2)  # shown at 10
    np.testing.assert_array_equal(
        inputs.candidate_post_age_minutes, np.broadcast_to(ages, windows.candidate_post_ids.shape)
    )


def test_an_action_that_nobody_can_know_is_a_half():
    unknown = np.full_like(WINDOWS.history_actions, 2)
    inputs = model_inputs(WINDOWS._replace(history_unknown_actions=unknown), ACTIONS, RANKER)
    plain = model_inputs(WINDOWS, ACTIONS, RANKER)
    assert inputs.history_actions.dtype == plain.history_actions.dtype
    np.testing.assert_array_equal(inputs.history_actions[..., 0], plain.history_actions[..., 0])
    assert (inputs.history_actions[..., 1] == 0.5).all()
