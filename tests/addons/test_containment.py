"""What an addon does by mistake stays with the addon: its exits, its forks, its hanging."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from host.addons import lifecycle
from host.addons.metrics import in_process
from host.addons.operation_lock import is_running, operation
from host.addons.package.failures import AddonError
from host.addons.running import hook_child, hooks_apart
from host.core import db, marks
from host.models.addons import Addon, AddonState
from host.process.serving import HostApplication
from tests.addons.conftest import TOY, MakeZip, another_process


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    in_process.reset()
    yield
    in_process.reset()


def exits(*_: object) -> None:
    sys.exit(3)


# An exit


def test_an_exit_in_addon_code_is_an_error_of_the_addon() -> None:
    called = in_process.metrics().counted("toy", "1.0.0", "parse", exits)
    with pytest.raises(Exception, match="tried to end the process") as caught:
        called()
    assert isinstance(caught.value.__cause__, SystemExit)
    assert in_process.metrics().seen()["toy", "1.0.0", "parse"].faults == 1


def test_having_to_wait_is_no_fault_and_is_passed_on() -> None:
    def decide() -> None:
        raise db.WouldWaitError

    called = in_process.metrics().counted("toy", "1.0.0", "authenticate", decide)
    with pytest.raises(db.WouldWaitError):
        called()
    assert not in_process.metrics().seen()


EXITS = {
    "a view": "about.__code__ = (lambda: sys.exit(3)).__code__\n",
    "what comes before it": "bp.before_request(lambda: sys.exit(3))\n",
}


@pytest.mark.parametrize("place", EXITS)
def test_a_page_that_exits_is_a_page_that_failed(
    desk: HostApplication, toy_zip: MakeZip, toy_source: Callable[..., Path], place: str
) -> None:
    source = (toy_source() / "toy" / "pages.py").read_text()
    changed = f"import sys\n{EXITS[place]}"
    lifecycle.install_file(desk.config, toy_zip({"toy/pages.py": f"{source}\n\n{changed}"}))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    assert Client(desk).get("/addons/toy/about").status_code == 500
    assert Client(desk).get("/login").status_code == 200


# A fork

FORKS = """
import os, sys, time
from pathlib import Path
from host.core import config, db
from host.addons.operation_lock import operation
settings = config.load({"LOBBY_DATA": sys.argv[1], "LOBBY_DATABASE_URL": sys.argv[2]})
with operation(settings):
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    sys.stdin.read()
    os._exit(0)
"""


@pytest.mark.slow
def test_the_operation_lock_ends_with_its_holder_though_a_child_lives_on(any_desk: HostApplication) -> None:
    config = any_desk.config
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, str(config.data), config.database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        forked = int(holder.stdout.readline())
        try:
            assert is_running(config)
            holder.kill()
            holder.wait()
            deadline = time.monotonic() + 5
            while is_running(config) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not is_running(config)
            with operation(config):
                pass
        finally:
            os.kill(forked, signal.SIGKILL)


# Marks


def dies_in(data: Path, *marked: tuple[str, str], how: str = "os._exit(3)") -> None:
    """Have a process die in threads marked with these."""
    code = (
        "import os, sys, threading, time\nfrom pathlib import Path\nfrom host.core import marks\n"
        f"marks.begin(Path({str(data)!r}))\n"
        f"for one in {marked!r}:\n"
        "    entered = threading.Event()\n"
        "    def run(one=one, entered=entered):\n"
        "        marks.enter(marks.label(*one)); entered.set(); time.sleep(60)\n"
        "    threading.Thread(target=run, daemon=True).start(); entered.wait()\n"
        f"{how}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)


@pytest.fixture(autouse=True)
def _no_marks() -> Iterator[None]:
    yield
    marks.end()


@pytest.mark.parametrize("how", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_the_addon_three_processes_died_in_is_named(data: Path, how: str) -> None:
    for _ in range(2):
        dies_in(data, ("toy", "parse"), how=how)
        assert marks.begin(data) is None
        marks.end()
    dies_in(data, ("toy", "parse"), how=how)
    assert marks.begin(data) == marks.Guilty("toy", "parse", 3)
    assert marks.begin(data) is None, "it is told once"


@pytest.mark.parametrize("how", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.abort()"])
@pytest.mark.parametrize("what", ["job sweep", "listener toy.parcels", "panel toy.things", "parse"])
def test_code_that_ends_the_process_itself_is_named_after_the_first_end(
    data: Path, how: str, what: str
) -> None:
    dies_in(data, ("busy", "send"), how=f"marks.enter(marks.label('toy', {what!r})); {how}")
    assert marks.begin(data) == marks.Guilty("toy", what, 1)
    assert marks.begin(data) is None, "it is told once"


@pytest.mark.parametrize(
    "how",
    [
        "marks.enter(marks.label('toy', 'parse')); os.fork() or os._exit(3); os.wait(); marks.leave(b'')",
        "marks.leave(marks.enter(marks.label('toy', 'parse'))); os._exit(3)",
        "marks.enter(marks.label('toy', 'parse')); os.kill(os.getpid(), 0); marks.leave(b''); os._exit(3)",
    ],
)
def test_it_is_named_for_nothing_else_it_did_before(data: Path, how: str) -> None:
    dies_in(data, how=how)
    assert marks.begin(data) is None


def test_of_several_the_one_entered_last_is_named(data: Path) -> None:
    for _ in range(3):
        dies_in(data, ("busy", "send"), ("toy", "parse"))
    assert marks.begin(data) == marks.Guilty("toy", "parse", 3)


def test_a_process_that_ends_in_order_leaves_nothing(data: Path) -> None:
    for _ in range(3):
        dies_in(data, ("toy", "parse"), how="sys.exit(3)")
    assert marks.begin(data) is None
    assert not [*(data / marks.FOLDER).glob("*.marks")][1:], "only that of this process is there"


def test_a_death_outside_of_addons_shows_that_none_was_to_blame(data: Path) -> None:
    for _ in range(2):
        dies_in(data, ("toy", "parse"))
    dies_in(data)
    dies_in(data, ("toy", "parse"))
    assert marks.begin(data) is None


def test_deaths_are_for_nobody_else_to_read(data: Path) -> None:
    before = os.umask(0o022)
    try:
        marks.begin(data)
    finally:
        os.umask(before)
    assert (data / marks.FOLDER / "deaths.json").stat().st_mode & 0o777 == 0o600


def test_deaths_long_ago_do_not_count(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        dies_in(data, ("toy", "parse"))
    assert marks.begin(data) is None
    dies_in(data, ("toy", "parse"))
    later = time.time() + marks.WITHIN_SECONDS
    monkeypatch.setattr(marks.time, "time", lambda: later)
    assert marks.begin(data) is None


def test_one_that_waits_for_somebody_else_is_not_marked(data: Path) -> None:
    marks.begin(data)
    (file,) = (data / marks.FOLDER).glob("*.marks")
    before = marks.enter(marks.label("toy", "send"))
    with marks.waiting():
        assert b"toy" not in file.read_bytes()
    assert b"toy\0send" in file.read_bytes()
    marks.leave(before)
    assert b"toy" not in file.read_bytes()


def test_what_is_counted_is_marked(data: Path) -> None:
    marks.begin(data)
    (file,) = (data / marks.FOLDER).glob("*.marks")
    inside = in_process.metrics().counted("toy", "1.0.0", "parse", file.read_bytes)
    assert b"toy\0parse" in inside()
    assert b"toy" not in file.read_bytes()


KILLER = """


import os.path


def authenticate(request, real=authenticate):
    if os.path.exists({fuse!r}):
        os._exit(3)
    return real(request)
"""

SERVES = """
import sys
from werkzeug.test import Client
from host.core import config
from host.models.addons import Addon, AddonState
from host.process.serving import HostApplication
desk = HostApplication(config.load({{"LOBBY_DATA": {data!r}, "LOBBY_DATABASE_URL": {url!r},
    "LOBBY_PUBLIC_URL": "http://localhost", "LOBBY_WORKERS": "0"}}))
answer = Client(desk).post("/addons/toy/webhook", data=b"x")
print(answer.status_code, flush=True)
desk.close()
"""


@pytest.mark.slow
def test_no_event_ends_processes_for_ever(desk: HostApplication, toy_zip: MakeZip) -> None:
    fuse = desk.config.data / "fuse"
    changes = {"toy/webhook.py": lambda text: text + KILLER.format(fuse=str(fuse))}
    lifecycle.install_file(desk.config, toy_zip(changes))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    desk.close()
    marks.end()
    fuse.touch()
    code = SERVES.format(data=str(desk.config.data), url=desk.config.database_url)
    ended = [
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [one.returncode for one in ended] == [3, 0], ended[-1].stderr
    assert ended[-1].stdout.strip() == "200", "the request is kept until the addon runs again"
    with db.read() as session:
        row = session.get_one(Addon, "toy")
        assert row.state == AddonState.QUARANTINED
        assert row.error["sentence"].startswith("The addon ended the process and was quarantined.")
        assert "authenticate" in row.error["database"]


# Something hangs

HANGS = """
import sys
from host.addons import lifecycle
from host.core import config, db
settings = config.load({{"LOBBY_DATA": {data!r}, "LOBBY_DATABASE_URL": {url!r}, "LOBBY_REHEARSAL_MB": "0"}})
db.connect(settings.database_url)
print(lifecycle.activate(settings, "toy").error["sentence"])
"""


@pytest.mark.slow
def test_disabling_offline_works_while_a_migration_hangs(desk: HostApplication, toy_zip: MakeZip) -> None:
    began = desk.config.data / "began"
    hangs = f"def upgrade() -> None:\n    open({str(began)!r}, 'w')\n    import time; time.sleep(600)\n"
    name = next(one.name for one in (TOY / "migrations" / "versions").glob("0002*"))
    changes = {f"migrations/versions/{name}": lambda text: f"{text}\n\n{hangs}"}
    lifecycle.install_file(desk.config, toy_zip(changes))
    places = {"data": str(desk.config.data), "url": desk.config.database_url}
    environment = {"LOBBY_DATA": places["data"], "LOBBY_DATABASE_URL": places["url"], "PATH": os.defpath}
    with subprocess.Popen(
        [sys.executable, "-c", HANGS.format(**places)], stdout=subprocess.PIPE, text=True
    ) as activating:
        deadline = time.monotonic() + 60
        while not began.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        at = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "host.cli", "addon", "disable", "toy", "--offline"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - at < 20
        said, _ = activating.communicate(timeout=60)
        assert "crashed its process" in said
    with db.read() as session:
        row = session.get_one(Addon, "toy")
        assert row.state in {AddonState.INACTIVE, AddonState.MIGRATION_FAILED}
        assert not row.wanted


def told(hook: str, code: str) -> dict[str, Callable[[str], str]]:
    """Return the change of the toy that has its *hook* run *code* in place of what it does."""
    return {"toy/addon.py": lambda text: text.replace(f'events.note("{hook}")', code)}


@pytest.mark.slow
def test_a_hook_that_hangs_is_ended_with_what_it_started(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hooks_apart, "SECONDS", 6.0)
    began = desk.config.data / "began"
    hangs = (
        "import os, subprocess, time\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        f"    open({str(began)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "    time.sleep(600)"
    )
    lifecycle.install_file(desk.config, toy_zip(told("activated", hangs)))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    assert not is_running(desk.config)
    assert "toy" in desk.generation().releases
    assert "addon_activated failed: it had not returned after 6 s and was ended" in caplog.text
    for pid in map(int, began.read_text().split()):
        assert pid != os.getpid()
        deadline = time.monotonic() + 10
        while _lives(pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _lives(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not asked about yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("hook", ["activated", "deactivated"])
def test_no_operation_is_held_up_while_a_hook_is_waited_for(
    desk: HostApplication, toy_zip: MakeZip, hook: str
) -> None:
    seen = desk.config.data / "seen"
    asks = (
        "import os, time\n"
        f"    open({str(seen)!r}, 'w').close()\n"
        f"    while os.path.exists({str(seen)!r}): time.sleep(0.01)"
    )
    changes = {"toy/addon.py": lambda text: text.replace(f'events.note("{hook}")', asks)}
    lifecycle.install_file(desk.config, toy_zip(changes))
    if hook == "deactivated":
        assert lifecycle.activate(desk.config, "toy", host=desk).ok
    act = lifecycle.activate if hook == "activated" else lifecycle.deactivate
    waiting = threading.Thread(target=act, args=(desk.config, "toy"), kwargs={"host": desk})
    waiting.start()
    try:
        deadline = time.monotonic() + 60
        while not seen.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with operation(desk.config):
            pass
        assert waiting.is_alive(), "the hook is still waited for"
    finally:
        seen.unlink(missing_ok=True)
        waiting.join()


@pytest.mark.parametrize("hook", ["activated", "deactivated"])
@pytest.mark.parametrize("way", ["raise SystemExit(3)", "__import__('os')._exit(3)", "1 / 0"])
def test_a_hook_that_ends_its_process_ends_nothing_else(
    desk: HostApplication, toy_zip: MakeZip, caplog: pytest.LogCaptureFixture, hook: str, way: str
) -> None:
    lifecycle.install_file(desk.config, toy_zip(told(hook, way)))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert not is_running(desk.config)
    assert f"addon_{hook} failed" in caplog.text
    assert in_process.metrics().seen()["toy", "1.0.0", f"addon_{hook}"].faults == 1


def test_a_hook_does_what_the_addon_does_otherwise(desk: HostApplication, toy_zip: MakeZip) -> None:
    code = (
        "import sqlalchemy as sa\n"
        "    from host.sdk import db\n"
        "    db.write(lambda session: session.execute(sa.text('DELETE FROM toy_accounts')) and None)\n"
        "    raise RuntimeError('written')"
    )
    lifecycle.install_file(desk.config, toy_zip(told("activated", code)))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    assert "written" in in_process.metrics().seen()["toy", "1.0.0", "addon_activated"].last_error


def test_a_hook_of_what_cannot_be_loaded_says_why(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = lifecycle.install_file(desk.config, toy_zip())
    monkeypatch.setattr("host.__version__", "2.0.0")
    with pytest.raises(AddonError, match="It needs Lobby"):
        hook_child.call(desk.config, release, "addon_activated")


def test_what_was_looked_up_for_an_addon_is_dropped_in_every_process(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    other = another_process(desk)
    try:
        for one in (desk, other):
            secrets = one.generation().releases["toy"].plugin.webhook.secrets
            secrets.get()
        kept = secrets
        assert kept._value is not None
        lifecycle.deactivate(desk.config, "toy", host=desk)
        assert kept._value is None
    finally:
        other.close()


def test_a_process_that_serves_is_hidden_from_others_of_its_user() -> None:
    code = (
        "import ctypes\nfrom host.core import child_limits\n"
        "child_limits.hide()\nprint(ctypes.CDLL(None).prctl(3))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
