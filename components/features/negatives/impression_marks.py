"""Actions that may be marks of impressions: what follows each of them by definition."""

from components.settings.config import Config


def of_config(config: Config) -> int:
    """Returns the bits of the actions that say nothing where every impression has them.

    An action that is no positive, such as that something was shown: of impressions that have no
    other, nothing came. In a log of actions none is one: its views are all that it has of a post.
    """
    if config.fold_ms is not None:
        return 0
    return sum(1 << bit for bit, each in enumerate(config.actions) if not each.is_positive)


def names_of(bits: int, config: Config) -> str:
    """Returns the names of actions."""
    return ", ".join(name for bit, name in enumerate(config.action_names) if bits >> bit & 1)
