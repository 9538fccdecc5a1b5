"""What a candidate has learned, in a sentence, whatever becomes of it.

A verdict compares with the champion. Whoever trains on a log for the first time asks something
else: whether there was anything to learn in it, and more than which posts are popular.
"""

from collections.abc import Mapping

from components.evaluation.results import Result
from components.settings.steps import EvaluateConfig
from phoenix.metrics.evidence import Evidence


def sentence(section: EvaluateConfig, results: Mapping[str, Result]) -> str | None:
    """Returns what the candidate has surely learned; None where none was trained or measured.

    Args:
      section: The settings of the gate.
      results: By the name of the recommender, of all users who were asked.
    """
    over_random = _gain(results, "random")
    if over_random is None:
        return None
    interval = over_random.interval(section.confidence)
    if interval is None or len(over_random.user_ids) < section.min_users:
        return "too few users to tell whether anything was learned"
    if interval == (0.0, 0.0):
        return "no user tells the candidate from a random order: nothing can be said of learning"
    if interval[0] <= 0:
        return f"nothing was learned, as far as the day tells: {_words(over_random, interval)}"
    over_popular = _gain(results, "most_popular")
    interval = None if over_popular is None else over_popular.interval(section.confidence)
    if over_popular is None or interval is None:
        return None
    numbers = _words(over_popular, interval)
    if interval[0] > 0:
        return f"learned more than what is popular: {numbers}"
    if interval[1] < 0:
        return f"learned less than what is popular: {numbers}"
    return f"learned what is popular, and surely nothing beyond it: {numbers}"


def _gain(results: Mapping[str, Result], name: str) -> Evidence | None:
    """The differences of the candidate and a baseline by user, if both have any."""
    if not {"candidate", name} <= results.keys():
        return None
    own, other = results["candidate"].by_user, results[name].by_user
    if own is None or other is None or not len(own.user_ids):
        return None
    return Evidence.of_day(own, other)


def _words(evidence: Evidence, interval: tuple[float, float]) -> str:
    return f"{evidence.mean:+.4f} ({interval[0]:+.4f} to {interval[1]:+.4f})"
