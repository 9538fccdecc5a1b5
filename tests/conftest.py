"""What all tests share: a deterministic process without a network, and where things are."""

import atexit
import importlib.util
import ipaddress
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

_ROOT = Path(__file__).parents[1]
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
# How fast inputs are drawn says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile(
    "phoenix", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None
)
hypothesis.settings.load_profile("phoenix")
# Before any library is imported: the same device everywhere, no analytics, no file in the home, and
# nothing compiled twice by a worker: JAX does not write a file of its cache in one operation, and a
# neighbour could read half of it.
_airflow_home = tempfile.mkdtemp(prefix="phoenix-airflow-")
atexit.register(shutil.rmtree, _airflow_home, ignore_errors=True)
os.environ.update(
    {
        "AIRFLOW_HOME": _airflow_home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "GX_ANALYTICS_ENABLED": "false",
        "JAX_PLATFORMS": os.environ.get("PHOENIX_TEST_PLATFORM", "cpu"),
        "JAX_COMPILATION_CACHE_DIR": str(_ROOT / ".pytest_cache/compiled" / _WORKER),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",  # an accelerator would round float32 factors
        "MPLBACKEND": "agg",
        "TZ": "UTC",
    }
)

if _WORKER != "alone":
    # A worker's main module has no file. Pyspark takes that for its doctests and ends the process.
    vars(sys.modules["__main__"]).setdefault("__file__", pytest.__file__)

# A shell's background job ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


class _ByFile(LoadFileScheduling):
    """Gives a worker whole files, and one of them all that shares the Airflow of the session."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return "tests/e2e" if file.startswith("tests/e2e/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What mostly waits comes first, so that no worker waits alone at the end.
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The folder that holds pyproject.toml."""
    return _ROOT


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Finds a folder of recorded data beside the checkout, or skips the test by its name."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get("PHOENIX_SHARED_DATA", _ROOT.parent / "shared/data")) / name
        if not folder.exists():
            pytest.skip(f"needs the recorded data {name!r} beside the checkout")
        return folder

    return find


@pytest.fixture(scope="session")
def require_program() -> Callable[[str], str]:
    """Finds a program of the system; without it the test skips, or fails in CI."""

    def find(name: str) -> str:
        # Debian keeps servers where only root looks.
        servers = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        folders = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *map(str, servers)]
        path = shutil.which(name, path=os.pathsep.join(folders))
        if path is None:
            _give_up(f"needs the program {name!r}")
        return path

    return find


@pytest.fixture(scope="session")
def require_extra() -> Callable[[str, str], None]:
    """Without a module of an extra of the package the test skips, or fails in CI."""

    def find(extra: str, module: str) -> None:
        if importlib.util.find_spec(module) is None:
            _give_up(f"needs the extra {extra!r}")

    return find


@pytest.fixture(scope="session")
def require_spark(
    require_program: Callable[[str], str], require_extra: Callable[[str, str], None]
) -> None:
    """Skips a test, or fails it in CI, where Java or pyspark is missing."""
    require_program("java")
    require_extra("spark", "pyspark")
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"


def _give_up(missing: str) -> NoReturn:
    if os.environ.get("PHOENIX_REQUIRE_SYSTEM"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuses connections that leave this machine: a test that needs the network is no test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address):
            raise PermissionError(f"tests stay on this machine, got a connection to {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _is_here(address: object) -> bool:
    host = address[0] if isinstance(address, tuple) else None
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, and names are asked for elsewhere
        return False
