"""TOML from outside: what is too deep is refused before it is parsed, and nothing else is refused."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import host
from host.core.parsing import toml

DEEP = ".".join(["a"] * 9)
WIDE = ".".join(["a"] * 8)
ROOT = Path(host.__file__).parent
COUNT = """
import sys
from host.core.parsing import toml

def work(times):
    calls = 0
    def count(*_):
        nonlocal calls
        calls += 1
    whole = "".join(sys.argv[1].replace("{n}", str(n)) for n in range(times))
    sys.setprofile(count)
    toml.loads(whole)
    sys.setprofile(None)
    return calls

print(work(50), work(100))
"""


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The texts that reach the parser."""
    found: list[str] = []
    real = tomllib.loads

    def loads(text: str) -> dict[str, Any]:
        found.append(text)
        return real(text)

    monkeypatch.setattr(tomllib, "loads", loads)
    return found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{DEEP} = 1", 1),
        (f"b = 1\n{DEEP} = 1", 2),
        (f"[{DEEP}]", 1),
        (f"b = 1\n\n[[{DEEP}]]", 3),
        (f"b = {{ {DEEP} = 1 }}", 1),
        (f"b = [\n{{ c = 1, {DEEP} = 1 }}]", 2),
        (". ".join(['"a.b"'] * 9) + " = 1", 1),
        (".".join(["'a'", '"b"'] * 5) + " = 1", 1),
        (f'b = """\n"\\"""" # "\n{DEEP} = 1', 3),
        (f'b = """"""""\n{DEEP} = 1', 2),
        (f"b = '''\n''\\'''''\n{DEEP} = 1", 3),
        (f'b = "\\\\" # it\'s\r\n{DEEP} = 1', 2),
        (".".join(["a"] * 250_000), 1),
    ],
)
def test_a_key_with_more_parts_is_never_parsed(parsed: list[str], text: str, line: int) -> None:
    with pytest.raises(toml.KeyTooDeepError, match=rf"dotted key .*line {line}\b") as found:
        toml.loads(text)
    assert found.value.line == line
    assert not parsed


@pytest.mark.parametrize("opening", ["[", "{a="])
def test_deeper_nesting_is_never_parsed(parsed: list[str], opening: str) -> None:
    deepest = opening * toml.MOST_NESTED + "1" + {"[": "]", "{a=": "}"}[opening] * toml.MOST_NESTED
    toml.loads(f"a = {deepest}")
    parsed.clear()
    with pytest.raises(toml.TooDeepError) as found:
        toml.loads(f"b = 1\na = [{deepest}]")
    assert found.value.line == 2
    assert not parsed


@pytest.mark.parametrize(
    "text",
    [
        f"{WIDE} = 1.5",
        f"[{WIDE}]\n{WIDE} = 2026-11-29T07:32:00.5",
        f"[[{WIDE}]]",
        f"a = {{ {WIDE} = 1, b = [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5] }}",
        f'a = "{DEEP}" # {DEEP} [[[[[[[[[[[[[[[[[[[[',
        f'"{DEEP}" = \'{DEEP} " {{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\'',
        f'a = """\n{DEEP} = 1\n""\\""" {DEEP}"""',
        f"a = '''\n{DEEP} = 1\n'' {DEEP}'''''",
        "a = \"\"\nb = ''\nc = \"\"\"\"\"\"\nd = ''''''\n",
        "\n".join(f"[[a]]\nb = [1.{n}, [2.5]]" for n in range(100)),
    ],
)
def test_what_is_not_deep_is_parsed(text: str) -> None:
    assert toml.loads(text) == tomllib.loads(text)


keys = st.sampled_from(["a", "'b.c'", '"d\\"."', "e-1"])
values = st.sampled_from(["1", "1.5", '"x # \\" ."', "'.\\'", '"""\n" "" . """', "'''.''\n'''", "[1, [2.5]]"])
pieces = st.one_of(
    st.lists(keys, min_size=1, max_size=10).map(".".join),
    values,
    st.sampled_from(
        [" = ", "\n", "[", "]", "{", "}", ", ", " # a.b'\"\n", '"', "'", '"""', "'''", "\\", "."]
    ),
)


@given(st.lists(pieces, max_size=30).map("".join))
def test_no_deeper_key_gets_through(text: str) -> None:
    """What the parser understands has no deeper key than the scan allows, whatever the text is made of."""
    deepest = 0
    real = tomllib._parser.parse_key  # type: ignore[attr-defined]

    def parse_key(src: str, pos: int) -> Any:
        nonlocal deepest
        pos, key = real(src, pos)
        deepest = max(deepest, len(key))
        return pos, key

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tomllib._parser.parse_key", parse_key)
        with contextlib.suppress(toml.TomlError):
            toml.loads(text)
    assert deepest <= toml.MOST_PARTS


@pytest.mark.parametrize(
    "text",
    [
        f"[{WIDE}.x]\n".replace("a.a.x", "b.k{n}"),
        f"{WIDE}{{n}} = 1\n",
        f"[[{WIDE}]]\n",
        "a{n} = { b.c.d.e.f.g.h.i = 1, j.k.l = [[1], [2]] }\n",
        'a{n} = "\\n\\n\\n"\n',
    ],
)
def test_twice_the_text_is_twice_the_work(text: str) -> None:
    """The worst that the bounds allow is parsed in time that grows with its length.

    Counted in a process of its own: a thread of another test that was told to end, but waits for something,
    makes CPython 3.11 repeat a profiled call forever.
    """
    count = [sys.executable, "-c", COUNT, text]
    done = subprocess.run(count, capture_output=True, text=True, check=True, cwd=ROOT.parent)
    once, twice = map(int, done.stdout.split())
    assert once < twice < 2.3 * once


@pytest.mark.parametrize(
    "text",
    [
        "a = ",
        "a = 1\na = 2",
        f"a = {'9' * 5000}",
        'a = "',
        "a = '''",
        "]",
        f"a = {'[' * 10}",
        "\r",
        "a = 2026-13-01",
    ],
)
def test_what_is_no_toml_is_one_error(text: str) -> None:
    with pytest.raises(toml.TomlError):
        toml.loads(text)


def test_no_other_module_parses_toml() -> None:
    """``host.sdk.i18n`` reads files of a repository, when catalogues are made."""
    found = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if "tomllib" in path.read_text()}
    assert found == {"core/parsing/toml.py", "sdk/i18n.py"}
