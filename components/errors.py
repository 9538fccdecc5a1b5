"""Errors that a person can act on. Each class is one exit code; anything else is a bug (70)."""

from components.contract import ExitCode


class StepError(Exception):
    """A failure with a message for the person who must fix it: what was expected, what came."""

    exit_code = ExitCode.BUG


class BadDataError(StepError):
    """The data cannot be used: names file, column, row or artifact."""

    exit_code = ExitCode.BAD_DATA


class TryAgainError(StepError):
    """Somebody else is at work or something is not there yet: the same command may work later."""

    exit_code = ExitCode.TRY_AGAIN


class StoppedError(BaseException):
    """The process was asked to stop (SIGTERM, Ctrl-C): unwinds through every `except Exception`.

    It is no `Exception`, because libraries catch those and would go on working.
    """


class BadConfigurationError(StepError):
    """The configuration or the command line is wrong: names the field or the option."""

    exit_code = ExitCode.BAD_CONFIGURATION
