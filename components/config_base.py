"""What every part of the configuration is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration: immutable, and nothing in it is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
