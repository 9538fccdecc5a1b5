"""The retrieval demonstration shows the best posts of every user."""

import pytest

from phoenix import run_retrieval


def test_the_demonstration_shows_ten_posts_per_user(capsys: pytest.CaptureFixture[str]) -> None:
    run_retrieval.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == run_retrieval.NUM_USERS * (2 + run_retrieval.TOP_K)
    scores = [float(line.split()[-1]) for line in lines[2 : 2 + run_retrieval.TOP_K]]
    assert scores == sorted(scores, reverse=True)
