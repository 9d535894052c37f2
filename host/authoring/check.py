"""Check an addon before it is published; each step yields a finding in plain sentences."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from flask_babel import gettext as _

from host.addons.package import archive, checking, imports, manifest
from host.addons.package.archive import ArchiveError
from host.addons.package.build import build_addon
from host.addons.package.failures import AddonError, place_in
from host.addons.package.manifest import Manifest
from host.addons.running import probe
from host.addons.running.contributions import (
    ACTIONS,
    COMPOSER_ACTIONS,
    CONDITIONS,
    KINDS,
    LISTENERS,
    PANELS,
    REPORT_SECTIONS,
    TOOLS,
    Kind,
)
from host.authoring import trial_migrations
from host.authoring.deprecations import uses
from host.core import child
from host.sdk.i18n import noop

TEST_SECONDS = 600.0
MOST_SHOWN = 10

_CONTRACT = '''
"""Written by lobby addon check: the contract, run over every channel the addon brings."""

from pathlib import Path

import pytest

from host.authoring.desk import trial_desk
from host.sdk.testing import AdapterContract


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    with trial_desk(Path({folder!r}), tmp_path_factory.mktemp("desk") / "data") as made:
        yield made
'''
_CHANNEL = """

class Test{number}(AdapterContract):
    @pytest.fixture
    def adapter(self, desk):
        return desk.adapter({key!r})
"""

_PARTS = """

import pytest

from host.authoring import parts
from host.authoring.parts import prepare


@pytest.fixture(scope="session", autouse=True)
def prepared(desk):
    with pytest.MonkeyPatch.context() as patch:
        prepare(desk, patch)
        yield
"""
_PART = """

@pytest.mark.parametrize("name", {names!r})
def test_{what}(desk, name):
    parts.{what}(desk, name)
"""
_STEP = """

def test_{what}{number}(desk):
    parts.{what}(desk)
"""
_TRIED: tuple[tuple[Kind[Any], str], ...] = (
    (CONDITIONS, "try_condition"),
    (ACTIONS, "try_action"),
    (TOOLS, "try_tool"),
    (PANELS, "try_panel"),
    (COMPOSER_ACTIONS, "try_composer_action"),
    (REPORT_SECTIONS, "try_report_section"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one step.

    :param fine: False: the addon must not be published; None: nothing to check, or a note.
    :param sentences: the findings or errors.
    """

    name: str
    fine: bool | None
    sentences: tuple[str, ...]


def check(folder: Path, *, tests: Path | None = None, database_url: str = "") -> Iterator[Finding]:
    """Run every step over the addon in *folder*; yield each finding as soon as it is known.

    :param tests: folder of its tests; default: ``tests`` inside it.
    :param database_url: an empty database to try the migrations on; default: a temporary SQLite file.
    """
    folder = folder.resolve()
    try:
        found = manifest.read_manifest(folder)
        problems = manifest.fit_problems(found)
    except manifest.ManifestError as error:
        yield Finding("addon.toml", False, tuple(f"{problem}." for problem in error.problems))
        return
    said = f"{found.slug} {found.version}, {_('for Lobby')} {found.host}"
    yield Finding("addon.toml", not problems, tuple(problems) or (said,))
    with tempfile.TemporaryDirectory(prefix="lobby-check-") as place:
        there = Path(place)
        steps: tuple[tuple[str, Callable[[], Finding]], ...] = (
            ("imports", lambda: _imports(found, folder)),
            ("zip", lambda: _size(folder, there / "addon.zip")),
            ("code", lambda: _code(found, folder)),
            ("migrations", lambda: _migrations(found, folder, database_url, there)),
            ("contract", lambda: _contract(found, folder, there)),
            ("parts", lambda: _parts(found, folder, there)),
            ("tests", lambda: _tests(folder, tests or folder / "tests", there)),
        )
        broken = False
        for name, step in steps:
            if broken and name in {"code", "migrations", "contract", "parts", "tests"}:
                yield Finding(name, None, (_("Not tried: mend what is above first."),))
                continue
            finding = step()
            yield finding
            broken = broken or (finding.fine is False and name in {"imports", "code", "migrations"})
    notes = uses(found, folder)
    if notes:
        yield Finding("deprecated", None, tuple(notes))


def _imports(found: Manifest, folder: Path) -> Finding:
    problems = imports.check_folder(found, folder)
    count = sum(1 for _path in (folder / found.package).rglob("*.py"))
    fine = _("%(count)s files import host.sdk, what is declared, and themselves", count=count)
    return Finding("imports", not problems, tuple(problems) or (fine,))


def _size(folder: Path, target: Path) -> Finding:
    """Build the zip, check it like an upload, and report its size."""
    try:
        build_addon(folder, target)
        built = checking.check(target)
    except (ArchiveError, ValueError) as error:
        return Finding("zip", False, tuple(getattr(error, "problems", ())) or (str(error),))
    files = [entry for entry in built.entries if not entry.is_folder]
    total = sum(entry.size for entry in files)
    largest = sorted(files, key=lambda entry: -entry.size)[:3]
    return Finding(
        "zip",
        True,
        (
            _(
                "%(zip)s zipped of %(most)s, %(total)s unpacked of %(most_total)s, "
                "%(count)s files of %(most_count)s",
                zip=_amount(built.size),
                most=_amount(archive.MAX_ZIP),
                total=_amount(total),
                most_total=_amount(archive.MAX_TOTAL),
                count=len(files),
                most_count=archive.MAX_ENTRIES,
            ),
            _("largest: %(files)s", files=", ".join(f"{e.name} ({_amount(e.size)})" for e in largest)),
        ),
    )


def _amount(size: int) -> str:
    return f"{size / 1024**2:.1f} MB" if size >= 1024**2 else f"{size / 1024:.1f} KB"


def _code(found: Manifest, folder: Path) -> Finding:
    """Load the code in a separate process, as activation does, and check that it provides what it
    declares.
    """
    try:
        seen = probe.run(folder, found)
    except AddonError as error:
        said = _(error.sentence)
        if error.detail.startswith(f"{found.package}/"):  # file and line first, as in other steps
            return Finding("code", False, (f"{error.detail}: {said}",))
        return Finding("code", False, tuple(filter(None, (said, error.detail))))
    brought = {kind.declared: seen.names(kind) for kind in KINDS if kind.declared} | {"tables": seen.tables}
    unused = [
        _("addon.toml declares the %(what)s %(name)s, which the code does not bring.", what=what, name=name)
        for what, names in brought.items()
        for name in sorted(set(found.declared(what)) - set(names))
    ]
    hooks = _("implements %(hooks)s", hooks=", ".join(seen.hooks))
    return Finding("code", not unused, tuple(unused) or (hooks,))


def _migrations(found: Manifest, folder: Path, url: str, place: Path) -> Finding:
    try:
        done = trial_migrations.run(found, folder, url or f"sqlite:///{place / 'trial.sqlite3'}")
    except trial_migrations.TrialError as error:
        return Finding("migrations", False, (str(error),))
    return Finding("migrations", True, (done,))


NO_PYTEST = noop("pytest is not installed here: pip install pytest, then check again.")


def _contract(found: Manifest, folder: Path, place: Path) -> Finding:
    if not found.channels:
        return Finding("contract", None, (_("It brings no channel."),))
    channels = "".join(_CHANNEL.format(number=n, key=key) for n, key in enumerate(found.channels))
    return _written("contract", found, folder, place, channels)


NO_PARTS = noop("It brings no settings forms, panels, report sections, rules, tools or listeners.")


def _parts(found: Manifest, folder: Path, place: Path) -> Finding:
    """Try what it brings besides channels, first without settings, then with made-up ones."""
    seen = probe.run(folder, found)
    named = [(what, list(seen.names(kind))) for kind, what in _TRIED if seen.names(kind)]
    forms = found.forms.workspace or found.forms.desk
    if not named and not forms and not seen.names(LISTENERS):
        return Finding("parts", None, (_(NO_PARTS),))
    tries = "".join(_PART.format(what=what, names=names) for what, names in named)
    tries += _STEP.format(what="hear", number="") if seen.names(LISTENERS) else ""
    if forms:
        tries += _STEP.format(what="fill_in_forms", number="")
        tries += "".join(
            _PART.format(what=what, names=names).replace(f"def test_{what}(", f"def test_{what}_filled_in(")
            for what, names in named
        )
    return _written("parts", found, folder, place, f"{_PARTS}{tries}")


def _written(name: str, found: Manifest, folder: Path, place: Path, tests: str) -> Finding:
    """Write *tests*, which use the fixture ``desk``, and run them."""
    file = place / name / f"test_{name}.py"
    file.parent.mkdir(parents=True)
    file.write_text(_CONTRACT.format(folder=str(folder)) + tests)
    return _pytest(
        name, file.parent, file, place, "--disable-plugin-autoload", author=(folder, found.package)
    )


def _tests(folder: Path, tests: Path, place: Path) -> Finding:
    if not tests.is_dir():
        said = _("There are none in %(folder)s: the contract was run without samples.", folder=str(tests))
        return Finding("tests", None, (said,))
    return _pytest("tests", folder, tests, place, author=(folder, manifest.read_manifest(folder).package))


def _pytest(
    name: str, root: Path, target: Path, place: Path, *more: str, author: tuple[Path, str]
) -> Finding:
    """Run *target* with pytest in a separate process, with only Lobby's settings.

    :param author: the addon's folder and package, for the places in its code.
    """
    if find_spec("pytest") is None:
        return Finding(name, False, (_(NO_PYTEST),))
    report, settings = place / f"{name}.xml", place / "pytest.ini"
    settings.write_text("[pytest]\n")
    arguments = [
        *(child.PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"),
        *more,
        *("-c", str(settings), f"--rootdir={root}", f"--junitxml={report}", str(target)),
    ]
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter
            arguments,
            cwd=root,
            capture_output=True,
            text=True,
            timeout=TEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        said = _("The tests did not end within %(seconds)s seconds.", seconds=int(TEST_SECONDS))
        return Finding(name, False, (said,))
    if not report.is_file():
        said = [line for line in (ended.stderr + ended.stdout).splitlines() if line.strip()]
        why = [line.removeprefix("E").strip() for line in said if line.startswith("E  ")] or said[-5:]
        where = _place(ended.stderr + ended.stdout, *author)
        return Finding(name, False, (_("The tests could not be run."), *filter(None, (where, *why))))
    passed, failed = _outcome(report, *author)
    if not failed and not passed:
        failed = [_("No test was found.")]
    return Finding(name, not failed, tuple(failed[:MOST_SHOWN]) or (_("%(count)s passed", count=passed),))


def _outcome(report: Path, folder: Path, package: str) -> tuple[int, list[str]]:
    """Return the number of passed tests, and a line for each other test."""
    passed, failed = 0, []
    for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it just now
        bad = [each for each in case if each.tag in {"failure", "error"}]
        for each in bad:
            words, text = (each.get("message") or "").strip().splitlines(), each.text or ""
            if words[:1] == ["collection failure"]:
                words = [line[1:].strip() for line in text.splitlines() if line.startswith("E  ")][
                    -1:
                ] or words
            place = _place(text, folder, package)
            said = f"{case.get('name') or case.get('classname')}: {words[0] if words else each.tag}"
            failed.append(f"{said} ({place})" if place else said)
        passed += not bad and all(each.tag != "skipped" for each in case)
    return passed, failed


_PLACES = re.compile(r"(?m)^(?:E\s+)?(?:File \")?(\S+?\.py)(?:\", line |:)(\d+)")


def _place(text: str, folder: Path, package: str) -> str:
    """Return the last file and line of the addon in a traceback of pytest's; an empty text if there is none.

    A trial desk runs an unpacked copy of the package: its lines are those of the file in *folder*.
    """
    places: list[str] = []
    for name, line in _PLACES.findall(text):
        inner = f"{package}/{name.rpartition(f'/{package}/')[2]}" if f"/{package}/" in name else name
        known = (folder / one for one in (inner, name) if (folder / one).is_file())
        places += filter(None, (place_in(folder, str(path), int(line)) for path in known))
    return places[-1] if places else ""
