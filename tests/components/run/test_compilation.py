import os
from pathlib import Path

import pytest

from components.run import compilation
from components.store.artifacts import Store


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the process are those of other tests, too."""
    names = ("CACHE_DIR", "MIN_COMPILE_TIME_SECS", "MIN_ENTRY_SIZE_BYTES")
    for name in names:
        prefix = "JAX_COMPILATION_" if name == "CACHE_DIR" else "JAX_PERSISTENT_CACHE_"
        monkeypatch.setenv(prefix + name, "")
    monkeypatch.setitem(compilation.sys.modules, "jax", None)


def test_programs_are_kept_below_the_store_apart_by_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path))
    here = compilation.use_cache(store)
    assert here.is_relative_to(tmp_path)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(here)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
    monkeypatch.setattr(compilation, "_processor", lambda: "another")
    assert compilation.use_cache(store) != here


def test_a_folder_that_the_user_chose_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/chosen")
    assert compilation.use_cache(Store(str(tmp_path))) == Path("/chosen")
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "/chosen"


def test_a_bucket_has_its_programs_on_the_machine() -> None:
    assert compilation.use_cache(Store("memory://compiled")).is_absolute()


def test_the_same_processor_has_the_same_name() -> None:
    assert compilation._processor() == compilation._processor()
