import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix.data.actions import UnknownActions
from phoenix.data.days import DAY_MS
from phoenix.data.engagement.counts import Ids, Outcomes, Tally
from phoenix.data.engagement.rates import Rates
from phoenix.data.windows import Engagement, Windows, concatenate, gathered, unpack_actions

N, S, C = 3, 4, 2


def windows(seed: int = 0, *, history: int = S) -> Windows:
    generator = np.random.default_rng(seed)

    def some(*shape: int, dtype: type = np.int64) -> np.ndarray:
        return generator.integers(1, 100, shape).astype(dtype)

    return Windows(
        user_ids=some(N),
        starts_at=some(N),
        user_hashes=some(N, 2, dtype=np.int32),
        user_attributes=some(N, 2, dtype=np.float32),
        history_post_ids=some(N, history),
        history_author_ids=some(N, history),
        history_post_hashes=some(N, history, 2, dtype=np.int32),
        history_author_hashes=some(N, history, 2, dtype=np.int32),
        history_shown_at=some(N, history),
        history_actions=some(N, history, dtype=np.uint64),
        history_surfaces=some(N, history, dtype=np.int32),
        history_dwell_seconds=some(N, history, dtype=np.float32),
        history_created_at=some(N, history),
        history_attributes=some(N, history, 3, dtype=np.float32),
        candidate_post_ids=some(N, C),
        candidate_author_ids=some(N, C),
        candidate_post_hashes=some(N, C, 2, dtype=np.int32),
        candidate_author_hashes=some(N, C, 2, dtype=np.int32),
        candidate_shown_at=some(N, C),
        candidate_surfaces=some(N, C, dtype=np.int32),
        candidate_created_at=some(N, C),
        candidate_attributes=some(N, C, 3, dtype=np.float32),
        labels=some(N, C, dtype=np.uint64),
        label_dwell_seconds=some(N, C, dtype=np.float32),
    )


def equal(left: Windows, right: Windows) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@given(bits=st.lists(st.integers(0, 2**64 - 1), max_size=5), num_actions=st.integers(1, 64))
def test_unpacked_actions_are_the_bits(bits: list[int], num_actions: int) -> None:
    unpacked = unpack_actions(np.array(bits, np.uint64), num_actions)
    expected = [[float(word >> action & 1) for action in range(num_actions)] for word in bits]
    assert unpacked.dtype == np.float32
    assert unpacked.tolist() == expected


def test_rows_taken_apart_and_put_together_are_the_same() -> None:
    whole = windows()
    parts = [whole.rows(slice(0, 1)), whole.rows(np.array([1, 2]))]
    assert equal(concatenate(parts), whole)


def test_rows_come_in_the_order_of_the_index() -> None:
    whole = windows()
    turned = whole.rows(np.array([2, 0]))
    assert turned.user_ids.tolist() == whole.user_ids[[2, 0]].tolist()


def test_windows_of_other_shapes_are_not_put_together() -> None:
    with pytest.raises(ValueError, match="dimension"):
        concatenate([windows(), windows(history=S + 1)])


def test_a_candidate_is_real_unless_its_id_is_padding() -> None:
    some = windows()
    some.candidate_post_ids[1, 1] = 0
    assert some.candidate_mask.tolist() == [[True, True], [True, False], [True, True]]


def test_a_cut_history_leaves_what_is_known_of_candidates_alone() -> None:
    whole = windows()
    cut = whole.with_history(2)
    for name, array in whole._asdict().items():
        if array is None:
            continue
        expected = array[:, :2] if name.startswith("history_") else array
        assert np.array_equal(getattr(cut, name), expected), name


def test_an_unknown_action_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"\['clap'\]; the action list is \['like', 'hide'\]"):
        Engagement.of(["like", "hide"], ["clap", "like"])


def test_any_action_makes_a_positive_where_none_is_named() -> None:
    assert Engagement.of(["like", "hide"], []).positive == 0b11
    assert Engagement.of(["like", "hide"], ["hide"]).positive == 0b10
    assert Engagement.of(["like", "hide"], [], ["hide"]) == (0b01, 0b10)


def test_parts_that_come_one_at_a_time_are_put_together_and_dropped() -> None:
    whole = windows()
    weighted = whole.rows(slice(1, 2)).with_fields({"label_weights"})
    pieces = [whole.rows(slice(0, 1)), weighted, whole.rows(slice(2, 3))]
    earlier: list[weakref.ref[np.ndarray]] = []

    def parts() -> Iterator[Windows]:
        for piece in pieces:
            assert all(each() is None for each in earlier)
            part = piece.of_arrays(np.copy)
            earlier.append(weakref.ref(part.history_post_ids))
            yield part
            del part

    assert equal(gathered(parts(), N), concatenate(pieces))
    with pytest.raises(ValueError, match="`history_post_ids`: expected"):
        gathered(iter([whole, windows(history=1)]), 2 * N)


def test_what_one_part_does_not_say_is_the_default_of_the_whole() -> None:
    unknown = np.full((N, C), 3, np.uint64)
    whole = concatenate([windows(), windows()._replace(label_unknown_actions=unknown)])
    assert whole.label_unknown_actions is not None
    assert whole.label_unknown_actions.tolist() == [[0] * C] * N + [[3] * C] * N
    assert whole.history_unknown_actions is None


def test_only_what_is_known_of_a_real_candidate_is_a_label() -> None:
    plain = windows()
    posts = plain.candidate_post_ids.copy()
    posts[0, 1] = 0  # padding
    some = plain._replace(
        candidate_post_ids=posts, label_unknown_actions=np.full((N, C), 2, np.uint64)
    )
    assert some.is_labelled(3).tolist() == [[True, False, True]] * (N * C - 1)
    assert plain.is_labelled(2).all()


def test_what_nobody_could_know_on_a_day_is_unknown_of_all_that_was_shown_on_it() -> None:
    shown_at = np.full((N, C), 3 * DAY_MS)
    unknown = UnknownActions.of({3: np.uint64(2)}, always=4)
    masked = windows()._replace(candidate_shown_at=shown_at).with_unknown(unknown)
    assert masked.label_unknown_actions is not None
    assert (masked.label_unknown_actions == 6).all()
    assert masked.history_unknown_actions is not None
    assert (masked.history_unknown_actions == 4).all()


def test_evidence_of_candidates_is_of_their_ids_and_padding_has_none() -> None:
    plain = windows()
    posts = plain.candidate_post_ids.copy()
    posts[0, 1] = 0  # padding
    users = np.broadcast_to(plain.user_ids[:, None], posts.shape)
    ids = Ids(users, posts, plain.candidate_author_ids, plain.candidate_surfaces)
    tally, zeros = Tally(2), np.zeros(N, np.uint64)
    tally.add(Ids(*(each[:, 0] for each in ids)), Outcomes(zeros + np.uint64(1), zeros, np.ones(N)))
    rates = Rates.of(tally.counts())
    told = plain._replace(candidate_post_ids=posts).with_evidence(rates)
    assert told.candidate_log_odds is not None
    assert told.candidate_log_counts is not None
    assert not told.candidate_log_odds[0, 1].any()
    assert not told.candidate_log_counts[0, 1].any()
    expected = rates.evidence(ids)
    np.testing.assert_array_equal(told.candidate_log_odds[1:], expected.log_odds[1:])
    np.testing.assert_array_equal(told.rows(slice(1, 2)).candidate_log_counts[0], expected[1][1])
