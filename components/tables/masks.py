"""Names of users for pages: short, and not their ids."""

import hashlib

from components.settings.config import Config


def user_name(user_id: int, text: str, config: Config) -> str:
    """Returns a name of a user for pages.

    Args:
      user_id: The number.
      text: The id as the source writes it; returned if users may be shown.
      config: Whether they may; if not, the name is short and does not show the id.
    """
    if config.report.show_user_ids:
        return text
    # Eight digits: short enough for a table, and two users of one page hardly ever share them.
    return hashlib.sha256(f"{config.seed}:{user_id}".encode()).hexdigest()[:8]
