"""Names of users for pages: short, and not their ids."""

import hashlib

from components.settings.config import Config


def user_name(user_id: int, config: Config) -> str:
    """Returns the id as it is if configured so, or else a short name that does not show it."""
    if config.report.show_user_ids:
        return str(user_id)
    # Eight digits: short enough for a table, and two users of one page hardly ever share them.
    return hashlib.sha256(f"{config.seed}:{user_id}".encode()).hexdigest()[:8]
