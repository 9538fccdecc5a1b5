"""From a request to the settings that a search found, and the file that has them."""

import datetime
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.errors import BadConfigurationError
from components.release import releases
from components.settings.loading import load
from components.store.artifacts import Store
from components.training import auto
from components.tuning import space as spaces
from components.tuning import tuned_file
from components.tuning.days import judged_days
from components.tuning.outcome import Outcome
from components.tuning.search import Search
from components.tuning.trials import Trials

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A search that somebody asks for."""

    config: Path
    role: str  # retrieval or ranker
    minutes: float
    num_days: int | None  # the newest ones; None: those of `days`
    days: tuple[datetime.date, datetime.date] | None = None  # first and last
    tried: Sequence[str] = ()  # NAME=VALUE,VALUE; none are the usual ones


def tune(request: Request, *, tell: Callable[[str], None]) -> tuple[Outcome, Path | None]:
    """Searches, and writes better settings where there are some.

    Args:
      request: What to search.
      tell: Is given lines of progress.

    Returns:
      What was found, and the file that was written; None where the present settings stay.

    Raises:
      BadConfigurationError: If the request asks for something that is not there.
      BadDataError: If there is no day to judge on, or the present settings cannot be judged.
      StoppedError: If the process was asked to stop; the same request goes on.
    """
    if request.role not in releases.ROLES:
        raise BadConfigurationError(
            f"ROLE: expected {' or '.join(releases.ROLES)}, got {request.role!r}."
        )
    path = tuned_file.path_beside(request.config)
    space = spaces.parse(request.tried)
    config = load(request.config)
    store = Store(config.store)
    # As of the day after the newest: what the next training would find for `auto`.
    newest = max(store.partitions("build_features"), default=str(config.first_day))
    tomorrow = datetime.date.fromisoformat(newest) + datetime.timedelta(days=1)
    origin = auto.origin_of(config, store, tomorrow, request.role)
    config = auto.with_numbers(config, request.role, origin.numbers)
    days = judged_days(config, store, request.role, within=request.days)
    days = days[-(request.num_days or len(days)) :]
    tell(f"Settings are judged on {', '.join(map(str, days))}.")
    search = Search(
        config=config,
        role=request.role,
        days=days,
        trials=Trials(store, request.role),
        minutes=request.minutes,
        tell=tell,
    )
    outcome = search.run(space or spaces.usual_space(config, request.role))
    if outcome.best is None:
        return outcome, None
    because = [
        f"Settings of train_{request.role} found by `phoenix tune`, beside those of",
        f"{request.config.name}. {outcome.sentence}",
    ]
    tuned_file.write(path, request.config, request.role, outcome.best.changes, because=because)
    return outcome, path
