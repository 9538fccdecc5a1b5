"""What every part of the configuration is."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator


class Section(BaseModel):
    """A part of the configuration: immutable, and nothing in it is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _can_be_a_path(cls, value: object) -> object:
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("a zero byte can be in no path and no name")
        return value


def _divides_columns(delimiter: str) -> str:
    # The reader of CSV wants one byte; longer delimiters divide lines of text, quotes or not.
    if delimiter == '"' or (len(delimiter) == 1 and not delimiter.isascii()):
        raise ValueError("one character must be ASCII and no quote; longer text may be any")
    if "\n" in delimiter or "\r" in delimiter:
        raise ValueError("a line break divides rows, not columns")
    return delimiter


Delimiter = Annotated[
    str, Field(min_length=1, max_length=8), AfterValidator(_divides_columns)
]  # between the columns of a text file
