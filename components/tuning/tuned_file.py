"""The configuration file with better settings, beside the one that was searched from."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from components.settings import loading
from components.tuning import space as spaces
from components.tuning.space import Changes


class _Dumper(yaml.SafeDumper):
    """A part that a file names twice is written twice: whoever changes one means that one."""

    def ignore_aliases(self, data: object) -> bool:
        """Whether to write a part that was written before once more: always."""
        del data
        return True


def path_beside(config: Path) -> Path:
    """Returns where the file is written by default.

    >>> path_beside(Path("var/shop/phoenix.yaml")).name
    'phoenix.tuned.yaml'
    """
    return config.with_name(f"{config.stem}.tuned{config.suffix}")


def write(path: Path, config: Path, role: str, changes: Changes, *, because: Sequence[str]) -> None:
    """Writes a configuration with other settings, and all others as they are; without its remarks.

    Args:
      path: The new file, over an earlier one.
      config: The present one, which stays as it is.
      role: retrieval or ranker.
      changes: Of the section of the role.
      because: Lines above the settings that say on what they rest.
    """
    raw = yaml.safe_load(config.read_text(encoding="utf-8"))
    section = f"train_{role}"
    raw[section] = spaces.nested(changes, raw.get(section))
    head = "".join(f"# {line}\n" for line in because)
    text = yaml.dump(raw, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    path.write_text(head + text, encoding="utf-8")
    loading.load(path)  # What was written can be used: nobody finds out tonight.
