"""Trying an addon in a child process: whatever its code does there, the host hears one plain sentence."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.addons.package import imports
from host.addons.package import manifest as manifests
from host.addons.package.failures import AddonError
from host.addons.running import contributions, probe
from tests.addons.conftest import TOY

Source = Callable[[dict[str, Any]], Path]


PROCESS = {"os._exit", "killed", "closed descriptors", "memory"}
COLD = pytest.mark.usefixtures("cold_children")
"""What is said about the process itself is found out in one that was started as the product starts it."""


def run(folder: Path, timeout: float = 20) -> probe.ContributedNames:
    return probe.run(folder, manifests.read_manifest(folder), timeout=timeout)


def test_a_good_addon_is_reported_in_full() -> None:
    seen = run(TOY)
    assert seen.names(contributions.CHANNELS) == ("toy",)
    assert seen.names(contributions.WEBHOOKS) == ("/addons/toy/webhook",)
    assert seen.tables == ("toy_accounts",)
    assert seen.names(contributions.JOBS) == ("sweep",)
    assert seen.names(contributions.RECEIVERS) == ("ear",)
    assert seen.names(contributions.CONDITIONS) == ("toy.long",)
    assert seen.names(contributions.ACTIONS) == ("toy.thank",)
    assert set(seen.names(contributions.BLUEPRINTS)) == {"/addons/toy/members", "/addons/toy/about"}
    assert "addon_activated" in seen.hooks


def at_import(code: str) -> dict[str, Any]:
    return {"toy/addon.py": lambda text: text + "\n" + code}


def in_hook(name: str, code: str) -> dict[str, Any]:
    def change(text: str) -> str:
        start = text.index(f"def {name}(")
        body = text.index(":\n", start) + 2
        return text[:body] + f"    {code}\n" + text[body:]

    return {"toy/addon.py": change}


IMPORT = "cannot be imported"
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "syntax error": ({"toy/addon.py": "def broken(:\n"}, "not Python that can be read"),
    "import error": (at_import("raise ImportError('nothing')"), IMPORT),
    "sys.exit": (at_import("import sys; sys.exit(0)"), IMPORT),
    "keyboard interrupt": (at_import("raise KeyboardInterrupt"), IMPORT),
    "recursion": (at_import("def f(): f()\nf()"), IMPORT),
    "os._exit": (at_import("import os; os._exit(0)"), "ended the process"),
    "killed": (at_import("import os, signal; os.kill(os.getpid(), 9)"), "ended the process"),
    "closed descriptors": (
        at_import("import os\nfor fd in range(1, 200):\n    try: os.close(fd)\n    except OSError: pass"),
        "corrupted|ended the process",
    ),
    "memory": (at_import("x = bytearray(8 * 1024**3)"), "memory|cannot be imported"),
    "misspelt hook": (
        at_import("@hookimpl\ndef register_chanels() -> list[object]:\n    return []"),
        "a hook that Lobby does not have",
    ),
    "hook with other arguments": (
        {"toy/addon.py": lambda t: t.replace("def register_jobs()", "def register_jobs(app)")},
        "a hook that Lobby does not have, or with different arguments",
    ),
    "hook raises": (in_hook("register_channels", "raise ValueError('no')"), "It failed in register_channels"),
    "hook ends the process": (
        in_hook("register_channels", "raise SystemExit"),
        "It failed in register_channels",
    ),
    "hook returns one thing": (in_hook("register_channels", "return ToyChannel()"), "instead of a list"),
    "hook returns other things": (in_hook("register_channels", "return ['toy']"), "str where ChannelAdapter"),
    "undeclared import": (at_import("import requests"), "imports requests"),
    "host internals": (at_import("from host.core import db"), "imports host.core"),
    "host internals by path": (at_import("import host.models.inbox"), "imports host.models.inbox"),
    "itself by name": (at_import("import toy.channel"), "relatively"),
    "outside by dots": (at_import("from ... import something"), "from outside its package"),
    "undeclared channel": (
        {"toy/channel.py": lambda t: t.replace('key = "toy"', 'key = "other"')},
        "'other' is not declared",
    ),
    "card for another channel": (
        {"toy/connect.py": lambda t: t.replace('channel="toy"', 'channel="email"')},
        "'email' is not a channel of this addon",
    ),
    "field of the desk's own forms": (
        {"toy/connect.py": lambda t: t.replace('Field("secret"', 'Field("password"')},
        "a field cannot be called 'password'",
    ),
    "undeclared route": (
        {"toy/addon.py": lambda t: t.replace('WebhookRoute("webhook"', 'WebhookRoute("hook"')},
        "'hook' is not among the declared routes",
    ),
    "route outside": (
        {"toy/addon.py": lambda t: t.replace('WebhookRoute("webhook"', 'WebhookRoute("../../login"')},
        "is not usable",
    ),
    "undeclared table": (
        {"addon.toml": lambda t: t.replace('tables = ["toy_accounts"]', "tables = []")},
        "toy_accounts is not declared",
    ),
    "table outside the prefix": (
        {"toy/models.py": lambda t: t.replace('"toy_accounts"', '"users"')},
        IMPORT,
    ),
    "undeclared job": (
        {"addon.toml": lambda t: t.replace('jobs = ["sweep"]', "")},
        "'sweep' is not declared",
    ),
    "condition under another's name": (
        {"toy/rules.py": lambda t: t.replace('"toy.long"', '"email.long"')},
        "'email.long' must be toy.<word>",
    ),
    "action without a usable name": (
        {"toy/rules.py": lambda t: t.replace('"toy.thank"', '"toy.Thank!"')},
        "'toy.Thank!' must be toy.<word>",
    ),
    "condition on another channel": (
        {"toy/rules.py": lambda t: t.replace('"toy.long", "toy"', '"toy.long", "email"')},
        "'email' is not a channel of this addon",
    ),
    "action on another channel": (
        {"toy/rules.py": lambda t: t.replace('"toy.thank", "toy"', '"toy.thank", "email"')},
        "'email' is not a channel of this addon",
    ),
    "condition twice": (
        {"toy/rules.py": lambda t: t + "\nCONDITIONS *= 2\n"},
        "register_conditions: two have the same name",
    ),
    "action without a title": (
        {"toy/rules.py": lambda t: t.replace('"say thank you"', '""')},
        "register_actions: one has no title",
    ),
    "tool whose parameters are no object": (
        {"toy/rules.py": lambda t: t + "\nDAY['type'] = 'string'\n"},
        "the parameters of 'toy.opens' are no JSON schema of an object",
    ),
    "tool that does not say when": (
        {"toy/rules.py": lambda t: t.replace('"When they say goodbye."', '""')},
        "'toy.wave' does not say when it is used",
    ),
    "other things as conditions": (
        in_hook("register_conditions", "return rules.ACTIONS"),
        "RuleAction where RuleCondition",
    ),
    "missing page template": ({"templates/toy/settings.html": None}, "no template 'toy/settings.html'"),
    "migrations elsewhere": (
        {"toy/addon.py": lambda t: t.replace('/ "migrations")', '.parent / "migrations")')},
        "is not inside the addon",
    ),
    "blueprint for the whole app": (
        {"toy/pages.py": lambda t: t + "\n\n@bp.before_app_request\ndef spy() -> None: ...\n"},
        "reaches into the whole app: before_app_request",
    ),
    "error handler for the whole app": (
        {
            "toy/pages.py": lambda t: (
                t + "\n\n@bp.app_errorhandler(404)\ndef spy(error: object) -> str: return ''\n"
            )
        },
        "reaches into the whole app: app_errorhandler",
    ),
    "context for the whole app": (
        {"toy/pages.py": lambda t: t + "\n\n@bp.app_context_processor\ndef spy() -> dict: return {}\n"},
        "reaches into the whole app: app_context_processor",
    ),
    "filter for the whole app": (
        {"toy/pages.py": lambda t: t + "\n\n@bp.app_template_filter()\ndef spy(x: str) -> str: return x\n"},
        "reaches into the whole app: jinja",
    ),
    "hand on the app": (
        {"toy/pages.py": lambda t: t + "\n\nbp.record(lambda s: s.app.config.update(SECRET_KEY='x'))\n"},
        "reaches into the whole app: config",
    ),
    "route of the app": (
        {"toy/pages.py": lambda t: t + "\n\nbp.record(lambda s: s.app.add_url_rule('/login', 'x', about))\n"},
        "/login is outside",
    ),
    "other blueprint name": (
        {"toy/pages.py": lambda t: t.replace('Blueprint("toy_pages"', 'Blueprint("inbox"')},
        "must be toy_",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said_in_one_sentence(
    request: pytest.FixtureRequest, name: str, toy_source: Source
) -> None:
    if name in PROCESS:
        request.getfixturevalue("cold_children")
    changes, sentence = CASES[name]
    with pytest.raises(AddonError, match=sentence) as caught:
        run(toy_source(changes))
    assert "Traceback" not in caught.value.sentence
    assert caught.value.sentence.endswith(".")


def test_code_that_hangs_is_ended(toy_source: Source) -> None:
    started = time.monotonic()
    with pytest.raises(AddonError, match="did not finish loading within 1 seconds"):
        run(toy_source(at_import("while True: pass")), timeout=1)
    assert time.monotonic() - started < 60


def test_children_it_starts_do_not_hold_the_probe_up(toy_source: Source) -> None:
    started = time.monotonic()
    run(toy_source(at_import("import subprocess; subprocess.Popen(['sleep', '30'])")))
    assert time.monotonic() - started < 60


def test_threads_it_starts_do_not_hold_the_probe_up(toy_source: Source) -> None:
    run(
        toy_source(
            at_import("import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()")
        )
    )


def test_a_flood_of_output_goes_nowhere(toy_source: Source) -> None:
    seen = run(toy_source(at_import("import sys\nfor _ in range(3000): sys.stdout.write('x' * 10_000)")))
    assert seen.names(contributions.CHANNELS) == ("toy",)


def test_a_missing_dependency_is_named(toy_source: Source) -> None:
    folder = toy_source(
        {"addon.toml": lambda t: t.replace('"Flask>=3.1"', '"Flask>=3.1", "not-to-be-had>=1"')}
    )
    assert manifests.fit_problems(manifests.read_manifest(folder)) == [
        "It needs the Python package not-to-be-had, which is not installed here."
    ]


def test_another_host_or_python_is_named(toy_source: Source) -> None:
    folder = toy_source({"addon.toml": lambda t: t.replace(">=1.0,<2", ">=2").replace(">=3.11", ">=4")})
    first, second = manifests.fit_problems(manifests.read_manifest(folder))
    assert first.startswith("It needs Lobby >=2; this is Lobby ")
    assert second.startswith("It needs Python >=4; this is Python 3.")


@COLD
def test_it_sees_no_credential_of_the_host(toy_source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBBY_SECRET_KEYS", "k1:secret")
    code = "import os\nassert not [n for n in os.environ if n.startswith('LOBBY_')], 'a setting leaked'"
    run(toy_source(at_import(code)))


@COLD
def test_it_reads_nothing_of_the_desk(
    tmp_path: Path, toy_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOBBY_SECRET_KEYS", "k1:secret")
    key = tmp_path / "secret_keys"
    key.write_text("k1:secret")
    ways = (
        f"open({str(key)!r}).read()",
        f"open('/proc/{os.getpid()}/environ').read()",
        f"__import__('os').listdir({str(tmp_path)!r})",
        f"open({str(tmp_path / 'new')!r}, 'w')",
    )
    tries = [f"try:\n    {way}\nexcept PermissionError:\n    refused += 1\n" for way in ways]
    code = "refused = 0\n" + "".join(tries) + "assert refused == 4, refused"
    assert run(toy_source(at_import(code))).tables == ("toy_accounts",)


@COLD
def test_it_signals_no_process_but_its_own(toy_source: Source) -> None:
    version = ctypes.CDLL(None).syscall(444, None, 0, 1)
    if version < 6:
        pytest.skip("the kernel is older than Linux 6.12")
    own = "import os, subprocess\nsubprocess.Popen(['sleep', '60']).kill()\n"
    run(toy_source(at_import(own)))
    with pytest.raises(AddonError) as caught:
        run(toy_source(at_import(own + f"os.kill({os.getpid()}, 0)")))
    assert "PermissionError" in caught.value.detail, caught.value.detail


BECOMES = """
import os, sys
from pathlib import Path
from host.core import child_limits
key, needed = map(Path, sys.argv[1:])
child_limits._system = lambda: {Path("/usr/lib")}
print(child_limits.become_nobody(needed), os.getresuid() == os.getresgid() == (65534,) * 3, os.getgroups())
for way in (
    key.read_text,
    Path(f"/proc/{os.getppid()}/environ").read_bytes,
    lambda: os.kill(os.getppid(), 0),
    lambda: os.setuid(0),
):
    try:
        way()
    except PermissionError:
        print("no")
    else:
        print("yes")
"""


@pytest.mark.parametrize("can_read", [True, False])
def test_where_the_desk_is_root_it_is_tried_as_a_user_of_its_own(tmp_path: Path, can_read: bool) -> None:
    """Without a word of Landlock: this holds where the kernel has none."""
    if os.geteuid() != 0:
        pytest.skip("root alone can become another user")
    key = tmp_path / "secret.keys"
    key.write_text("k1:secret")
    key.chmod(0o600)
    needed = Path("/usr/bin") if can_read else key
    said = subprocess.run(
        [sys.executable, "-c", BECOMES, str(key), str(needed)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said == (
        ["True True []", *["no"] * 4] if can_read else [f"False False {os.getgroups()}", *["yes"] * 4]
    )


def test_what_is_tried_can_be_read_by_that_user(toy_source: Source) -> None:
    if os.geteuid() != 0:
        pytest.skip("root alone can become another user")
    folder = toy_source({})
    folder.chmod(0o700)
    (folder / "toy" / "addon.py").chmod(0o600)
    with probe._for_anybody(folder) as copy:
        made = {one.relative_to(copy): one.stat().st_mode for one in copy.rglob("*")}
        assert made.keys() == {one.relative_to(folder) for one in folder.rglob("*")}
        assert all(mode & 0o004 for mode in made.values())
    assert not copy.exists()


def test_the_database_is_out_of_its_reach(toy_source: Source) -> None:
    with pytest.raises(AddonError, match="It failed in register_channels") as caught:
        run(toy_source(in_hook("register_channels", "webhook.secrets.get()")))
    assert "no database" in caught.value.detail


@COLD
def test_no_descriptor_or_process_is_left(toy_source: Source) -> None:
    before = len(os.listdir("/proc/self/fd"))
    run(toy_source({}))
    with pytest.raises(AddonError) as caught:
        run(toy_source(at_import("import os; os._exit(3)")))
    assert caught.value.detail == "exit status 3"
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_import_checker_reads_migrations_too(toy_source: Source) -> None:
    folder = toy_source({"migrations/versions/0003_x.py": "import host.core.db\nrevision = '0003'\n"})
    problems = imports.check_folder(manifests.read_manifest(folder), folder)
    assert problems == [
        "migrations/versions/0003_x.py, line 1: it imports host.core.db, which is neither part of Python, "
        "nor declared in requires, nor host.sdk."
    ]
