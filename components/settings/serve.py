"""The settings of `phoenix serve`."""

from pydantic import Field

from components.settings.section import FilePath, Section


class ServeConfig(Section):
    """`phoenix serve`: where it listens, and who may ask."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address on which it listens; one that other machines reach needs a token.",
    )
    port: int = Field(default=8480, ge=0, le=65_535, description="Port; 0 for any that is free.")
    token_variable: str = Field(
        default="PHOENIX_SERVE_TOKEN",
        min_length=1,
        description="Environment variable of the token that requests must carry; unset: none.",
    )
    token_file: FilePath | None = Field(
        default=None, description="File of the token, in place of the variable."
    )
