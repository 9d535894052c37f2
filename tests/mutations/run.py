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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.mutants import Mutant, of_folders

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("host/inbox", "host/delivery", "host/queue")
TESTS = (
    "tests/inbox",
    "tests/delivery",
    "tests/queue",
    "tests/api",
    "tests/channels",
    "tests/live",
    "tests/media",
)
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
        where = f"{self.mutant.path}:{self.mutant.line} {self.mutant.function}: {self.mutant.change}"
        return f"killed    {where}" if self.killed_by else f"SURVIVED  {where} ({self.tried} tests)"


def accepted() -> dict[tuple[str, str], str]:
    """Return the survivors docs/testing.md explains -> why."""
    return {(function, change): why for function, change, why in RECORDED.findall(PAGE.read_text())}


def mutants() -> list[Mutant]:
    return of_folders(ROOT, FOLDERS)


def tried(chosen: Sequence[Mutant], *, processes: int = 2) -> Iterator[Fate]:
    """Try *chosen* and yield what becomes of each, as it is known."""
    tests = recorded_tests(processes)
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
    """Return the tests that enter the mutant's function, the most particular first.

    Code outside of functions has run when a module was imported: the tests of any of its functions are tried.
    """
    exactly = f"{mutant.path} {mutant.function}"
    found = [one for one in tests if exactly in one.functions]
    if not found:
        found = [one for one in tests if any(each.startswith(f"{mutant.path} ") for each in one.functions)]
    found.sort(key=lambda one: (len(one.functions), one.name))
    seconds = 0.0
    for number, one in enumerate(found):
        seconds += one.seconds
        if seconds > MOST_SECONDS:
            return found[: max(number, 1)]
    return found


def _fate(tree: Path, mutant: Mutant, tests: Sequence[Test]) -> Fate:
    if not tests:
        return Fate(mutant, 0, "")
    with _mutated(tree, mutant):
        names = [one.name for one in tests]
        patience = 60 + 5 * sum(one.seconds for one in tests)
        try:
            done = _pytest(tree, ["-x", "-p", "no:xdist", *names], timeout=patience)
        except subprocess.TimeoutExpired:
            return Fate(mutant, len(tests), "no end")
    if done.returncode == 0:
        return Fate(mutant, len(tests), "")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.M)
    if failed is None:
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Fate(mutant, len(tests), failed[1])


@contextmanager
def _mutated(tree: Path, mutant: Mutant) -> Iterator[None]:
    path = tree / mutant.path
    source = path.read_bytes()
    path.write_bytes(mutant.applied(source))
    try:
        yield
    finally:
        path.write_bytes(source)


def _pytest(
    tree: Path, arguments: Sequence[str], *, timeout: float | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    # No byte code: two sources of one length within a second of each other would share it.
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", **settings}
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


def recorded_tests(processes: int) -> list[Test]:
    """Return the fast tests that pass, with what each enters; kept in build/ while no source changes."""
    kept = ROOT / "build/mutations.json"
    digest = _digest()
    known = json.loads(kept.read_text()) if kept.exists() else {}
    if known.get("digest") != digest:
        known = {"digest": digest, "tests": _record(processes)}
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(known))
    return [Test(one["test"], one["seconds"], frozenset(one["functions"])) for one in known["tests"]]


def _record(processes: int) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree, record = _copy(Path(folder) / "tree"), Path(folder) / "record"
        record.mkdir()
        places = [place for place in TESTS if (tree / place).is_dir()]
        arguments = [
            "-p",
            "tests.mutations.recording",
            "-n",
            str(processes),
            "--dist",
            "loadfile",
            *FAST,
            *places,
        ]
        done = _pytest(tree, arguments, MUTATIONS_RECORD=str(record))
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


def _digest() -> str:
    sources = [path for folder in ("host", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
