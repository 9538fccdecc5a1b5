"""A configuration as a training of a log of nothing has it."""

from components.settings.config import Config
from components.training import auto
from components.training.log_rules import LogSize


def numbered(config: Config) -> Config:
    """Returns a configuration with numbers in place of what is `auto`, for both roles."""
    for role in ("retrieval", "ranker"):
        config = auto.with_numbers(config, role, auto.numbers_for(config, role, LogSize()))
    return config
