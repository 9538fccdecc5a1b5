from components.cli.doctor.findings import Finding, Severity, exit_code
from components.contract import ExitCode


def test_the_worst_finding_decides_the_exit_code() -> None:
    def finding(severity: Severity, code: ExitCode) -> Finding:
        return Finding(check="c", severity=severity, message="m", exit_code=code)

    error, warning = Severity.ERROR, Severity.WARNING
    data, configuration = ExitCode.BAD_DATA, ExitCode.BAD_CONFIGURATION
    assert exit_code([]) == 0
    assert exit_code([finding(warning, ExitCode.DONE)]) == 0
    assert exit_code([finding(error, data), finding(warning, ExitCode.DONE)]) == 65
    assert exit_code([finding(error, data), finding(error, configuration)]) == 78
