"""Types are read by one thread first, whatever they hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from host.sdk import strictjson

ROOT = Path(__file__).resolve().parents[2]

RACE = """
import sys, threading
import msgspec
from host.sdk import strictjson

sys.setswitchinterval(1e-6)
READ = {read}


def once():
    # Types made here, whose annotations are text: looking at them runs Python, so threads take turns.
    names = {{"msgspec": msgspec}}
    inner = ["class N%d(msgspec.Struct):\\n    a: 'int | None' = 0\\n" % number for number in range(10)]
    outer = ["    a%d: N%d | None = None\\n" % (number, number) for number in range(10)]
    exec("".join([*inner, "class Whole(msgspec.Struct):\\n", *outer]), names)
    whole = names["Whole"]
    whole.__module__ = "__main__"
    together, found = threading.Barrier(6), []

    def go():
        together.wait()
        found.append(READ({{"a%d" % number: {{"a": number}} for number in range(10)}}, whole))

    threads = [threading.Thread(target=go) for _ in range(6)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    assert len(found) == 6 and found[0].a9.a == 9


for _ in range(60):
    once()
"""


def run(read: str) -> subprocess.CompletedProcess[str]:
    program = RACE.format(read=read)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def test_threads_may_be_the_first_to_read_a_type_at_once() -> None:
    done = run("strictjson.convert")
    assert done.returncode == 0, done.stderr


def test_everything_reads_types_that_way() -> None:
    bare = re.compile(r"msgspec\.convert\(|msgspec\.(?:json|msgpack)\.decode\([^)]*type=")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for part in ("host", "addons")
        for path in (ROOT / part).rglob("*.py")
        if path.name != "strictjson.py"
        for match in bare.finditer(path.read_text())
    ]
    assert found == []


def test_a_number_of_thousands_of_digits_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="a number has thousands of digits"):
        strictjson.loads(b"1" * 5000)
    with pytest.raises(ValueError, match="NaN is not JSON"):
        strictjson.loads(b"NaN")
