"""Slices of a day's impressions in which a model may be worse, however good it is on the whole.

Glossary of shapes:
  E: impressions, N: windows, C: candidates.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from components.settings.config import Config
from phoenix.data import attributes
from phoenix.data.attributes import Attribute
from phoenix.data.windows import Windows

_HOUR_MS = 3_600_000


def of_impressions(windows: Windows, config: Config) -> dict[str, np.ndarray]:
    """Returns by name `[E]` bool: surfaces, new posts, and values of declared attributes.

    Of an attribute, the most frequent values have slices (`evaluate_models.slice_values`); numbers
    are cut at their median. A slice that holds all impressions or none is not there.

    Args:
      windows: Of a day.
      config: Its configuration.
    """
    is_real, section = windows.candidate_mask, config.evaluate_models
    slices = {}
    surfaces = windows.candidate_surfaces[is_real]
    for value in _frequent(surfaces, section.slice_values):
        slices[f"surface {value}"] = surfaces == value
    created_at, shown_at = (
        windows.candidate_created_at[is_real],
        windows.candidate_shown_at[is_real],
    )
    age = shown_at - created_at
    slices["new posts"] = (created_at > 0) & (age < section.new_post_hours * _HOUR_MS)
    declared = config.attributes.attributes
    of_users = np.broadcast_to(
        windows.user_attributes[:, None], (*is_real.shape, windows.user_attributes.shape[1])
    )
    for own, values in (
        (attributes.of_side(declared, "user"), of_users),
        (attributes.of_side(declared, "post", "context"), windows.candidate_attributes),
    ):
        slices |= dict(_of_attributes(own, values[is_real], section.slice_values))
    return {name: rows for name, rows in slices.items() if rows.any() and not rows.all()}


def _of_attributes(
    declared: Sequence[Attribute], values: np.ndarray, most: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields names and `[E]` bool of the values of some attributes, `[E, W]` side by side."""
    start = 0
    for attribute in declared:
        own = values[:, start : start + attribute.length]
        start += attribute.length
        if attribute.kind == "vector":  # no two have the same
            continue
        if attribute.kind == "raw":
            numbers = own[:, 0]
            is_number = np.isfinite(numbers)
            if is_number.any():
                middle = np.median(numbers[is_number])
                yield f"{attribute.name} of {middle:g} or less", is_number & (numbers <= middle)
                yield f"{attribute.name} above {middle:g}", is_number & (numbers > middle)
            continue
        for code in _frequent(own[own != attributes.MISSING].astype(np.int64), most):
            yield f"{attribute.name} {_word(attribute, code)}", (own == code).any(axis=1)


def _frequent(values: np.ndarray, most: int) -> list[int]:
    """Returns the most frequent values, in their order."""
    distinct, counts = np.unique(values, return_counts=True)
    return sorted(distinct[np.argsort(-counts, kind="stable")[:most]].tolist())


def _word(attribute: Attribute, code: int) -> str:
    """Returns the name of a code, as its declaration says it."""
    if attribute.words:
        return "other" if code == 1 else attribute.words[code - 2]
    if attribute.boundaries:
        ends = ("-inf", *(f"{each:g}" for each in attribute.boundaries), "inf")
        return f"{ends[code - 1]} to {ends[code]}"
    return f"in row {code}"
