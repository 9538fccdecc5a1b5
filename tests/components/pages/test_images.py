import base64
from pathlib import Path

from components.drawings import charts
from components.pages.images import drift_image, image
from components.store.artifacts import Store

DAY = "2026-01-02"
CURVE = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6}]


def drawings(store: Store) -> list[Path]:
    return sorted(Path(store.storage.uri(f"pages/{DAY}")).glob("*.svg"))


def test_an_image_holds_the_drawing(tmp_path: Path) -> None:
    address = image(Store(str(tmp_path)), DAY, "curve", charts.learning_curve, CURVE, "ranker")
    _, _, content = address.partition("data:image/svg+xml;base64,")
    assert base64.b64decode(content) == charts.learning_curve(CURVE, "ranker")


def test_equal_numbers_are_drawn_once_and_others_anew(tmp_path: Path) -> None:
    store, numbers = Store(str(tmp_path)), []

    def draw(curve: list, title: str) -> bytes:
        numbers.append(curve)
        return charts.learning_curve(curve, title)

    draw.__module__ = charts.__name__
    for curve in (CURVE, CURVE, CURVE[:1], CURVE[:1]):
        image(store, DAY, "curve", draw, curve, "ranker")
    assert numbers == [CURVE, CURVE[:1]]
    assert len(drawings(store)) == 1, "what is drawn anew takes the place of the old"
    image(store, DAY, "curve_of_another", draw, CURVE, "retrieval")
    assert len(drawings(store)) == 2


def test_another_code_draws_again(tmp_path: Path, monkeypatch) -> None:
    store = Store(str(tmp_path))
    image(store, DAY, "curve", charts.learning_curve, CURVE, "ranker")
    first = drawings(store)
    monkeypatch.setattr("components.run.provenance.code_digest", lambda module: "another")
    image(store, DAY, "curve", charts.learning_curve, CURVE, "ranker")
    assert drawings(store) != first


def test_days_without_a_comparison_have_no_drawing(tmp_path: Path) -> None:
    assert drift_image(Store(str(tmp_path)), DAY, "events", [("2026-01-01", {})], {}) is None
    distance = {"variable": "hour", "measure": "psi", "value": 0.1, "limit": None}
    distances = {"hour/psi": distance}
    # An empty day after others: drawing them again cost more than all else of the day.
    assert drift_image(Store(str(tmp_path)), DAY, "events", [("2026-01-01", distances)], {}) is None
    address = drift_image(Store(str(tmp_path)), DAY, "events", [("2026-01-01", {})], distances)
    assert address is not None
    assert address.startswith("data:image/svg+xml;base64,")
