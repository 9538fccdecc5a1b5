"""Numbers of the settings that follow the log (`auto`), and words on those that do not fit it.

Pure rules, from the size of an average day. An average day, and not all days there are: it is known
after the first one, and a training goes on from the model of the day before, so that what is right
for a day stays right while days add up. The bounds are those of the logs on which they were
measured; between them nothing was.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

AUTO = "auto"
GROWTH = 4.0  # times the rows of a day, up or down, from which on numbers are found anew
ENOUGH_STEPS = 100  # of a training; with fewer, a model is about where it started
SMALL_LOG = 100_000  # rows a day, below which a model is small and reads everything several times
_MAX_EPOCHS = 8
_STEPS_PER_EPOCH = 64  # of a day, where batches can be as small as that asks for
_MAX_DAYS = 14  # of a window, however small the log: older ones were not measured
_COMING_BACK = 5  # rows of a user and day, from which on what is learned of users is no noise
_KNOWN_AUTHOR = 100  # rows of an author, from which on what is learned of one is no noise
_TASTE_SIZE = 8
OF_AN_OBJECTIVE = ("taste_size", "dropout_rate")  # of a model, right for one objective alone


class LogSize(NamedTuple):
    """An average day of a log; days without rows are left out."""

    rows: float = 0.0  # impressions
    windows: float = 0.0
    users: float = 0.0
    # Of all that was counted so far; None: nothing was.
    rows_per_post: float | None = None
    rows_per_author: float | None = None

    @property
    def rows_per_user(self) -> float:
        """Rows of a user on a day on which there are any."""
        return self.rows / max(self.users, 1.0)

    @property
    def words(self) -> str:
        """The log in a few words, for a reason."""
        return (
            f"{self.rows:,.0f} rows and {self.windows:,.0f} windows a day, "
            f"{self.rows_per_user:.1f} rows a user and day"
        )


def kept_between(rows: float) -> tuple[float, float]:
    """Returns the rows of a day between which numbers are kept that were found for some.

    >>> kept_between(5_000)
    (1250.0, 20000.0)
    """
    return rows / GROWTH, rows * GROWTH


def numbers(
    role: str, log: LogSize, *, window_budget: int, learns_next_items: bool = False
) -> dict[str, Any]:
    """Returns what every setting that can be `auto` is for a log, nested as in the section.

    Args:
      role: retrieval or ranker.
      log: Of which the days to train on are.
      window_budget: Windows that the days of a training may have together.
      learns_next_items: Whether retrieval has `objective: next_item`.

    >>> shop, budget = LogSize(rows=5_000, windows=1_000, users=370), 10_000_000
    >>> values = numbers("ranker", shop, window_budget=budget)
    >>> {name: value for name, value in values.items() if name != "model"}
    {'window_days': 14, 'epochs': 4, 'batch_size': 32, 'learning_rate': 0.003}
    >>> values["model"]
    {'emb_size': 32, 'num_layers': 1, 'key_size': 16, 'factorization': True}
    >>> large = LogSize(rows=5e6, windows=1.2e6, users=2e5)
    >>> large = numbers("ranker", large, window_budget=budget)
    >>> large["epochs"], large["batch_size"], large["window_days"], large["model"]["emb_size"]
    (1, 256, 8, 64)
    """
    is_small = log.rows < SMALL_LOG
    batch_size = _power_of_two(log.windows / _STEPS_PER_EPOCH, 32, 256)
    steps = max(log.windows / batch_size, 1.0)  # of an epoch over one day
    epochs = max(math.ceil(ENOUGH_STEPS / steps), 4 if is_small else 1)
    model: dict[str, Any] = {
        "emb_size": 32 if is_small else 64,
        "num_layers": 1 if is_small else 2,
        "key_size": 16 if is_small else 32,
    }
    comes_back = log.rows_per_user >= _COMING_BACK
    if role == "ranker":
        model["factorization"] = comes_back
    else:
        knows_authors = (log.rows_per_author or 0) >= _KNOWN_AUTHOR
        has_taste = is_small and comes_back and knows_authors and not learns_next_items
        model["taste_size"] = _TASTE_SIZE if has_taste else 0
        model["dropout_rate"] = dropout_rate(log.rows_per_post) if learns_next_items else 0.0
    return {
        "window_days": min(max(int(window_budget / max(log.windows, 1.0)), 1), _MAX_DAYS),
        "epochs": min(epochs, _MAX_EPOCHS),
        "batch_size": batch_size,
        "learning_rate": 0.003 if is_small else 0.001,
        "model": model,
    }


def dropout_rate(rows_per_post: float | None) -> float:
    """Returns the share of features to drop: the rarer a post, the sooner it is learned by heart.

    Measured on next items of MovieLens and of Amazon's reviews.

    >>> [dropout_rate(rows) for rows in (20, 100, 200)]
    [0.5, 0.35, 0.2]
    """
    bounds = ((50, 0.5), (150, 0.35))
    rates = [rate for below, rate in bounds if rows_per_post is not None and rows_per_post < below]
    return rates[0] if rates else 0.2


def too_few_steps(steps: int, num_windows: float) -> str | None:
    """Returns a sentence on a training too short to teach a model much; None of a long enough one.

    >>> too_few_steps(8, 1_980)
    '8 steps on 1,980 windows are too few to learn much, expected 100 or more: more `epochs`, a \
smaller `batch_size`, or `auto` for both'
    """
    if steps >= ENOUGH_STEPS:
        return None
    return (
        f"{steps} steps on {num_windows:,.0f} windows are too few to learn much, expected "
        f"{ENOUGH_STEPS} or more: more `epochs`, a smaller `batch_size`, or `auto` for both"
    )


def misfits(section: Mapping[str, Any], num_windows: float) -> Iterator[str]:
    """Yields what of the settings does not fit the windows of a training, in sentences.

    Args:
      section: Of the training, all numbers.
      num_windows: Of the days that a training reads.

    >>> list(misfits({"batch_size": 256, "epochs": 100}, 100))
    ['`batch_size` is 256, more than the 100 windows of a training']
    """
    batch_size = section["batch_size"]
    if batch_size > num_windows:
        yield (
            f"`batch_size` is {batch_size}, more than the {num_windows:,.0f} windows of a training"
        )
    steps = math.ceil(num_windows / batch_size) * section["epochs"]
    if (short := too_few_steps(steps, num_windows)) is not None:
        yield short


def _power_of_two(value: float, low: int, high: int) -> int:
    """The largest power of two up to a value, within bounds that are powers of two themselves."""
    return min(max(1 << int(math.log2(max(value, 1.0))), low), high)
