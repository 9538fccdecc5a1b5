"""Both images, built for real from this checkout, and what runs in them.

Where no Docker daemon answers and we are root, one is started for these tests, with a stand-in for
the public Python image: `.ci/base_image`.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

BASE_IMAGE = "python:3.11-slim-bookworm"  # the one that the Dockerfile starts from
DAY = "2026-01-01"
UID = "10001"
INSTALLER_SETTINGS = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
)
CONFIG = """\
store: store
first_day: 2026-01-01
ingest_events:
  source: {layout: synthetic, num_users: 60, num_posts: 100, impressions_per_day: 600}
actions:
  - {name: favorite, is_positive: true}
  - {name: click}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def can_build(program: str) -> bool:
    """Whether this client has BuildKit: before version 23 it is built in, later it is a plugin."""
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d+)", version.stdout)
    plugin = subprocess.run([program, "buildx", "version"], capture_output=True, check=False)
    return plugin.returncode == 0 or (found is not None and int(found[1]) < 23)


def answers(client: list[str]) -> bool:
    return subprocess.run([*client, "info"], capture_output=True, check=False).returncode == 0


def provide_base_image(
    client: list[str], root: Path, require_program: Callable[[str], str]
) -> None:
    """Gets the public image, or makes the stand-in where there is no registry."""
    for command in (["image", "inspect"], ["pull", "--quiet"]):
        with contextlib.suppress(subprocess.TimeoutExpired):
            tried = subprocess.run(
                [*client, *command, BASE_IMAGE], capture_output=True, check=False, timeout=120
            )
            if tried.returncode == 0:
                return
    if os.geteuid() != 0:
        pytest.skip(f"cannot pull {BASE_IMAGE}, and only root can make a stand-in")
    require_program("debootstrap")
    subprocess.run(
        [root / ".ci/base_image", BASE_IMAGE], env={**os.environ, **settings_of(client)}, check=True
    )


def settings_of(client: list[str]) -> dict[str, str]:
    """What makes a script use this client and its daemon."""
    return {"DOCKER": client[0]} | ({"DOCKER_HOST": client[2]} if client[1:] else {})


@pytest.fixture(scope="module")
def client(require_program: Callable[[str], str], repository_root: Path) -> Iterator[list[str]]:
    """The command of a Docker client with a daemon that answers and has the base image."""
    candidates = [require_program("docker"), "/usr/bin/docker"]
    program = next((path for path in candidates if Path(path).exists() and can_build(path)), None)
    if program is None:
        pytest.fail("the Docker client has no BuildKit: install docker-buildx")
    if answers([program]):
        provide_base_image([program], repository_root, require_program)
        yield [program]
        return
    daemon = require_program("dockerd")
    if os.geteuid() != 0:
        pytest.skip("no Docker daemon answers, and only root can start one")
    # Not under tmp_path: pytest would keep gigabytes, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="phoenix-docker-"))
    socket = f"unix://{folder}/socket"
    options = {"host": socket, "pidfile": folder / "pid"} | {
        f"{name}-root": folder / name for name in ("data", "exec")
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [daemon, *(f"--{name}={value}" for name, value in options.items())], stderr=log
        )
    try:
        started = [program, "--host", socket]
        deadline = time.monotonic() + 30
        while not answers(started):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        provide_base_image(started, repository_root, require_program)
        yield started
    finally:
        process.terminate()
        process.wait(timeout=60)
        # Takes minutes, for which no test need wait.
        subprocess.run(["sh", "-c", 'rm -rf "$0" &', folder], check=True)


@pytest.fixture(scope="module")
def run(client: list[str], repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Builds both images as `make images` does; runs `docker run` with the hardest settings."""
    settings = tmp_path_factory.mktemp("build") / "installer.env"
    known = {name: os.environ[name] for name in INSTALLER_SETTINGS if name in os.environ}
    settings.write_text("".join(f"{name}='{value}'\n" for name, value in known.items()))
    environment = {**os.environ, **settings_of(client), "INSTALLER_ENV": str(settings)}
    if "SSL_CERT_FILE" in os.environ:
        environment["CA_BUNDLE"] = os.environ["SSL_CERT_FILE"]
    subprocess.run([repository_root / ".ci/images"], env=environment, check=True)

    def execute(*arguments: str) -> subprocess.CompletedProcess[str]:
        hardened = ["--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--tmpfs=/tmp"]
        return subprocess.run(
            [*client, "run", *hardened, "--security-opt=no-new-privileges", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    return execute


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """A folder with a small configuration, writable for the user of the image."""
    folder = tmp_path / "deployment"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "phoenix.yaml").write_text(CONFIG)
    return folder


def last_line(output: str) -> dict[str, object]:
    return json.loads(output.splitlines()[-1])


@pytest.mark.parametrize("image", ["phoenix", "phoenix-airflow"])
def test_image_runs_as_a_numeric_user_and_has_no_tools_to_build_with(run: Run, image: str) -> None:
    tools = "id -u; for tool in gcc cc make pip uv; do command -v $tool; done; true"
    result = run("--entrypoint=sh", image, "-c", tools)
    assert result.stdout.split() == [UID]


@pytest.mark.parametrize("image", ["phoenix", "phoenix-airflow"])
def test_image_keeps_no_address_of_an_index_and_no_secret(
    run: Run, client: list[str], image: str
) -> None:
    command = [*client, "inspect", "--format={{json .Config.Env}}", image]
    environment = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert not re.search("INDEX|PROXY|CERT", environment)
    files = "ls /run/secrets /etc/pip.conf /opt/phoenix/pip.conf /app/requirements.lock 2>/dev/null"
    assert run("--entrypoint=sh", image, "-c", files).stdout == ""


@pytest.mark.parametrize(
    ("image", "present", "absent"),
    [
        ("phoenix", ["jax", "pyarrow", "components.step", "phoenix"], ["airflow"]),
        ("phoenix-airflow", ["airflow", "components.contract"], ["jax", "phoenix", "pyspark"]),
    ],
)
def test_image_holds_its_own_half_alone(
    run: Run, image: str, present: list[str], absent: list[str]
) -> None:
    script = (
        "import importlib.util, sys;"
        "print(*(importlib.util.find_spec(name) is not None for name in sys.argv[1:]))"
    )
    result = run("--entrypoint=python", image, "-c", script, *present, *absent)
    assert result.stdout.split() == ["True"] * len(present) + ["False"] * len(absent)


def test_airflow_image_imports_every_dag_and_the_plugin(run: Run) -> None:
    commands = (
        "(airflow db migrate && airflow dag-processor --num-runs 1) >/tmp/log 2>&1 || cat /tmp/log;"
        "airflow plugins --output plain | grep -o phoenix_pages;"
        "airflow dags list-import-errors --output json; echo; airflow dags list --output json"
    )
    home = ["--env=AIRFLOW_HOME=/tmp/airflow", "--entrypoint=sh"]
    lines = run(*home, "phoenix-airflow", "-c", commands).stdout.splitlines()
    dags = {dag["dag_id"] for dag in json.loads(lines[-1])}
    assert dags == {"phoenix_data", "phoenix_feeds", "phoenix_late", "phoenix_release"}, lines
    assert "phoenix_pages" in lines, lines
    assert "[]" in lines, "import errors: " + "\n".join(lines)


def test_step_in_the_image_writes_what_the_process_writes(run: Run, deployment: Path) -> None:
    arguments = ["-m", "components.ingest_events", "--config", "/data/phoenix.yaml", "--day", DAY]
    first = run(f"--volume={deployment}:/data", "phoenix", *arguments)
    assert first.returncode == 0, first.stderr
    again = run(f"--volume={deployment}:/data", "phoenix", *arguments)
    assert again.returncode == 99, again.stderr

    shutil.rmtree(deployment / "store")
    arguments[3] = str(deployment / "phoenix.yaml")
    process = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert last_line(process.stdout)["artifact"] == last_line(first.stdout)["artifact"]


def test_wrong_configuration_ends_the_container_with_78(run: Run, deployment: Path) -> None:
    (deployment / "phoenix.yaml").write_text(CONFIG.replace("num_users", "nmu_users"))
    arguments = ["-m", "components.ingest_events", "--config", "/data/phoenix.yaml", "--day", DAY]
    result = run(f"--volume={deployment}:/data", "phoenix", *arguments)
    assert result.returncode == 78
    assert "nmu_users" in str(last_line(result.stdout)["error"])


def test_docker_runner_of_airflow_runs_the_data_steps(
    run: Run, client: list[str], deployment: Path, repository_root: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        **settings_of(client),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(repository_root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(repository_root / "dags/plugins"),
        "PYTHONPATH": str(repository_root / "dags"),  # as the DAG processor has it
        "AIRFLOW__PHOENIX__RUNNER": "docker",
        "AIRFLOW__PHOENIX__IMAGE": "phoenix:latest",
        "AIRFLOW__PHOENIX__CONFIG": "/data/phoenix.yaml",
        "AIRFLOW__PHOENIX__MOUNTS": f"{deployment}=/data",
        "AIRFLOW__PHOENIX__RETRIES": "0",
    }
    airflow = [sys.executable, "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], env=environment, capture_output=True, check=True)
    script = (
        "import os; from airflow.dag_processing.dagbag import DagBag;"
        "dag = DagBag(os.environ['AIRFLOW__CORE__DAGS_FOLDER']).dags['phoenix_data'];"
        f"run = dag.test(run_conf={{'day': '{DAY}'}});"
        "print(); print(*sorted(f'{t.task_id}={t.state}' for t in run.get_task_instances()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    states = (
        "build_features=success ingest_events=success late_rows=skipped validate_events=success"
    )
    assert result.stdout.splitlines()[-1:] == [states], (
        result.stdout[-4000:] + result.stderr[-4000:]
    )
    for step in ("ingest_events", "validate_events", "build_features"):
        owners = {
            path.stat().st_uid for path in (deployment / "store" / step).rglob("manifest.json")
        }
        assert owners == {int(UID)}
