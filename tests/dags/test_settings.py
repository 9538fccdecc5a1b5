"""The section [phoenix] of Airflow's configuration."""

import datetime
import re

import pytest

from wiring import settings
from wiring.settings import Mount


@pytest.fixture
def setting(monkeypatch):
    return lambda name, value: monkeypatch.setenv(f"AIRFLOW__PHOENIX__{name.upper()}", value)


def test_without_settings_steps_are_processes_tried_three_times():
    found = settings.load()
    assert (found.runner, found.retries, found.num_shards, found.last_day) == (
        "process",
        2,
        1,
        None,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("runner", "podman"),
        ("approval", "sometimes"),
        ("num_shards", "0"),
        ("num_shards", "many"),
        ("retry_delay_seconds", "-1"),
        ("retry_delay_seconds", "nan"),
        ("user", "0"),
        ("first_day", "yesterday"),
        ("mounts", "/data"),
        ("mounts", "/data=relative"),
        ("mounts", "/data=/data=rx"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_value(setting, name, value):
    setting(name, value)
    with pytest.raises(ValueError, match=rf"{name}.*{value}"):
        settings.load()


def test_mounts_and_days_are_read(setting):
    setting("mounts", "/srv/store=/store, /srv/log=/log=ro")
    setting("last_day", "2022-05-04")
    found = settings.load()
    assert found.mounts == (Mount("/srv/store", "/store", False), Mount("/srv/log", "/log", True))
    assert found.last_day == datetime.datetime(2022, 5, 4, tzinfo=datetime.UTC)


def test_every_setting_is_documented(repository_root):
    page = (repository_root / "docs/airflow.md").read_text()
    code = (repository_root / "dags/wiring/settings.py").read_text()
    names = set(re.findall(r'_(?:text|choice|number)\("(\w+)"', code))
    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in page} == set()
