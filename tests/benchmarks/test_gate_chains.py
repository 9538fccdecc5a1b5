"""Chains of the gate are drawn from the values of a recorded day, and judged by the real rule."""

import datetime

import numpy as np
import pytest

from benchmarks import gate_chains
from benchmarks.gate_chains import Chain


def test_the_differences_of_a_recorded_day_are_of_its_users_alone(tmp_path) -> None:
    """On the first day post 1 is liked, yesterday post 2: the user of today likes post 1."""
    rows = [(1, 1, 20220503, 1), (1, 2, 20220503, 0)] * 30 + [(1, 1, 20220504, 0)] * 20
    rows += [(1, 2, 20220504, 1)] * 20 + [(7, 1, 20220505, 1), (7, 2, 20220505, 0)]
    lines = ["user_id,video_id,date,long_view", *(",".join(map(str, row)) for row in rows)]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(lines) + "\n")
    own, mixed = gate_chains.recorded_differences(log, datetime.date(2022, 5, 5))
    assert own.tolist() == pytest.approx([1 - 1 / np.log2(3)])
    assert len(mixed) == 1


def test_without_the_log_it_is_said_where_it_was_expected(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SOURCE", str(tmp_path))
    message = f"gate_chains: expected log_standard_.* in {tmp_path}, .* by SOURCE=DIR"
    with pytest.raises(SystemExit, match=message):
        next(gate_chains.results())


def test_the_larger_the_effect_the_more_chains_are_promoted() -> None:
    differences = np.random.default_rng(0).normal(0.1, 0.2, (1, 300))
    shares = [
        gate_chains.promoted_share(differences, Chain(100, 5, effect), num_chains=40)
        for effect in (-1.0, 2.0, 5.0)
    ]
    assert shares[0] <= 0.05 < shares[1] <= shares[2] == 1
    equal = Chain(100, 5, exchanges=True)
    assert gate_chains.promoted_share(differences, equal, num_chains=40) <= 0.1


def test_a_recipe_with_two_forms_is_promoted_in_either() -> None:
    good, nothing = np.random.default_rng(0).normal(0, 0.2, 300), np.zeros(300)
    chain = Chain(100, 5, effect=4.0)
    for forms in ((good, nothing), (nothing, good)):
        differences = np.stack(forms)
        assert gate_chains.promoted_share(differences, chain, num_chains=10) == 1


def test_the_curve_is_drawn(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(gate_chains, "_SIZES", (60,))
    differences = np.random.default_rng(0).normal(0.1, 0.2, (1, 100))
    gate_chains.draw(differences, tmp_path / "curve.svg", num_chains=2)
    assert "60 users a day" in (tmp_path / "curve.svg").read_text()
