import pytest
from pydantic import ValidationError

from components.settings.serve import ServeConfig


def test_only_this_machine_is_answered_by_default() -> None:
    assert ServeConfig().host == "127.0.0.1"


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(port) -> None:
    with pytest.raises(ValidationError, match="port"):
        ServeConfig(port=port)


def test_the_file_of_the_token_starts_at_the_folder_of_the_configuration(tmp_path) -> None:
    found = ServeConfig.model_validate({"token_file": "token"}, context={"folder": tmp_path})
    assert found.token_file == tmp_path / "token"
