import pytest

from components import errors
from components.contract import ExitCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadDataError, ExitCode.BAD_DATA),
        (errors.TryAgainError, ExitCode.TRY_AGAIN),
        (errors.BadConfigurationError, ExitCode.BAD_CONFIGURATION),
        (errors.StepError, ExitCode.BUG),
    ],
)
def test_the_class_of_an_error_is_its_exit_code(
    error: type[errors.StepError], code: ExitCode
) -> None:
    assert error("message").exit_code == code


def test_nothing_that_catches_exceptions_catches_a_stop() -> None:
    assert not issubclass(errors.StoppedError, Exception)
