"""Settings of a local Airflow: loopback, the configuration's own, secrets that are made once."""

import configparser

from components.local import airflow_settings
from components.settings.loading import load


def settings(deployment, last_day="2026-01-04"):
    text = airflow_settings.settings_text(deployment, load(deployment.config), 8080, last_day, 5.0)
    parsed = configparser.ConfigParser()  # with interpolation, as Airflow reads it
    parsed.read_string(text)
    return text, parsed


def test_airflow_is_told_what_the_configuration_says(deployment):
    _, found = settings(deployment)
    ours = found["phoenix"]
    assert ours["config"] == str(deployment.config)
    assert ours["store"] == str(deployment.folder / "store")
    assert (ours["num_shards"], ours["approval"]) == ("3", "when_promoted")
    assert (ours["first_day"], ours["last_day"]) == ("2026-01-01", "2026-01-04")
    assert settings(deployment, last_day=None)[1]["phoenix"]["last_day"] == ""


def test_airflow_listens_on_loopback_alone_and_lets_nobody_in_without_a_password(deployment):
    _, found = settings(deployment)
    assert found["api"]["host"] == "127.0.0.1"
    assert found["core"]["simple_auth_manager_passwords_file"] == str(deployment.passwords)
    assert "simple_auth_manager_all_admins" not in found["core"]
    assert found["api"]["expose_config"] == "False"


def test_secrets_are_made_once_and_kept(deployment):
    text, first = settings(deployment)
    airflow_settings.write_private(deployment.home / "airflow.cfg", text)
    _, second = settings(deployment)
    assert len(first["api_auth"]["jwt_secret"]) == 64
    assert first["api_auth"]["jwt_secret"] == second["api_auth"]["jwt_secret"]
    assert first["api_auth"]["jwt_secret"] != first["api"]["secret_key"]


def test_private_files_are_readable_by_their_owner_alone_also_when_replaced(tmp_path):
    path = tmp_path / "folder" / "passwords.json"
    for text in ("one", "two"):
        airflow_settings.write_private(path, text)
        assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o600)
    assert list(path.parent.iterdir()) == [path]
