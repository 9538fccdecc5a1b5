from components.drawings import drift
from components.quality.drift import Comparison, to_dict


def days() -> list[tuple[str, dict]]:
    return [
        (f"2026-01-{number:02d}", to_dict(comparisons))
        for number, comparisons in enumerate(
            (
                [],
                [Comparison("surface", "psi", 0.01, None)],
                [Comparison("surface", "psi", 0.9, 0.1), Comparison("hour", "psi", 0.0, 0.1)],
            ),
            start=1,
        )
    ]


def test_equal_numbers_give_equal_bytes_and_alarms_are_red() -> None:
    drawing = drift.over_time(days())
    assert drawing == drift.over_time(days())
    text = drawing.decode()
    assert "surface" in text
    assert "01-03" in text
    assert "#c62a2f" in text
    quiet = drift.over_time(days()[:2])
    assert quiet.count(b"#c62a2f") < drawing.count(b"#c62a2f")
