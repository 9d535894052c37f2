"""``addon.toml``, the manifest of an addon: parsed and checked without running any of its code."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

import host
from host.core.parsing import toml
from host.sdk import SDK_VERSION, strictjson
from host.sdk._forms.fields import SettingField, is_form, read_declared

FILE_NAME = "addon.toml"
MAX_BYTES = 64 * 1024
MAX_RANGE = 300
"""Longest version range, and requirement, in characters: a number in them is compared as one."""
MAX_ITEMS = 200
LINKS = ("homepage", "changelog", "issues")
OPTIONAL = (*LINKS, "icon")
"""Keys that are left out where an addon does not have them."""
MAX_LINK = 300

_SLUG = re.compile(r"[a-z][a-z0-9]{2,40}")
_PACKAGE = re.compile(r"[a-z][a-z0-9_]{0,60}")
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_HOST = re.compile(r"(\*\.)?[a-z0-9.-]{1,253}(:[0-9]{1,5})?")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ROUTE = re.compile(r"[a-z0-9][a-z0-9_./-]{0,199}")
_ICON = re.compile(r"static/(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]{0,150}\.(svg|png)")
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)


class ManifestError(Exception):
    """The manifest cannot be used. Holds one sentence per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mark on the addon's card: up to three letters and a tone from 1 to 6."""

    text: str
    tone: int = 1


class AddonSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``LOBBY_ADDON_<SLUG>_<NAME>``."""

    default: str = ""
    help: str = ""
    secret: bool = False


class SettingForms(msgspec.Struct, frozen=True, omit_defaults=True):
    """The settings the addon declares as forms, by name in the order of the manifest.

    ``workspace``: filled in by owners, for each workspace; ``desk``: by an admin, for the whole server.
    """

    workspace: Mapping[str, SettingField] = {}
    desk: Mapping[str, SettingField] = {}


class Declares(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The resources the addon uses, owns and opens. Shown before it is installed, and enforced afterwards.

    ``routes`` are the addresses that answer without a login, relative to ``/addons/<slug>/``. ``writes`` and
    ``reads`` are what it changes and reads on the desk, see :mod:`host.sdk.desk`.
    """

    hosts: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    writes: tuple[Literal["notes", "labels", "assignments", "attributes", "replies"], ...] = ()
    reads: tuple[Literal["conversations", "contacts"], ...] = ()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An addon's ``addon.toml``.

    ``package`` is its one Python package; ``host``, ``sdk`` and ``python`` are version specifiers, an empty
    ``sdk`` any; ``requires`` names distributions that must already be installed with the host. ``forms`` is
    no key of its own: it is ``[settings.workspace.<name>]`` and ``[settings.desk.<name>]``. ``homepage``,
    ``changelog`` and ``issues`` are addresses, ``icon`` is the path of a picture in ``static/``; or empty.
    """

    slug: str
    name: str
    version: str
    publisher: str
    description: str
    license: str
    package: str
    host: str
    sdk: str = ""
    python: str = ">=3.11"
    requires: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    mark: Mark = Mark("")
    declares: Declares = Declares()
    settings: Mapping[str, AddonSetting] = {}
    forms: SettingForms = SettingForms()
    homepage: str = ""
    changelog: str = ""
    issues: str = ""
    icon: str = ""

    @property
    def prefix(self) -> str:
        """The path of all addresses of the addon, with a slash at the end."""
        return f"/addons/{self.slug}/"

    def declared(self, what: str) -> tuple[str, ...]:
        """Return the names declared as *what*: ``channels``, ``routes``, ``tables`` or ``jobs``."""
        names: tuple[str, ...] = self.channels if what == "channels" else getattr(self.declares, what)
        return names

    @property
    def mark_text(self) -> str:
        return self.mark.text or self.name[:2].upper()

    @property
    def public_paths(self) -> frozenset[str]:
        """The full paths that answer without a login."""
        return frozenset(self.prefix + route for route in self.declares.routes)


def parse(data: bytes) -> Manifest:
    """Parse the bytes of an ``addon.toml``.

    :raises ManifestError: for anything that is not a manifest: too long, not TOML, an unknown or missing key,
        an invalid value.
    """
    if len(data) > MAX_BYTES:
        raise ManifestError([f"addon.toml is longer than {MAX_BYTES // 1024} KB"])
    try:
        raw = toml.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ManifestError(["addon.toml is not UTF-8 text"]) from None
    except toml.TomlError as error:
        raise ManifestError([f"addon.toml is not TOML: {error}"]) from None
    return from_dict(raw)


def from_dict(raw: Mapping[str, Any]) -> Manifest:
    """Create a manifest from its parsed form, with the checks of :func:`parse`.

    :raises ManifestError: as :func:`parse` does.
    """
    if "forms" in raw:
        raise ManifestError(["addon.toml: Object contains unknown field `forms`"])
    plain, forms, problems = _split_forms(_relative_routes(raw))
    try:
        manifest = msgspec.structs.replace(strictjson.convert(plain, Manifest), forms=forms)
    except msgspec.ValidationError as error:
        raise ManifestError([f"addon.toml: {error}", *problems]) from None
    problems += _shape_problems(manifest)
    if problems:
        raise ManifestError(problems)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read the manifest in the folder *path*.

    :raises ManifestError: as :func:`parse` does, and when there is none.
    """
    try:
        return parse((path / FILE_NAME).read_bytes())
    except OSError as error:
        raise ManifestError([f"addon.toml cannot be read: {error.strerror}"]) from None


def to_dict(manifest: Manifest) -> dict[str, Any]:
    """Return *manifest* as plain values, to be stored; :func:`from_dict` reads them."""
    result: dict[str, Any] = msgspec.to_builtins(manifest)
    forms = result.pop("forms")
    for name in OPTIONAL:
        if not result[name]:
            del result[name]
    return {**result, "settings": {**result["settings"], **forms}}


def _split_forms(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], SettingForms, list[str]]:
    """Return *raw* without its forms, the forms, and a sentence per mistake in them."""
    settings = raw.get("settings")
    if not isinstance(settings, dict):
        return raw, SettingForms(), []
    problems: list[str] = []
    found: dict[str, dict[str, SettingField]] = {}
    for place in SettingForms.__struct_fields__:
        if is_form(settings.get(place)):
            found[place], wrong = read_declared(place, settings[place])
            problems += wrong
    others = {name: value for name, value in settings.items() if name not in found}
    return {**raw, "settings": others}, SettingForms(**found), problems


def _relative_routes(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Accept routes written as full paths too."""
    declares, slug = raw.get("declares"), raw.get("slug")
    if not isinstance(declares, dict) or not isinstance(declares.get("routes"), list):
        return raw
    prefix = f"/addons/{slug}/"
    routes = [r.removeprefix(prefix) if isinstance(r, str) else r for r in declares["routes"]]
    return {**raw, "declares": {**declares, "routes": routes}}


def _shape_problems(manifest: Manifest) -> list[str]:
    problems: list[str] = []

    def check(fine: object, sentence: str) -> None:
        if not fine:
            problems.append(sentence)

    slug = manifest.slug
    check(_SLUG.fullmatch(slug), "slug must be 3 to 41 lower-case letters and digits, a letter first")
    check(_SEMVER.fullmatch(manifest.version), f"version {manifest.version!r} is not like 1.2.3 (SemVer)")
    check(len(manifest.version) <= 64, "version is longer than 64 characters")
    check(_PACKAGE.fullmatch(manifest.package), f"package {manifest.package!r} is not a Python package name")
    for label in ("name", "publisher", "license"):
        value = getattr(manifest, label)
        check(0 < len(value.strip()) <= 80 and value.isprintable(), f"{label} must be 1 to 80 characters")
    check(len(manifest.description) <= 500, "description is longer than 500 characters")
    problems += [
        f"{label} must be an https:// address, without a password"
        for label in LINKS
        if not _is_link(getattr(manifest, label))
    ]
    check(
        not manifest.icon or _ICON.fullmatch(manifest.icon),
        f"icon {manifest.icon!r} must be an SVG or PNG in static/, such as static/icon.svg",
    )
    lists = {"requires": manifest.requires, "channels": manifest.channels, "settings": manifest.settings}
    declared = {f"declares.{name}": getattr(manifest.declares, name) for name in Declares.__struct_fields__}
    for label, items in {**lists, **declared}.items():
        check(len(items) <= MAX_ITEMS, f"{label} has more than {MAX_ITEMS} items")
        check(len(items) == len(set(items)), f"{label} names something twice")
    check(
        len(manifest.mark.text) <= 3 and manifest.mark.text.isprintable(), "mark.text has 3 letters at most"
    )
    check(1 <= manifest.mark.tone <= 6, "mark.tone is a number from 1 to 6")
    for channel in manifest.channels:
        check(_CHANNEL.fullmatch(channel), f"channel {channel!r} must be lower-case letters, digits, hyphens")
    for table in manifest.declares.tables:
        check(
            _TABLE.fullmatch(table) and table.startswith(f"{slug}_"),
            f"table {table!r} must be named {slug}_...",
        )
    for route in manifest.declares.routes:
        check(
            _ROUTE.fullmatch(route) and ".." not in route,
            f"route {route!r} must be a path under /addons/{slug}/",
        )
    for name in manifest.declares.hosts:
        check(_HOST.fullmatch(name), f"host {name!r} is not a host name")
    for job in manifest.declares.jobs:
        check(_NAME.fullmatch(job.replace("-", "_")), f"job {job!r} must be lower-case letters and hyphens")
    for name in manifest.settings:
        check(_NAME.fullmatch(name), f"setting {name!r} must be lower-case letters, digits and underscores")
    for label, specifier in (("host", manifest.host), ("sdk", manifest.sdk), ("python", manifest.python)):
        try:
            SpecifierSet(specifier)
        except InvalidSpecifier:
            check(False, f"{label} = {specifier!r} is not a version range")
        check(specifier.strip() or label == "sdk", f"{label} names no version")
        check(len(specifier) <= MAX_RANGE, f"{label} is longer than {MAX_RANGE} characters")
    for requirement in manifest.requires:
        try:
            Requirement(requirement)
        except InvalidRequirement:
            check(False, f"requires {requirement!r} is not a requirement")
        check(len(requirement) <= MAX_RANGE, f"requires names something longer than {MAX_RANGE} characters")
    return problems


def _is_link(text: str) -> bool:
    """Return whether *text* is empty or an address that a page can link to."""
    if not text:
        return True
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False
    return usable and len(text) <= MAX_LINK and text.isprintable() and " " not in text


def fit_problems(manifest: Manifest, *, host_version: str | None = None) -> list[str]:
    """Return why this host cannot run the addon, one sentence per reason; empty if it can."""
    version = host_version or host.__version__
    problems: list[str] = []
    if not SpecifierSet(manifest.host).contains(version, prereleases=True):
        problems.append(f"It needs Lobby {manifest.host}; this is Lobby {version}.")
    if not SpecifierSet(manifest.sdk).contains(SDK_VERSION, prereleases=True):
        problems.append(f"It needs host.sdk {manifest.sdk}; this Lobby has host.sdk {SDK_VERSION}.")
    python = platform.python_version()
    if not SpecifierSet(manifest.python).contains(python, prereleases=True):
        problems.append(f"It needs Python {manifest.python}; this is Python {python}.")
    for text in manifest.requires:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            problems.append(f"It needs the Python package {requirement.name}, which is not installed here.")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            problems.append(f"It needs {text}; installed is {requirement.name} {found}.")
    return problems


def version_key(version: str) -> tuple[Any, ...]:
    """Return a sort key for SemVer versions; build metadata is ignored."""
    match = _SEMVER.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is not a SemVer version")
    major, minor, patch, pre, _build = match.groups()
    numbers = (int(major), int(minor), int(patch))
    if pre is None:
        return (*numbers, 1, ())
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split("."))
    return (*numbers, 0, parts)
