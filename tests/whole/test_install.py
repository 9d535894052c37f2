"""Lobby as it is installed: the commands of the install page, the units, the image, the containers."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import host
from demo.__main__ import desk_settings, play
from demo.journey import STEPS, Journey, suggest
from demo.outside import Outside
from demo.processes import Host, Program, Sandbox, clean_environment, free_port
from host.cli.commands import main
from host.core import config
from host.health import probes
from host.process import shutdown
from tests.conftest import POSTGRESQL, fresh_server_database
from tests.live.test_nginx import nginx
from tests.whole.release import build

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "install.md").read_text()
OPERATE = (ROOT / "docs" / "operate.md").read_text()
LOBBY = "/opt/lobby/bin/lobby"
UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))
COMMANDS = set(main.list_commands(click.Context(main)))


def blocks(heading: str) -> list[str]:
    """Return the commands the install page gives below *heading*."""
    section = PAGE.partition(f"{heading}\n")[2]
    section = re.split(r"^##+ ", section, maxsplit=1, flags=re.M)[0]
    return re.findall(r"```sh\n(.*?)```", section, re.S)


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / name)
    return parser["Service"]


WITHOUT_EXTRAS = [one for one in STEPS if one[1] is not suggest]
"""Asking a model takes the extra ``assistants``."""

# What holds without installing anything


def test_the_page_the_image_and_the_code_name_the_same_file() -> None:
    named = set(re.findall(r"lobby_desk-[\w.-]+\.whl", PAGE))
    assert named == {host.WHEEL}
    assert f"/{host.WHEEL}[otel]'" in host.installing("otel")


def test_the_page_names_every_extra() -> None:
    there = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    table = PAGE.partition("### Extras\n")[2].partition("###")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == there - {"dev"}


def test_nobody_is_told_to_install_a_strangers_package() -> None:
    for folder in ("host", "docs", "deploy"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".yaml", ".html"}:
                assert not re.search(r"pip install .?lobby\b", path.read_text()), path


@pytest.mark.parametrize(
    ("name", "command", "patience"),
    [
        ("lobby.service", "run", shutdown.GRACE_SECONDS),
        ("lobby-web@.service", "run", shutdown.GRACE_SECONDS),
        ("lobby-worker.service", "worker", shutdown.WORKER_PATIENCE_SECONDS),
    ],
)
def test_a_unit_starts_a_command_there_is_and_gives_it_time_to_end(
    name: str, command: str, patience: float
) -> None:
    service = unit(name)
    assert service["ExecStart"] == f"{LOBBY} {command}"
    assert command in COMMANDS
    assert service["Restart"] == "always"
    assert int(service["TimeoutStopSec"]) > patience


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_a_unit(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    made = tmp_path / name
    made.write_text((DEPLOY / name).read_text().replace(LOBBY, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(made)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_units_may_write_where_the_settings_put_files() -> None:
    """The rest of the machine is read-only to them; what is bound has to be there before."""
    (shared,) = re.findall(r"^# LOBBY_FILES=(/\S+)$", (DEPLOY / "lobby.env").read_text(), re.M)
    for name in UNITS:
        service = unit(name)
        assert service["ProtectSystem"] == "strict"
        assert service["ReadWritePaths"].removeprefix("-") == shared
    (script,) = [one for one in blocks("### As a service") if "useradd" in one]
    for name in ("lobby-worker.service", "lobby-web@.service"):
        bound = unit(name)["BindPaths"].partition(":")[0]
        assert f"install -d -o lobby -g lobby -m 700 {bound}\n" in script


def test_the_image_has_the_extras_the_page_says() -> None:
    (default,) = re.findall(r"^ARG EXTRAS=(.*)$", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert compose()["migrate"]["build"]["args"]["EXTRAS"] == f"${{EXTRAS:-{default}}}"
    first, second = default.split(",")
    assert f"The image has the extras `{first}` and `{second}`." in PAGE


def test_every_setting_of_deploy_is_one() -> None:
    known = {setting.variable for setting in config.SETTINGS}
    for path in DEPLOY.iterdir():
        named = set(re.findall(r"\bLOBBY_[A-Z_]+\b", path.read_text()))
        assert named <= known, path


def test_every_container_runs_a_command_there_is_and_is_given_time_to_end() -> None:
    ours = {name: one for name, one in compose().items() if one["image"] == "lobby"}
    assert sorted(ours) == ["migrate", "web1", "web2", "worker1", "worker2"]
    for name, one in ours.items():
        assert one["command"][0] in COMMANDS
        if name == "migrate":
            continue
        # `up --wait` is to return once the next one may be restarted.
        (found,) = re.findall(r"127\.0\.0\.1:(\d+)(/\w+)", one["healthcheck"]["test"][-1])
        assert found == ("8080" if name.startswith("web") else "8090", "/readyz")
        assert found[1] in probes.PATHS
        if name.startswith("web"):
            assert int(one["stop_grace_period"].removesuffix("s")) > shutdown.GRACE_SECONDS
        else:
            assert one["environment"]["LOBBY_WORKER_LISTEN"] == "127.0.0.1:8090"
            assert int(one["stop_grace_period"].removesuffix("s")) > shutdown.WORKER_PATIENCE_SECONDS


def test_each_container_has_a_data_folder_of_its_own_and_shares_the_files() -> None:
    folders = [one["volumes"] for one in compose().values() if one["image"] == "lobby" and "volumes" in one]
    own = [volume for volumes in folders for volume in volumes if volume.endswith(":/var/lib/lobby")]
    assert len(own) == len(set(own)) == len(folders) - 1 == 4
    assert "backups:/var/lib/lobby/backups" in compose()["migrate"]["volumes"]
    assert all("attachments:/var/lib/lobby/attachments" in volumes for volumes in folders)


def test_the_proxy_of_the_containers_asks_both_web_processes(tmp_path: Path) -> None:
    """Its command is run, up to where nginx begins."""
    script = compose()["proxy"]["command"][-1].partition(" && exec nginx")[0]
    made = tmp_path / "default.conf"
    script = script.replace("/etc/nginx/conf.d/default.conf", str(made))
    script = script.replace("/etc/nginx/conf.d/lobby.conf.in", str(DEPLOY / "nginx.conf"))
    subprocess.run(["sh", "-c", script], check=True)
    text = made.read_text()
    for how in ("max_fails=0", "max_fails=2 fail_timeout=5s", "max_fails=0 backup"):
        assert f"server web1:8080 {how}; server web2:8080 {how};" in text
    assert "127.0.0.1" not in text
    assert "/certs/privkey.pem" in text
    assert text.count("\n") == (DEPLOY / "nginx.conf").read_text().count("\n")


def test_the_settings_the_page_makes_for_the_containers_are_all_they_ask_for(tmp_path: Path) -> None:
    (script,) = blocks("### In containers")
    script = script.partition("docker compose")[0]
    (tmp_path / "deploy").mkdir()
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True)
    made = dict(line.split("=", 1) for line in (tmp_path / "deploy" / ".env").read_text().splitlines())
    asked = set(re.findall(r"\$\{(\w+):\?\}", (DEPLOY / "compose.yaml").read_text()))
    assert set(made) == asked
    given = {name: value for name, value in made.items() if name.startswith("LOBBY_")}
    loaded = config.load({**given, "LOBBY_DATA": str(tmp_path)})
    assert loaded.public_url == "https://desk.example.com"
    assert loaded.secret_keys


# What is installed in a checkout


CHECKOUT_FILES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "Makefile",
    "constraints.txt",
    "clients/python/pyproject.toml",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files by which make tells what to install."""
    for name in CHECKOUT_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def commands_of(checkout: Path, target: str) -> str:
    """Return the commands that ``make`` would run for *target*."""
    done = subprocess.run(["make", "-n", target], cwd=checkout, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_demo_installs_no_test_tools_and_tests_install_everything(checkout: Path) -> None:
    demo, tests = commands_of(checkout, "demo"), commands_of(checkout, "test")
    assert ("-e '.[assistants]'" in demo, "[dev]" in demo) == (True, False)
    assert "-e '.[dev]'" in tests
    assert all("install" in one and "takes a few minutes" in one for one in (demo, tests))
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed-demo").touch()
    assert "pip install" not in commands_of(checkout, "demo")
    assert "-e '.[dev]'" in commands_of(checkout, "test")


def test_where_everything_is_installed_a_demo_installs_nothing(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed").touch()
    assert "pip install" not in commands_of(checkout, "demo")


@pytest.mark.slow
def test_a_demo_plays_in_a_fresh_checkout(tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "data", "build", "tests")
    copy = shutil.copytree(ROOT, tmp_path / "lobby", ignore=left_out)
    (tmp_path / "home").mkdir()
    environment = {name: value for name, value in clean_environment().items() if name != "MAKEFLAGS"}
    done = subprocess.run(
        ["make", "demo", "ONCE=1"],
        cwd=copy,
        env={**environment, "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"journey: {len(STEPS)}/{len(STEPS)} steps" in done.stdout, done.stdout[-5000:] + done.stderr
    assert complaints(done.stdout + done.stderr) == []
    assert not list((copy / ".venv").glob("lib/*/site-packages/pytest"))


@pytest.mark.slow
def test_the_sandbox_and_a_desk_on_it_start_as_the_page_says(tmp_path: Path) -> None:
    """With an empty environment, but for where the desk keeps its data and serves."""
    here = str(Path(sys.executable).parent)
    sandbox, desk = (one.strip().replace(".venv/bin", here) for one in blocks("## Without Meta: the sandbox"))
    environment = {"LOBBY_DATA": str(tmp_path / "data"), "LOBBY_BIND": "127.0.0.1:0"}
    programs: list[Program] = []
    try:
        programs.append(Program.start("sandbox", ["/bin/sh", "-c", f"exec {sandbox} --port 0"], {}))
        url = programs[0].wait_for(r"sandbox listening on (http://\S+)").group(1)
        programs.append(Program.start("lobby", ["/bin/sh", "-c", f"exec {desk} {url}"], environment))
        programs[1].wait_for("lobby listening on ")
    finally:
        for program in programs:
            program.stop()


# From the file to a first message


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a release, as `make wheel` makes them."""
    return build(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def installed(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Lobby in it, installed by the page's first commands, far from the checkout."""
    home = tmp_path_factory.mktemp("home")
    prefix = tmp_path_factory.mktemp("opt") / "lobby"
    run(blocks("## Install from the file")[0], prefix, release, home)
    return prefix


def run(script: str, prefix: Path, folder: Path, home: Path) -> None:
    """Run commands of the page in *folder*, with *prefix* for ``/opt/lobby`` and an empty *home*."""
    environment = {
        name: value
        for name, value in clean_environment().items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("/opt/lobby", str(prefix))],
        cwd=folder,
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert complaints(done.stdout + done.stderr) == []


def complaints(output: str) -> list[str]:
    """Return what pip, and what builds packages for it, say of the packages themselves."""
    said = r"^ *(?:DEPRECATION: .*|WARNING: .* does not provide the extra .*|\S+: \w+Warning: .*)$"
    return re.findall(said, output, re.M)


@pytest.fixture
def world() -> Iterator[tuple[Sandbox, Outside, dict[str, str]]]:
    """What a desk talks to, and the settings that say where it is."""
    sandbox, outside = Sandbox.start(), Outside()
    outside.start()
    try:
        yield sandbox, outside, desk_settings(sandbox, outside, free_port())
    finally:
        outside.stop()
        sandbox.program.stop()


def smtp_port(settings: dict[str, str]) -> int:
    return int(settings["LOBBY_SMTP_LISTEN"].rpartition(":")[2])


@pytest.mark.slow
def test_from_the_file_to_a_first_message(
    installed: Path, world: tuple[Sandbox, Outside, dict[str, str]], tmp_path: Path
) -> None:
    sandbox, outside, settings = world
    started = blocks("## Install from the file")[1]
    assert started.splitlines()[-1] == f"{LOBBY} run"
    host = Host.start(
        tmp_path / "data",
        port=free_port(),
        settings=settings,
        lobby=[str(installed / "bin" / "lobby")],
        folder=tmp_path,
    )
    try:
        assert not play(Journey(sandbox, host, outside, smtp_port(settings)), WITHOUT_EXTRAS)
    finally:
        host.program.stop()
    assert "Traceback" not in host.program.output


@pytest.mark.slow
def test_an_extra_comes_from_the_same_file(installed: Path, release: Path, tmp_path: Path) -> None:
    run(blocks("### Extras")[0], installed, release, tmp_path)
    look = "import dramatiq, pika, redis, opentelemetry.sdk, host; print(host.__file__)"
    found = subprocess.run(
        [str(installed / "bin" / "python"), "-c", look],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(found.stdout.strip()).is_relative_to(installed)


@pytest.mark.slow
def test_nothing_that_only_developers_need_is_installed(installed: Path) -> None:
    listed = subprocess.run(
        [str(installed / "bin" / "pip"), "list", "--format=freeze"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.lower()
    assert "flask==" in listed
    for name in ("pytest", "mypy", "ruff", "playwright", "djlint"):
        assert f"{name}==" not in listed


@pytest.fixture(scope="module")
def image(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds in ``/opt/lobby``: its commands are run here, but for making its user."""
    text = (DEPLOY / "Dockerfile").read_text()
    _, build, final = re.split(r"^FROM ", text, flags=re.M)
    base = tmp_path_factory.mktemp("image")
    commands = re.findall(r"^RUN (.*)$", build + "\n" + final, re.M)
    assert len(commands) == 4
    given = "".join(f"{name}={value}\n" for name, value in re.findall(r"^ARG (\w+)=(.*)$", final, re.M))
    source = base / "src"
    source.mkdir()
    for line in re.findall(r"^COPY (?!--from)(.*)$", build, re.M):
        *names, _ = line.split()
        for name in names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
    shutil.copy(ROOT / "constraints.txt", base)
    for command in commands:
        if command.startswith("useradd"):
            continue
        here = re.sub(r"^pip ", f"{shlex.quote(sys.executable)} -m pip ", command)
        run(
            given + here.replace("/wheels", str(base)).replace("--no-cache-dir ", ""),
            base / "lobby",
            source,
            base,
        )
    return base / "lobby"


@pytest.mark.slow
@pytest.mark.services
def test_the_containers_commands_make_a_desk(
    image: Path, world: tuple[Sandbox, Outside, dict[str, str]], tmp_path: Path
) -> None:
    """Each with its own environment, as the engine would make it, on PostgreSQL and Redis, behind nginx."""
    sandbox, outside, settings = world
    front, ports = free_port(), {"web1": free_port(), "web2": free_port()}
    listening = {"worker1": free_port(), "worker2": free_port()}
    given = {
        "POSTGRES_PASSWORD": "unused",
        "LOBBY_PUBLIC_URL": f"http://127.0.0.1:{front}",
        "LOBBY_SECRET_KEYS": "k1:" + "A" * 43 + "=",
        "LOBBY_SESSION_KEY": "b" * 64,
    }
    files = tmp_path / "attachments"
    files.mkdir()
    running: dict[str, Program] = {}

    def start(name: str, url: str, *instead: str) -> None:
        service, folder = compose()[name], tmp_path / name
        if not folder.exists():
            folder.mkdir()
            (folder / "attachments").symlink_to(files)
            (folder / "backups").mkdir()
        environment = {
            **clean_environment(),
            **settings,
            **{key: filled(value, given) for key, value in service["environment"].items()},
            "LOBBY_DATABASE_URL": url,
            "LOBBY_LIMITS_URL": "redis://127.0.0.1:6379/9",
            "LOBBY_BROKER_URL": "redis://127.0.0.1:6379/10",
            "LOBBY_DATA": str(folder),
            "LOBBY_BIND": f"127.0.0.1:{ports.get(name, 0)}",
            "PYTHONUNBUFFERED": "1",
        }
        if name in listening:  # one address in each container
            environment["LOBBY_WORKER_LISTEN"] = f"127.0.0.1:{listening[name]}"
        if name != "web1":
            del environment["LOBBY_SMTP_LISTEN"]  # one address, and here one machine
        command = [str(image / "bin" / "lobby"), *(instead or service["command"])]
        running[name] = Program.start(name, command, environment, folder=folder)

    def check(name: str, port: str) -> None:
        """Run the container's health check."""
        command = [part.replace("/opt/lobby", str(image)) for part in compose()[name]["healthcheck"]["test"]]
        command[-1] = re.sub(r"(?<=127\.0\.0\.1):\d+", port, command[-1])
        subprocess.run(command[1:], check=True)

    for url in fresh_server_database(POSTGRESQL):
        try:
            start("migrate", url)
            assert running.pop("migrate").process.wait(60) == 0
            for name, port in ports.items():
                start(name, url)
                running[name].wait_for("lobby listening on ")
                check(name, f":{port}")
            for name, port in listening.items():
                start(name, url)
                running[name].wait_for("lobby worker running")
                check(name, f":{port}")
            said = running["web1"].output + running["web2"].output
            (link,) = re.findall(r"Set up this desk: ([^\s\"]+)", said)
            host = Host(running["web1"], given["LOBBY_PUBLIC_URL"], tmp_path, link)
            with nginx(tmp_path, *ports.values(), own=front):
                assert not play(Journey(sandbox, host, outside, smtp_port(settings)), WITHOUT_EXTRAS)
            (backup,) = re.findall(r"run --rm migrate (backup .*)", OPERATE)
            start("migrate", url, *backup.replace("/var/lib/lobby", str(tmp_path / "migrate")).split())
            running["migrate"].wait_for("rows, ")
            assert running.pop("migrate").process.wait(60) == 0
        finally:
            for program in reversed(running.values()):
                program.stop()


def filled(value: str, given: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+):\?\}", lambda found: given[found.group(1)], value)
