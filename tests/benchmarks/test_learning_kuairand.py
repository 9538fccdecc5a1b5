"""The benchmark on the real log says what it misses."""

import pytest

from benchmarks import learning_kuairand


def test_a_log_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE", str(tmp_path))
    with pytest.raises(SystemExit, match=f"learning_kuairand: expected log_.* in {tmp_path}"):
        next(learning_kuairand.results())
