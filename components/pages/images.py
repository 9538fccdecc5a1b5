"""Drawings on pages: made of the numbers in artifacts once, and kept beside the page.

An artifact holds numbers and no drawing, so that a color makes no model anew. A page is drawn after
every step; its drawings are drawn when their numbers are new, or the code that draws them is.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.drawings import drift
from components.run import provenance
from components.store.artifacts import Store


def image(store: Store, day: str, name: str, draw: Callable[..., bytes], *numbers: object) -> str:
    """Returns a drawing as an address that holds it, in which scripts cannot run.

    Args:
      store: Keeps the drawing below `pages/<day>`.
      day: The day of the page, `YYYY-MM-DD`.
      name: The drawing's own on that page.
      draw: Makes the SVG, a function of a module of ours.
      *numbers: Arguments of `draw`, JSON-able: they and its code decide whether to draw again.
    """
    content = json.dumps(numbers, sort_keys=True) + provenance.code_digest(draw.__module__)
    folder = f"pages/{day}"
    file = f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}.svg"
    if not store.storage.exists(f"{folder}/{file}"):
        for other in store.storage.names(folder):
            if other.startswith(f"{name}-"):
                store.storage.remove(f"{folder}/{other}")
        store.storage.replace(f"{folder}/{file}", draw(*numbers))
    return (
        "data:image/svg+xml;base64,"
        + base64.b64encode(store.storage.read(f"{folder}/{file}")).decode()
    )


def drift_image(
    store: Store,
    day: str,
    name: str,
    earlier: Sequence[tuple[str, Mapping[str, Any]]],
    distances: Mapping[str, Any],
) -> str | None:
    """Returns the distances of a day after those of earlier days; None if the day has none.

    Args:
      store: Keeps the drawing.
      day: The day, `YYYY-MM-DD`.
      name: Of the comparison.
      earlier: Days, oldest first, with their distances as `quality.drift.to_dict` returns them.
      distances: Those of the day.
    """
    # An empty day has none, and a drawing that ends before it would cost more than all of the day.
    if not distances:
        return None
    return image(store, day, f"drift_{name}", drift.over_time, [*earlier, (day, distances)])
