"""Deprecate names of the SDK: each warns for at least a major version before its removal.

Decorate a function or method; mark a hook in its specification::

    @deprecated(since="1.2.0", removed_in="2.0.0", instead="host.sdk.text.fit")
    def shorten(text: str) -> str: ...

    @hookspec(**deprecated_hook("register_menu", since="1.2.0", removed_in="2.0.0", instead="register_cards"))
    def register_menu() -> Sequence[Menu]: ...

Until the version in *removed_in* both work as before. docs/sdk/README.md states the rule.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)\Z")


class SdkDeprecationWarning(DeprecationWarning):
    """An addon uses a name that the next major version of ``host.sdk`` may remove."""


@dataclass(frozen=True, slots=True)
class Deprecated:
    """A deprecated name of the SDK.

    :param name: including the module: ``host.sdk.text.shorten``; for a hook, just its name.
    :param instead: its replacement, by name or in a few words.
    """

    name: str
    since: str
    removed_in: str
    instead: str

    @property
    def sentence(self) -> str:
        return (
            f"{self.name} is deprecated since host.sdk {self.since} and gone in {self.removed_in}; "
            f"use {self.instead}."
        )


_known: dict[str, Deprecated] = {}


def all_deprecated() -> tuple[Deprecated, ...]:
    """Return all deprecated names of the modules imported so far, by name."""
    return tuple(_known[name] for name in sorted(_known))


def deprecated(*, since: str, removed_in: str, instead: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function so that each call warns with the caller's line.

    :raises ValueError: unless *removed_in* is a major version after *since*.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        entry = _enter(f"{function.__module__}.{function.__qualname__}", since, removed_in, instead)

        @functools.wraps(function)
        def warning(*args: P.args, **kwargs: P.kwargs) -> R:
            warnings.warn(entry.sentence, SdkDeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warning

    return decorate


def deprecated_hook(name: str, *, since: str, removed_in: str, instead: str) -> Mapping[str, Any]:
    """Return arguments for ``hookspec`` that warn when an addon with the hook is loaded.

    :raises ValueError: as :func:`deprecated`.
    """
    return {"warn_on_impl": SdkDeprecationWarning(_enter(name, since, removed_in, instead).sentence)}


def _enter(name: str, since: str, removed_in: str, instead: str) -> Deprecated:
    first, last = _VERSION.fullmatch(since), _VERSION.fullmatch(removed_in)
    if first is None or last is None:
        raise ValueError(f"{name}: versions are like 1.2.0")
    if int(last[1]) <= int(first[1]) or (last[2], last[3]) != ("0", "0"):
        raise ValueError(f"{name}: what is deprecated in {since} goes in {int(first[1]) + 1}.0.0 or later")
    entry = _known[name] = Deprecated(name, since, removed_in, instead)
    return entry
