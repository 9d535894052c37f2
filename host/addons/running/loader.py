"""Import an addon under a unique name, from exactly the bytes that were accepted.

An installed release is imported as ``_addons.<slug>_<version>_<sha12>``, never from ``sys.path``, so that two
releases can run side by side while old requests finish. Its modules are compiled from source each time: byte
code is neither written to its folder nor read from it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from host.addons.package.failures import AddonError, last_lines, place_of
from host.addons.package.manifest import Manifest
from host.core.call_budget import OverdueError
from host.models.addons import AddonState
from host.sdk.i18n import noop

NAMESPACE = "_addons"

_lock = threading.Lock()
_loading: dict[str, threading.RLock] = {}
"""A lock for each release, so that one whose import hangs doesn't block the others."""
_sources: dict[str, _Source] = {}


class _Source:
    """The source of the modules of one release."""

    __slots__ = ("files", "folder", "package")

    def __init__(self, folder: Path, package: str, files: Mapping[str, str] | None) -> None:
        self.folder = folder
        self.package = package
        self.files = files


class LoadedRelease:
    """An imported release. Its modules are dropped when the last reference to it is gone."""

    __slots__ = ("__weakref__", "folder", "manifest", "module_name", "plugin", "sha256")

    def __init__(
        self, manifest: Manifest, folder: Path, sha256: str, module_name: str, plugin: types.ModuleType
    ) -> None:
        self.manifest = manifest
        self.folder = folder
        self.sha256 = sha256
        self.module_name = module_name
        self.plugin = plugin

    @property
    def slug(self) -> str:
        return self.manifest.slug


_loaded: weakref.WeakValueDictionary[str, LoadedRelease] = weakref.WeakValueDictionary()


class _SourceLoader(importlib.abc.InspectLoader):
    """Compiles one file of a release, after checking that it is the accepted file."""

    def __init__(self, path: Path, package: bool, expected: str | None) -> None:
        self.path = path
        self.package = package
        self.expected = expected

    def is_package(self, fullname: str) -> bool:
        return self.package

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._bytes())

    def get_code(self, fullname: str) -> types.CodeType:
        code: types.CodeType = compile(self._bytes(), str(self.path), "exec", dont_inherit=True)
        return code

    def _bytes(self) -> bytes:
        data = self.path.read_bytes()
        if self.expected is not None and hashlib.sha256(data).hexdigest() != self.expected:
            raise ImportError(f"{self.path.name} is not the file that was installed")
        return data


class _Finder(importlib.abc.MetaPathFinder):
    """Finds only ``_addons`` and everything below it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == NAMESPACE:
            spec = importlib.machinery.ModuleSpec(NAMESPACE, None, is_package=True)
            spec.submodule_search_locations = []
            return spec
        if not fullname.startswith(NAMESPACE + "."):
            return None
        release, *inner = fullname.split(".")[1:]
        source = _sources.get(release)
        if source is None:
            return None
        relative = Path(source.package, *inner)
        for candidate, package in (
            (relative / "__init__.py", True),
            (relative.with_name(relative.name + ".py"), False),
        ):
            if package is False and not inner:
                continue
            if not (source.folder / candidate).is_file():
                continue
            expected = None
            if source.files is not None:
                expected = source.files.get(candidate.as_posix(), "not listed")
            loader = _SourceLoader(source.folder / candidate, package, expected)
            spec = importlib.machinery.ModuleSpec(
                fullname, loader, origin=str(source.folder / candidate), is_package=package
            )
            spec.has_location = True
            if package:
                spec.submodule_search_locations = [str((source.folder / candidate).parent)]
            return spec
        return None


def _ensure_finder() -> None:
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def module_name(slug: str, version: str, sha256: str) -> str:
    """Return the module name of a release."""
    return f"{NAMESPACE}.{slug}_{re.sub(r'[^0-9a-zA-Z]', '_', version)}_{sha256[:12]}"


def load(manifest: Manifest, folder: Path, sha256: str, files: Mapping[str, str] | None) -> LoadedRelease:
    """Import the release in *folder*, or return it if it is already imported.

    :param files: path -> SHA-256 of each file accepted; None for a folder under development.
    :raises AddonError: for anything its import raises, even an attempt to end the process.
    """
    name = module_name(manifest.slug, manifest.version, sha256)
    with _lock:
        own = _loading.setdefault(name, threading.RLock())
    with own:
        known = _loaded.get(name)
        if known is not None and known.folder == folder:
            return known
        old = _sources.get(name.partition(".")[2])
        if old is not None:
            _drop(name, old)  # its folder was lost and unpacked again elsewhere
        _ensure_finder()
        source = _Source(folder, manifest.package, files)
        _sources[name.partition(".")[2]] = source
        try:
            plugin = _guarded(lambda: importlib.import_module(f"{name}.addon"), folder)
        except BaseException:
            _drop(name, source)
            raise
        release = LoadedRelease(manifest, folder, sha256, name, plugin)
        _loaded[name] = release
        weakref.finalize(release, _drop, name, source).atexit = False
        return release


def _guarded(run: Callable[[], types.ModuleType], folder: Path) -> types.ModuleType:
    try:
        return run()
    except (GeneratorExit, OverdueError):
        raise
    except BaseException as error:
        place = place_of(error, folder)
        raise AddonError(
            noop("Its code cannot be imported."),
            state=AddonState.QUARANTINED,
            detail=f"{place}: {last_lines(error)}" if place else last_lines(error),
        ) from error


def _drop(name: str, source: _Source) -> None:
    if _sources.get(name.partition(".")[2]) is not source:
        return  # the same release was imported again meanwhile
    del _sources[name.partition(".")[2]]
    for module in [m for m in list(sys.modules) if m == name or m.startswith(name + ".")]:
        del sys.modules[module]
    parent = sys.modules.get(NAMESPACE)
    if parent is not None:
        vars(parent).pop(name.partition(".")[2], None)


def loaded_names() -> list[str]:
    """Return the module names of the installed releases imported in this process."""
    return sorted({".".join(name.split(".")[:2]) for name in sys.modules if name.startswith(f"{NAMESPACE}.")})
