"""The base of every section, and the types of values that several sections have."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from components.settings.section import FilePath, PathPattern, Section, StoreAddress


class Places(Section):
    """A section with a path of every type."""

    file: FilePath | None = None
    pattern: PathPattern = "*.csv"
    store: StoreAddress = "store"


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    raw = {"file": "../a.txt", "pattern": "logs/{day}/*.csv", "store": "sub/store"}
    places = Places.model_validate(raw, context={"folder": tmp_path})
    assert places.file == tmp_path.parent / "a.txt"
    assert places.pattern == f"{tmp_path}/logs/{{day}}/*.csv"
    assert places.store == f"{tmp_path}/sub/store"


def test_absolute_paths_and_addresses_stay_as_they_are(tmp_path: Path) -> None:
    raw = {"file": "/srv/a.txt", "store": "s3://bucket/store"}
    places = Places.model_validate(raw, context={"folder": tmp_path})
    assert (places.file, places.store) == (Path("/srv/a.txt"), "s3://bucket/store")


def test_without_a_folder_paths_stay_as_they_are() -> None:
    places = Places.model_validate({"file": "a.txt", "pattern": "b/*.csv"})
    assert (places.file, places.pattern) == (Path("a.txt"), "b/*.csv")


@pytest.mark.parametrize("name", ["file", "pattern", "store"])
def test_a_zero_byte_is_refused_in_the_same_words_with_and_without_a_folder(
    tmp_path: Path, name: str
) -> None:
    for context in (None, {"folder": tmp_path}):
        with pytest.raises(ValidationError, match="a zero byte can be in no path"):
            Places.model_validate({name: "a\0b"}, context=context)


def test_a_section_is_immutable_and_ignores_nothing() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Places().file = Path("a")
    with pytest.raises(ValidationError, match="Extra inputs"):
        Places.model_validate({"fiel": "a.txt"})
