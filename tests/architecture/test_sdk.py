"""The SDK's surface is written down, has a version, and shrinks only by the rule of docs/sdk/README.md.

``REWRITE_SURFACE=1`` writes docs/sdk/surface.txt as the code is now.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import os
import pkgutil
import re
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import host.sdk.hookspecs
from host.sdk.deprecation import (
    Deprecated,
    SdkDeprecationWarning,
    all_deprecated,
    deprecated,
    deprecated_hook,
)

ROOT = Path(__file__).resolve().parents[2]
SURFACE = ROOT / "docs/sdk/surface.txt"
RULES = ROOT / "docs/sdk/README.md"
VERSION = tuple(int(part) for part in host.sdk.SDK_VERSION.split("."))


def surface() -> Iterator[str]:
    """Yield each public name of the SDK with what can be seen of it from outside."""
    for info in sorted(pkgutil.iter_modules(host.sdk.__path__, "host.sdk."), key=lambda each: each.name):
        if not info.name.rpartition(".")[2].startswith("_"):
            yield from of_module(importlib.import_module(info.name))


def of_module(module: types.ModuleType) -> Iterator[str]:
    listed = getattr(module, "__all__", None)
    for name, value in sorted(vars(module).items()):
        own = getattr(value, "__module__", module.__name__) == module.__name__
        if name.startswith("_") or isinstance(value, types.ModuleType):
            continue
        if name not in listed if listed is not None else not own or name in {"annotations", "log"}:
            continue
        yield from described(f"{module.__name__}.{name}", value, own)


def described(name: str, value: object, own: bool) -> Iterator[str]:
    if inspect.isclass(value):
        if issubclass(value, enum.Enum):
            yield f"{name}: {', '.join(member.name for member in value)}"
        elif dataclasses.is_dataclass(value):
            yield f"{name}({', '.join(each.name for each in dataclasses.fields(value))})"
        else:
            yield name
        for member, function in sorted(vars(value).items()) if own else ():
            if inspect.isfunction(function) and not member.startswith(("_", "test_")):
                yield f"{name}.{member}{signature(function)}"
    elif inspect.isfunction(value):
        yield f"{name}{signature(value)}"
    else:
        yield name


def signature(function: types.FunctionType) -> str:
    """Return arguments and annotations as they are written, without where anything lies in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(function)))


def recorded() -> dict[str, str]:
    """Return what is written down -> the minor version it came with."""
    lines = SURFACE.read_text().splitlines()
    return {line.partition(" ")[2]: line.partition(" ")[0] for line in lines}


def gone(known: dict[str, str], found: list[str], version: tuple[int, ...]) -> list[str]:
    """Return the names an earlier minor version of the same major one had and that are no longer there."""

    def name(line: str) -> str:
        return re.split(r"[(:]", line)[0]

    left = {name(line) for line in found}
    before = {
        name(line)
        for line, since in known.items()
        if int(since.split(".")[0]) == version[0] and int(since.split(".")[1]) < version[1]
    }
    return sorted(before - left)


def test_what_was_released_does_not_go_within_its_major_version() -> None:
    known = {"host.sdk.text.fit(text: str)": "1.0", "host.sdk.text.new": "1.1", "host.sdk.old.gone": "1.0"}
    found = ["host.sdk.text.fit(text: str, limit: int = 5)"]
    assert gone(known, found, (1, 1, 0)) == ["host.sdk.old.gone"], (
        "what this version brought may still change"
    )
    assert gone(known, found, (1, 0, 0)) == []
    assert gone(known, found, (2, 0, 0)) == []


def test_the_surface_is_written_down() -> None:
    known, found = recorded() if SURFACE.exists() else {}, sorted(set(surface()))
    now = f"{VERSION[0]}.{VERSION[1]}"
    assert gone(known, found, VERSION) == [], (
        "it was released in this major version: deprecate it, see README.md"
    )
    text = "".join(f"{known.get(line, now)} {line}\n" for line in found)
    if os.environ.get("REWRITE_SURFACE") == "1":
        SURFACE.write_text(text)
    assert SURFACE.read_text() == text, (
        "host.sdk is not what docs/sdk/surface.txt says. More of it: raise the minor version of SDK_VERSION "
        "once the one before is released. Less of it, or different: deprecate it first (docs/sdk/README.md). "
        "Then run this test with REWRITE_SURFACE=1."
    )


def test_the_version_is_a_semantic_one_and_nothing_is_newer() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", host.sdk.SDK_VERSION)
    for line, since in recorded().items():
        assert tuple(map(int, since.split("."))) <= VERSION[:2], line


def test_what_is_deprecated_is_listed_and_still_there() -> None:
    list(surface())
    listed = RULES.read_text().split("<!-- deprecated -->\n")[1].split("<!-- /deprecated -->")[0]
    wanted = "".join(f"- {each.sentence}\n" for each in real()) or "Nothing.\n"
    assert listed == wanted
    for each in real():
        assert tuple(map(int, each.removed_in.split("."))) > VERSION, f"it is time to remove {each.name}"


def real() -> list[Deprecated]:
    """Return what is deprecated in earnest, and not by a test."""
    hooks = vars(host.sdk.hookspecs)
    return [each for each in all_deprecated() if each.name.startswith("host.sdk.") or each.name in hooks]


def test_a_deprecated_function_warns_where_it_is_called_and_works() -> None:
    @deprecated(since="1.2.0", removed_in="2.0.0", instead="host.sdk.text.fit")
    def shorten(text: str) -> str:
        return text[:3]

    with pytest.warns(
        SdkDeprecationWarning, match=r"since host\.sdk 1\.2\.0.*2\.0\.0; use host\.sdk\.text\.fit"
    ) as seen:
        assert shorten("hello") == "hel"
    assert seen[0].filename == __file__


def test_a_deprecated_hook_warns_whoever_implements_it() -> None:
    import pluggy

    spec, impl = pluggy.HookspecMarker("x"), pluggy.HookimplMarker("x")

    class Specs:
        @spec(**deprecated_hook("greet", since="1.1.0", removed_in="2.0.0", instead="welcome"))
        def greet(self) -> None:
            """Greet."""

    class Addon:
        @impl
        def greet(self) -> None:
            """Greet."""

    manager = pluggy.PluginManager("x")
    manager.add_hookspecs(Specs)
    with pytest.warns(SdkDeprecationWarning, match="use welcome"):
        manager.register(Addon())


@pytest.mark.parametrize("removed_in", ["1.3.0", "1.2.1", "2.1.0", "2", "soon"])
def test_nothing_goes_before_the_next_major_version(removed_in: str) -> None:
    with pytest.raises(ValueError, match="early: "):

        @deprecated(since="1.2.0", removed_in=removed_in, instead="nothing")
        def early() -> None:
            """Go too soon."""
