import pytest

from components import contract
from components.store import formats
from components.store.formats import UnknownFormatError


def test_every_kind_of_artifact_has_a_format() -> None:
    assert formats.ARTIFACTS.keys() == contract.STEPS.keys()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_format_up_to_the_newest_is_read(version: int) -> None:
    formats.check("a", version, newest=3)


@pytest.mark.parametrize("version", [-1, 0, 4, 1.5, "1", None, [1]])
def test_another_format_is_refused_with_those_that_are_read(version: object) -> None:
    with pytest.raises(UnknownFormatError) as caught:
        formats.check("train_ranker of 2026-01-03", version, newest=3)
    assert str(caught.value).startswith(f"train_ranker of 2026-01-03 has format {version}, but")
    assert "formats 1 to 3" in str(caught.value)
