"""The deployment that a demonstration prepares, and the days that it plans."""

import datetime

import pytest

from components.cli import plan as plans
from components.errors import BadConfigurationError
from components.settings.loading import load


def days(first, last):
    start, end = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    return [start + datetime.timedelta(days=number) for number in range((end - start).days + 1)]


def test_the_synthetic_world_is_made_on_the_spot(tmp_path):
    plan = plans.prepare(None, tmp_path)
    assert plan.deployment.folder == tmp_path / "synthetic"
    assert plan.config.store == str(tmp_path / "synthetic/store")
    assert plan.days(4) == days("2026-01-01", "2026-01-04")
    assert plan.has_ended


def test_a_log_is_processed_up_to_its_last_complete_day(tmp_path, shared_data):
    source = shared_data("kuairand-pure")
    plan = plans.prepare(source, tmp_path)
    assert plan.config.ingest_events.source.path == source.resolve()
    assert plan.days(None) == days("2022-04-26", "2022-05-04")
    assert plan.days(2) == days("2022-04-26", "2022-04-27")
    assert plan.has_ended


def test_what_a_user_changed_in_the_configuration_is_kept(tmp_path):
    config = plans.prepare(None, tmp_path).deployment.config
    config.write_text(config.read_text() + "\n# mine\nmaterialize_feeds: {feed_length: 7}\n")
    plan = plans.prepare(None, tmp_path)
    assert plan.config.materialize_feeds.feed_length == 7
    assert "# mine" in config.read_text()


def test_the_configuration_follows_the_source(tmp_path, shared_data):
    source = shared_data("kuairand-pure")
    moved = tmp_path / 'a "strange": folder'
    moved.symlink_to(source)
    plans.prepare(moved, tmp_path)
    config = plans.prepare(source, tmp_path).deployment.config
    assert load(config).ingest_events.source.path == source.resolve()
    assert config.read_text().count("path:") == 1


def test_a_source_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(BadConfigurationError, match=r"--source.*nowhere"):
        plans.prepare(tmp_path / "nowhere", tmp_path)
