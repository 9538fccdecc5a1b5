"""Paths with wildcards and a day: the files that they name, and the day of each.

Files that are hidden or unfinished are not read: what begins with `.` or `_`, or ends as files do
while they are written, is on its way to the source and not yet in it.
"""

import datetime
import functools
import itertools
import re
from fnmatch import fnmatchcase
from pathlib import Path

from components.errors import BadConfigurationError
from components.source import byte_streams
from components.source.raw_files import KINDS

DAY = "{day}"  # in a path: the day as YYYY-MM-DD; `{day:%Y%m%d}` is one of another form
_DAY = re.compile(r"\{day(?::([^{}]*))?\}")
_CODE = re.compile(r"%(-?[A-Za-z%])")
# Codes of strftime -> the glob and the regular expression of what they stand for.
_CODES = {
    "Y": ("????", "[0-9]{4}"),
    "j": ("???", "[0-9]{3}"),
    **dict.fromkeys(("m", "d", "H", "M"), ("??", "[0-9]{2}")),
    **dict.fromkeys(("-m", "-d", "-H"), ("*", "[0-9]{1,2}")),
}
_HIDDEN = (".", "_")  # the first character of names that Hadoop, Spark and Unix leave aside
_UNFINISHED = (".crc", ".tmp", ".part", ".partial", ".inprogress", ".filepart", "._copying_")
_WILDCARD = re.compile(r"[*?\[{]")


def has_day(pattern: str) -> bool:
    """Whether files that a pattern names say in their path of which day they are."""
    return _DAY.search(pattern) is not None


def find(pattern: str, *, what: str) -> list[Path]:
    """Returns the files that a path or glob names, sorted by name; `{day}` may be any day.

    Raises:
      BadConfigurationError: If there is none, one is of a kind that cannot be read, or it is no
        pattern.
    """
    _refuse_what_is_no_pattern(pattern, what=what)
    codes = _with_codes(pattern, what=what)
    path = Path(re.sub(r"\{%(-?\w)\}", lambda code: _CODES[code[1]][0], codes)).absolute()
    matches = [*Path(path.anchor).glob(str(path.relative_to(path.anchor)))]
    files = sorted(
        (file for file in matches if not is_left_aside(file, path)),
        key=lambda file: (file.name, file),
    )
    if not files:
        num_hidden = sum(not match.is_dir() for match in matches)
        came = f"{num_hidden} hidden or unfinished ones" if num_hidden else "none"
        hint = " Of braces, {day} and forms of it, as {day:%Y%m%d}, alone mean something."
        raise BadConfigurationError(
            f"{what}: expected at least one file at {pattern}, found {came}."
            + (hint if "{" in _DAY.sub("", pattern) else "")
        )
    for file in files:
        if byte_streams.kind(file) not in KINDS:
            raise BadConfigurationError(
                f"{what}: expected files ending in {', '.join(KINDS)}, of text also with .gz or "
                f".zst after it, got {file}."
            )
    return files


def find_by_day(pattern: str, *, what: str) -> list[Path]:
    """Returns the files in whose path a day stands at the place of `{day}`, sorted by name.

    Raises:
      BadConfigurationError: As `find`, if no file is of a day, or the form of the day is none.
    """
    files = find(pattern, what=what)
    files_of_a_day = [file for file in files if day_in(str(file), pattern)]
    if not files_of_a_day:
        form = next((each[0] for each in _DAY.finditer(pattern)), DAY)
        example = datetime.date(2026, 1, 31).strftime(form[5:-1] or "%Y-%m-%d")
        raise BadConfigurationError(
            f"{what}: expected a day like {example} in the place of {form}, found {files[0]}."
        )
    return files_of_a_day


def folder(pattern: str) -> Path:
    """Returns the folder below which all files of a pattern lie; their names start there.

    >>> str(folder("/logs/{day}/*.csv")), str(folder("/logs/all.csv"))
    ('/logs', '/logs')
    """
    parts = Path(pattern).parts[:-1]
    num_fixed = next((n for n, part in enumerate(parts) if _WILDCARD.search(part)), len(parts))
    return Path(*parts[:num_fixed])


def day_in(path: str, pattern: str) -> datetime.date | None:
    """Returns the day at the place of `{day}`, the same at each; None if there is none.

    >>> day_in("/logs/2026/1/31/a.csv", "/logs/{day:%Y/%-m/%-d}/*.csv")
    datetime.date(2026, 1, 31)
    """
    match = _expression(pattern).fullmatch(path)
    if match is None:
        return None
    numbers: dict[str, int] = {}
    for name, text in match.groupdict().items():
        # What stands in a path twice must say the same day.
        if numbers.setdefault(name[0], int(text)) != int(text):
            return None
    try:
        if "j" not in numbers:
            return datetime.date(numbers["Y"], numbers["m"], numbers["d"])
        first = datetime.date(numbers["Y"], 1, 1)
        day = first + datetime.timedelta(days=numbers["j"] - 1)
        return day if day.year == first.year else None
    except (ValueError, OverflowError):  # digits that are in no calendar
        return None


def _with_codes(pattern: str, *, what: str) -> str:
    """Returns a pattern in which each code of the day has braces of its own.

    >>> _with_codes("log/{day}/{day:%j}", what="events")
    'log/{%Y}-{%m}-{%d}/{%j}'
    """
    codes: set[str] = set()

    def put_into_braces(day: re.Match[str]) -> str:
        """Returns the codes of one `{day}`, each in braces."""
        codes.update(_CODE.findall(day[1] or "%Y-%m-%d"))
        return _CODE.sub(r"{%\1}", day[1] or "%Y-%m-%d")

    text = _DAY.sub(put_into_braces, pattern)
    unknown = sorted(codes - _CODES.keys())
    names = {code[-1] for code in codes}
    if unknown or (codes and not names >= {"Y", "j"} and not names >= {"Y", "m", "d"}):
        came = f"%{unknown[0]}" if unknown else "".join(f"%{code}" for code in sorted(codes))
        raise BadConfigurationError(
            f"{what}: expected a day of %Y, %m and %d, or of %Y and %j, as in {{day:%Y%m%d}}; %-m "
            f"and %-d have no zeros before them, %H and %M may be there, too. Got {came} in "
            f"{pattern}."
        )
    return text


def _refuse_what_is_no_pattern(pattern: str, *, what: str) -> None:
    # Asked here, because versions of Python read `**` beside other text in different ways.
    path = Path(pattern)
    is_mixed = any("**" in part and part != "**" for part in path.parts)
    if is_mixed or not path.name or path.name == "**":
        raise BadConfigurationError(
            f"{what}: expected a path or a pattern in which `**` stands alone between slashes, got "
            f"{pattern}."
        )


def is_left_aside(file: Path, pattern: Path) -> bool:
    """Whether a path is a folder, or a hidden or unfinished file that the pattern does not name."""
    if byte_streams.kind(file) not in KINDS and file.is_dir():
        return True  # `**/*` names folders, too, whose files it names besides
    named = [part for part in pattern.parts if part.startswith(_HIDDEN)]
    hidden = [part for part in file.parts if part.startswith(_HIDDEN)]
    if any(not any(fnmatchcase(part, each) for each in named) for part in hidden):
        return True
    return file.name.lower().endswith(_UNFINISHED) and file.name != pattern.name


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Returns the regular expression of the paths that a glob with `{day}` finds.

    >>> _expression("/logs/{day}/*.csv").fullmatch("/logs/2026-01-31/a.csv").groups()
    ('2026', '01', '31')
    """
    globs = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    names = itertools.count()

    def translate(token: re.Match[str]) -> str:
        """Returns the regular expression of one part of the glob."""
        text = token[0]
        if text.startswith("{%"):
            code = text[2:-1]
            return f"(?P<{code[-1]}{next(names)}>{_CODES[code][1]})"
        if text.startswith("[") and len(text) > 1:
            inner = text[1:-1].replace("\\", r"\\")
            return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
        return globs.get(text) or re.escape(text)

    codes = _with_codes(pattern, what="path")
    parts = r"\{%-?\w\}|\*\*/|\[!?[^\]/]+\]|."
    return re.compile(re.sub(parts, translate, codes, flags=re.DOTALL), flags=re.DOTALL)
