"""The base of every part of the configuration, and the types of values that several parts have.

A relative path starts at the folder of the configuration file. Reading a file gives that folder as
the validation context `{"folder": ...}`, and the path types make their values absolute with it:
whatever is declared as one of them is anchored, in whichever section it stands.
"""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

AnyPath = TypeVar("AnyPath", str, Path)


class Section(BaseModel):
    """A part of the configuration: immutable, and nothing in it is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _can_be_a_path(cls, value: object) -> object:
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("a zero byte can be in no path and no name")
        return value


def _from_folder(path: AnyPath, info: ValidationInfo) -> AnyPath:
    """Returns a path made absolute; as it is if nobody said which folder it starts at."""
    folder = (info.context or {}).get("folder")
    if folder is None or "\0" in str(path):  # which `Section` refuses, in its own words
        return path
    return type(path)((folder / path).resolve())


def _address_from_folder(address: str, info: ValidationInfo) -> str:
    return address if "://" in address else _from_folder(address, info)


FilePath = Annotated[Path, AfterValidator(_from_folder)]
PathPattern = Annotated[str, AfterValidator(_from_folder)]  # a path, or a glob of several
StoreAddress = Annotated[str, AfterValidator(_address_from_folder)]  # a path, or an fsspec URL


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
