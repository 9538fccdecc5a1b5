"""The path or glob that names the files of a log and of each of its days."""

import re
from collections.abc import Sequence
from pathlib import Path

from components.errors import BadConfigurationError
from components.profiling.samples import Sample
from components.source import byte_streams
from components.source.by_day import path_patterns

_DAY_MARK = "{day"
_COMPRESSED = (".gz", ".zst")
# The regular expression of a day in a path, and what stands for it in the pattern.
_DAY_FORMS = (
    (r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)", "{day}"),
    (
        r"year=\d{4}/month=\d{1,2}/day=\d{1,2}(/hour=\d{1,2})?",
        "year={day:%Y}/month={day:%m}/day={day:%d}",
    ),
    (r"(?<!\d)\d{4}/\d{2}/\d{2}(?!\d)", "{day:%Y}/{day:%m}/{day:%d}"),
    (r"(?<!\d)20\d{6}(?!\d)", "{day:%Y%m%d}"),
)


def pattern(sample: Sample, samples: Sequence[Sample]) -> str:
    """Returns the path or glob that names the files of a sample, with `{day}` where paths say it.

    Args:
      sample: The files.
      samples: All files of the folder, of which the glob must take no other.
    """
    if len(sample.files) == 1:
        return str(sample.first)
    first, last = str(sample.files[0]), str(sample.files[-1])
    for form in _DAY_FORMS:
        globs = {_day_glob(_plain_name(file, sample), form) for file in sample.files}
        folders = {None if glob is None else glob.rpartition("/")[0] for glob in globs}
        if None in globs:
            continue
        folder = str(folders.pop()) if len(folders) == 1 else ""
        of_folder = f"{folder}/*{_suffix(sample)}"
        if _DAY_MARK in folder and not _fits_others(of_folder, sample, samples):
            return of_folder
        if len(globs) == 1:
            return str(globs.pop())
    head = _common_start(first, last)
    others = [str(file) for other in samples if other is not sample for file in other.files]
    glob = f"{head}*{_suffix(sample)}"
    if len({file.parent for file in sample.files}) > 1:
        glob = f"{head.rpartition('/')[0]}/**/*{_suffix(sample)}"
    if any(
        other.startswith(head) and other.endswith(_suffix(sample).rstrip("*")) for other in others
    ):
        raise BadConfigurationError(
            f"{head}*: expected a pattern for the events alone, which other files fit, too. Move "
            "them into a folder of their own."
        )
    return glob


def _fits_others(glob: str, sample: Sample, samples: Sequence[Sample]) -> bool:
    """Whether a pattern names files of another sample, too."""
    others = [file for other in samples if other is not sample for file in other.files]
    return any(path_patterns.day_in(str(file), glob) for file in others)


def _day_glob(path: str, form: tuple[str, str]) -> str | None:
    expression, mark = form
    match = re.search(expression, path)
    if match is None:
        return None
    hours = "/hour=*" if "hour=" in match[0] else ""
    rest = path[match.end() :]
    return path[: match.start()] + mark + hours + re.sub(r"[0-9a-f]{8,}|\d+", "*", rest)


def _suffix(sample: Sample) -> str:
    suffixes = {"".join(file.suffixes[-2:]) for file in sample.files}
    whole = suffixes.pop() if len(suffixes) == 1 else ""
    if whole.endswith(_COMPRESSED):
        return whole
    kind = byte_streams.kind(sample.first)
    return f"{kind}*" if _is_mixed(sample) else kind


def _plain_name(file: Path, sample: Sample) -> str:
    """Returns the path of a file, with a `*` for its compression where that is one of several."""
    if not _is_mixed(sample):
        return str(file)
    return str(file.with_suffix("") if file.suffix in _COMPRESSED else file) + "*"


def _is_mixed(sample: Sample) -> bool:
    """Whether the files are compressed in several ways, or some of them are not."""
    return len({file.suffix if file.suffix in _COMPRESSED else "" for file in sample.files}) > 1


def _common_start(first: str, last: str) -> str:
    size = next(
        (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    return first[:size].rstrip("0123456789")
