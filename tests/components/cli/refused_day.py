"""The configuration of the fixture `refused`, and commands about the quarantine of its day."""

from components.cli import app
from tests.components.small_log import DAY, KUAIRAND

__all__ = ["KUAIRAND", "LIMITS", "phoenix_quarantine"]

LIMITS = "validate_events: {max_quarantined_share: 0.2, num_surfaces: %d, repairs: repairs}\n"


def phoenix_quarantine(deployment, *words: str) -> tuple[int, str]:
    """Runs `phoenix quarantine`; returns the exit code and all that it said."""
    argv = ["quarantine", *words, "--day", DAY, "--config", str(deployment.root / "phoenix.yaml")]
    code = app.app(argv)
    captured = deployment.capsys.readouterr()
    return code, captured.out + captured.err
