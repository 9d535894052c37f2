"""Lazy imports of packages that are slow to import and that few requests need."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """A stand-in for a package until one of its attributes is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)


def package(name: str) -> Any:
    """Return a stand-in for the package *name* that imports it on first use."""
    return _Package(name)
