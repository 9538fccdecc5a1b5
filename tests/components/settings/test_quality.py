import pytest
from pydantic import ValidationError

from components.settings.quality import BaselineConfig, SeveritiesConfig


@pytest.mark.parametrize("name", SeveritiesConfig.model_fields)
def test_every_check_can_have_every_severity_and_no_other(name: str) -> None:
    for severity in ("critical", "warning", "info", "ignore"):
        section = SeveritiesConfig.model_validate({name: severity})
        assert section.model_dump()[name] == severity
    with pytest.raises(ValidationError, match=name):
        SeveritiesConfig.model_validate({name: "fatal"})


def test_only_a_broken_contract_and_a_day_without_actions_fail_by_default() -> None:
    severities = SeveritiesConfig().model_dump()
    assert [name for name, level in severities.items() if level == "critical"] == [
        "contract",
        "any_action",
    ]


def test_a_false_alarm_is_never_certain_nor_excluded() -> None:
    for rate in (0.0, 0.5):
        with pytest.raises(ValidationError, match="false_alarm_rate"):
            BaselineConfig(false_alarm_rate=rate)
