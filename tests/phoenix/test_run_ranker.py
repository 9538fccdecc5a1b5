"""The ranking demonstration shows every candidate and every action."""

import pytest

from phoenix import run_ranker
from phoenix.runners import ACTIONS


def test_the_demonstration_ranks_every_candidate(capsys: pytest.CaptureFixture[str]) -> None:
    run_ranker.main()
    lines = capsys.readouterr().out.splitlines()
    ranks = [line for line in lines if line.startswith("Rank ")]
    assert len(ranks) == run_ranker.NUM_CANDIDATES
    assert len(lines) == 1 + len(ranks) * (2 + len(ACTIONS))
    probabilities = [
        float(line.split()[-1].rstrip("%")) for line in lines if line.startswith("  favorite")
    ]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(set(probabilities)) > 1
    bars = [line.split()[-2] for line in lines if line.startswith("  ")]
    assert {len(bar) for bar in bars} == {run_ranker.BAR_WIDTH}
