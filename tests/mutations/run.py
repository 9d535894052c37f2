"""Trying mutants: each in a copy of the tree, against the fast tests that enter its function."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, count
from pathlib import Path

from tests.mutations.mutants import Mutant, of_folders

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDERS = ("host/inbox", "host/delivery", "host/queue")
NEAR = ("tests/inbox", "tests/delivery", "tests/queue")
TESTS = (
    *NEAR,
    "tests/api",
    "tests/channels",
    "tests/live",
    "tests/media/test_people.py",
    "tests/media/test_viewing.py",
    "tests/instagram/test_erasure.py",
    "tests/instagram/test_history.py",
    "tests/instagram/test_unsend.py",
    "tests/email/test_conversation.py",
    "tests/health/test_waiting.py",
)
"""Where the tests of these folders are: some of what they do shows with a channel only."""
PAGE = ROOT / "docs/testing.md"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "build", "data", "__pycache__", ".*_cache", ".hypothesis"
)
FAST = [
    "-m",
    "not slow and not browser",
    "-k",
    "not postgresql and not mariadb and not redis and not rabbitmq",
]
MOST_SECONDS = 240.0
"""Of tests tried on one mutant, as long as they take without it."""
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.M)
BROKEN = re.compile(r"^ImportError while loading conftest ", re.M)
"""What pytest says where a changed module cannot be imported."""
RECORDED = re.compile(r"^- `([^`]+)`: `([^`]+)`: (\S.*)$", re.M)


@dataclass(frozen=True, slots=True)
class Test:
    name: str
    seconds: float
    functions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant: the test that failed, or none."""

    mutant: Mutant
    tried: int
    killed_by: str

    @property
    def line(self) -> str:
        what = f"{self.mutant.place} {self.mutant.function}: {self.mutant.change}"
        return f"killed    {what}" if self.killed_by else f"SURVIVED  {what} ({self.tried} tests)"

    @property
    def again(self) -> str:
        """How to try it once more, and the mutants beside it."""
        return f'make mutations MUTATIONS="{self.mutant.place}"'


def accepted() -> dict[tuple[str, str], str]:
    """Return the survivors docs/testing.md explains -> why."""
    return {(function, change): why for function, change, why in RECORDED.findall(PAGE.read_text())}


def mutants(*places: str) -> list[Mutant]:
    """Return all mutants in the order of the sample, or those of *places*: folders, modules, their lines."""
    return [one for one in _all() if not places or any(_is_of(one, place) for place in places)]


@cache
def _all() -> list[Mutant]:
    return of_folders(ROOT, FOLDERS)


def _is_of(mutant: Mutant, place: str) -> bool:
    return mutant.place == place or str(mutant.path) == place or mutant.path.is_relative_to(place)


def sample(most: int) -> list[Mutant]:
    """Return the first *most* mutants of the sample that docs/testing.md does not explain."""
    known = accepted()
    return [one for one in mutants() if one.key not in known][:most]


def tried(chosen: Sequence[Mutant], *, processes: int = 2, places: tuple[str, ...] = TESTS) -> Iterator[Fate]:
    """Try *chosen* against the tests of *places* and yield what becomes of each, as it is known."""
    tests = recorded_tests(processes, places)
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(processes):
            trees.put(_copy(Path(folder) / str(number)))

        def try_one(mutant: Mutant) -> Fate:
            tree = trees.get()
            try:
                return _fate(tree, mutant, tests_of(mutant, tests))
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(processes) as pool:
            yield from pool.map(try_one, chosen)


def tests_of(mutant: Mutant, tests: Sequence[Test]) -> list[Test]:
    """Return the tests that enter the mutant's function, those first that are likeliest to see the change.

    These enter a function that the changed statement names and that few others enter; then come the most
    particular ones. What runs when a module is imported is entered by no test: those that enter its other
    functions are tried, or its folder.
    """
    exactly = f"{mutant.path} {mutant.function}"
    found = [one for one in tests if exactly in one.functions]
    for around in (f"{mutant.path} ", f"{mutant.path.parent}/"):
        found = found or [one for one in tests if any(each.startswith(around) for each in one.functions)]
    entered = Counter(each for one in found for each in one.functions)
    near = {each: times for each, times in entered.items() if each != exactly and _name(each) in mutant.near}

    def likeliest_first(one: Test) -> tuple[int, int, str]:
        rarest = min((near[each] for each in one.functions if each in near), default=len(tests))
        return rarest, len(one.functions), one.name

    found.sort(key=likeliest_first)
    seconds = 0.0
    for number, one in enumerate(found):
        seconds += one.seconds
        if seconds > MOST_SECONDS:
            return found[: max(number, 1)]
    return found


def _name(entered: str) -> str:
    """Return what a function that was entered is called by."""
    names = entered.rsplit(maxsplit=1)[-1].split(".")
    return names[-2] if names[-1] == "__init__" and len(names) > 1 else names[-1]


def _fate(tree: Path, mutant: Mutant, tests: Sequence[Test]) -> Fate:
    if not tests:
        return Fate(mutant, 0, "")
    first = next(
        (n for n, spent in enumerate(accumulate(one.seconds for one in tests), 1) if spent > 5), None
    )
    with _mutated(tree, mutant):
        for some in (tests[:first], tests[first:] if first else ()):
            if some and (killed_by := _killed_by(tree, some)):
                return Fate(mutant, len(tests), killed_by)
    return Fate(mutant, len(tests), "")


def _killed_by(tree: Path, tests: Sequence[Test]) -> str:
    """Return the first of *tests* that fails, or nothing."""
    names = [one.name for one in tests]
    patience = 60 + 5 * sum(one.seconds for one in tests)
    try:
        done = _pytest(tree, ["-x", "-p", "no:xdist", *names], timeout=patience)
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode == 0:
        return ""
    failed = FAILED.search(done.stdout)
    if failed is None:
        if BROKEN.search(done.stdout + done.stderr):
            return "the import of the tests"
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return failed[1]


@contextmanager
def _mutated(tree: Path, mutant: Mutant) -> Iterator[None]:
    path = tree / mutant.path
    source = path.read_bytes()
    _write(path, mutant.applied(source))
    try:
        yield
    finally:
        _write(path, source)


_seconds = count(int(time.time()))


def _write(path: Path, source: bytes) -> None:
    """Write *source* with a time of its own: byte code of another of the same length is not taken for its."""
    path.write_bytes(source)
    at = next(_seconds)
    os.utime(path, (at, at))


def _pytest(
    tree: Path, arguments: Sequence[str], *, timeout: float | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree), **settings}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, said = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output, said)


def _copy(target: Path) -> Path:
    shutil.copytree(ROOT, target, ignore=NOT_COPIED, symlinks=True)
    return target


def recorded_tests(processes: int, places: tuple[str, ...] = TESTS) -> list[Test]:
    """Return the fast tests that pass, with what each enters; kept in build/ while no source changes."""
    kept = ROOT / ("build/mutations.json" if places == TESTS else f"build/mutations-of-{len(places)}.json")
    digest = _digest(places)
    known = json.loads(kept.read_text()) if kept.exists() else {}
    if known.get("digest") != digest:
        known = {"digest": digest, "tests": _record(processes, places)}
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(known))
    return [Test(one["test"], one["seconds"], frozenset(one["functions"])) for one in known["tests"]]


def _record(processes: int, places: tuple[str, ...]) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree, record = _copy(Path(folder) / "tree"), Path(folder) / "record"
        record.mkdir()
        plugin = ["-p", "tests.mutations.recording", *FAST]
        done = _pytest(
            tree,
            [
                *plugin,
                "-n",
                str(processes),
                "--dist",
                "loadfile",
                *(one for one in places if (tree / one).exists()),
            ],
            MUTATIONS_RECORD=str(record),
        )
        failed = FAILED.findall(done.stdout)
        if done.returncode == 1 and failed:
            # On a busy machine one may have run out of its time; without it its mutants would survive.
            done = _pytest(tree, [*plugin, "-p", "no:xdist", *failed], MUTATIONS_RECORD=str(record))
        if done.returncode not in {0, 1}:
            raise RuntimeError(
                f"pytest ended with {done.returncode}: {done.stdout[-4000:]}{done.stderr[-2000:]}"
            )
        lines = [line for file in sorted(record.iterdir()) for line in file.read_text().splitlines()]
    here = tuple(f"{folder}/" for folder in FOLDERS)
    found = [json.loads(line) for line in lines]
    for one in found:
        one["functions"] = [each for each in one["functions"] if each.startswith(here)]
    return sorted((one for one in found if one["functions"]), key=lambda one: str(one["test"]))


def _digest(places: tuple[str, ...]) -> str:
    """Return a digest of what the record depends on."""
    sources = [path for folder in ("host", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    made = b"".join(
        path.read_bytes() for path in sources if path.parent != HERE or path.name == "recording.py"
    )
    return hashlib.sha256(made + repr((places, FAST)).encode()).hexdigest()
