"""The work of `phoenix init`: from a log to a configuration that reads it."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.errors import BadConfigurationError, BadDataError
from components.profiling import (
    column_guesses,
    configuration_text,
    file_differences,
    guesses,
    known_logs,
)
from components.profiling import preview as previews
from components.profiling.hints import Hints
from components.profiling.preview import Preview
from components.profiling.proposals import Proposal
from components.profiling.samples import NUM_FILES, Sample, read_samples
from components.settings.config import Config
from components.settings.loading import load
from components.settings.source import SyntheticSource
from components.source.layouts import Layout, layout

_NUM_PREVIEW_ROWS = 10_000
_ANY_DAY = datetime.date(2000, 1, 1)  # stands for the first day until the log was read
_NAMES = {"user_id": "user", "post_id": "post", "shown_at": "time"}
Ask = Callable[[str, Sequence[str]], str]  # a question and its choices -> one of them


@dataclass(frozen=True)
class Initialised:
    """A configuration that was written, and the rows of the log as it reads them."""

    path: Path
    title: str
    config: Config
    last_day: datetime.date  # of the log, as far as it was read
    preview: Preview
    notes: Sequence[str]


def initialise(
    source: Path,
    *,
    to: Path,
    store: str,
    hints: Hints,
    num_files: int = NUM_FILES,
    ask: Ask | None = None,
) -> Initialised:
    """Writes the configuration that a log suggests.

    Args:
      source: The file or folder of the log.
      to: The configuration file to write.
      store: The place of its artifacts.
      hints: What the user says of the log.
      num_files: At most so many files of each form are looked at.
      ask: Asks a person what the log does not say; None if nobody is there.

    Raises:
      BadConfigurationError: If the file is there already, or the log does not say enough.
      BadDataError: If no row of the log can be read with the configuration.
    """
    if to.exists():
        raise BadConfigurationError(
            f"{to}: expected no file, found one: name another with --to, or remove it."
        )
    source = source.absolute()
    samples = read_samples(source, num_files=num_files)
    proposal = known_logs.recognise(samples)
    if proposal is None:
        proposal = guesses.guess(samples, _complete(hints, samples, ask))
    notes = [*proposal.notes, *file_differences.notes_on_unreadable_files(source)]
    proposal = replace(proposal, notes=notes)
    draft = to.with_name(f".{to.name}.unfinished")
    try:
        config = _write(draft, replace(proposal, first_day=_ANY_DAY), store)
        days = previews.covered_days(_layout(config))
        if days is None:
            raise BadDataError(
                f"{source}: expected rows with a time from 1990 to 2099, found none. Say the "
                "column of the time with `--say time=COLUMN`."
            )
        config = _write(draft, replace(proposal, first_day=days[0]), store)
        preview = previews.preview(_layout(config), num_rows=_NUM_PREVIEW_ROWS, num_files=num_files)
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
    return Initialised(to, proposal.title, config, days[1], preview, proposal.notes)


def _complete(hints: Hints, samples: Sequence[Sample], ask: Ask | None) -> Hints:
    """Asks for the columns without which a log is none, where a person can answer."""
    if ask is None:
        return hints
    columns = dict(hints.columns)
    for name in column_guesses.missing_columns(samples, hints):
        choices = column_guesses.events_sample(samples, hints).rows.column_names
        columns[name] = ask(f"Column of the {_NAMES[name]}", choices)
    return replace(hints, columns=columns)


def _write(path: Path, proposal: Proposal, store: str) -> Config:
    """Writes a configuration and reads it as every step does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(configuration_text.text(proposal, store=store), encoding="utf-8")
    return load(path)


def _layout(config: Config) -> Layout:
    source = config.ingest_events.source
    assert not isinstance(source, SyntheticSource)  # no log is one
    return layout(source, config)
