"""The place of a row in a source, in words."""


def place(file: str, line: int, entry: int | None = None) -> str:
    """Returns the place of a row: its file and line, and which post of the line it is.

    Args:
      file: Its name.
      line: Of a text file; the row of a Parquet file.
      entry: Place in the list of the line, from 1; None where a line is one row.

    >>> place("log.csv", 12), place("log.csv", 12, 3)
    ('log.csv:12', 'log.csv:12[3]')
    """
    return f"{file}:{line}" if entry is None else f"{file}:{line}[{entry}]"
