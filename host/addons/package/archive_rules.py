"""Rules for the files in an addon's zip: their names, kinds and folders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from host.addons.package import signing
from host.addons.package.manifest import FILE_NAME, Manifest
from host.addons.package.zipdirectory import Entry

MAX_NAME = 200
MAX_COMPONENT = 80
MAX_DEPTH = 12
MAX_ICON = 64 * 1024

_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_SUFFIXES = frozenset(
    [
        "py",
        "toml",
        "html",
        "txt",
        "md",
        "css",
        "js",
        "mjs",
        "svg",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "ico",
        "woff2",
        "json",
        "po",
        "pot",
        "mo",
        "csv",
        "typed",
    ]
)
_BARE = frozenset({"LICENSE", "LICENCE", "NOTICE", "README", "CHANGELOG", "COPYING"})
_PNG = b"\x89PNG\r\n\x1a\n"
_SVG = re.compile(rb"(?s)(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<svg[\s>]")
_HOOKED = frozenset({"sitecustomize.py", "usercustomize.py", "conftest.py"})
_FOLDERS = ("migrations", "templates", "static", "translations")
_MAGIC = {
    b"PK\x03\x04": "another zip",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"\xca\xfe\xba\xbe": "a program",
    b"#!": "a script for the shell",
}


def name_problem(entry: Entry) -> str | None:
    """Return why the entry's name or kind is refused, or None."""
    name = entry.name
    shown = ascii(name)[1:-1]
    parts = name.split("/")
    if len(name) > MAX_NAME or len(parts) > MAX_DEPTH or any(len(part) > MAX_COMPONENT for part in parts):
        return f"The name {shown[:60]}... is too long or too deep."
    for part in parts:
        if not _COMPONENT.fullmatch(part) or part.endswith(".") or _RESERVED.fullmatch(part):
            return f"The name {shown!r} is not allowed: plain letters, digits, and _ . + - inside."
    if "__pycache__" in parts:
        return f"{shown} is byte code; an addon brings source only."
    if entry.is_folder:
        return None
    base = parts[-1]
    if base in _HOOKED:
        return f"{shown} would run by itself, so it is not allowed."
    stem, dot, suffix = base.rpartition(".")
    if (dot and stem and suffix.lower() in _SUFFIXES) or (not dot and base in _BARE):
        return None
    return f"{shown} is of a kind an addon may not hold."


def names_problem(names: Sequence[str]) -> str | None:
    """Return why the names cannot be in one folder tree, or None."""
    seen: dict[str, str] = {}
    for name in names:
        key = name.casefold()
        if key in seen:
            if seen[key] == name:
                return f"{name} is in the zip twice."
            return f"{seen[key]} and {name} differ in case only."
        seen[key] = name
    return None


def ancestor_problem(entries: Sequence[Entry]) -> str | None:
    """Return the entry that is both a file and a folder, or None."""
    files = {entry.name.casefold() for entry in entries if not entry.is_folder}
    for entry in entries:
        parts = entry.name.casefold().split("/")
        for depth in range(1, len(parts)):
            if "/".join(parts[:depth]) in files:
                return f"{'/'.join(entry.name.split('/')[:depth])} is both a file and a folder."
    return None


def content_problem(name: str, head: bytes) -> str | None:
    """Return why a file whose content begins with *head* is refused, or None."""
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            return f"{name} is {what}, whatever its name says."
    return None


def layout_problems(manifest: Manifest, files: Mapping[str, str]) -> list[str]:
    """Return the misplaced and missing files, one sentence each."""
    problems: list[str] = []
    package = manifest.package
    problems.extend(
        f"{package}/{needed} is missing."
        for needed in ("__init__.py", "addon.py")
        if f"{package}/{needed}" not in files
    )
    if package in _FOLDERS:
        problems.append(f"The package may not be called {package!r}.")
    for name in sorted(files):
        top, slash, rest = name.partition("/")
        if not slash:
            known = name in (FILE_NAME, signing.FILES, signing.SIGNATURE)
            if not known and not name.endswith(".md") and name.partition(".")[0] not in _BARE:
                problems.append(f"{name} does not belong at the top of the zip.")
        elif top not in (package, *_FOLDERS):
            problems.append(f"{name} lies outside {package}/ and {', '.join(f'{f}/' for f in _FOLDERS)}.")
        elif top == "templates" and not rest.startswith(f"{manifest.slug}/"):
            problems.append(f"{name} must lie in templates/{manifest.slug}/.")
        elif name.endswith(".py") and top in ("templates", "static", "translations"):
            problems.append(f"{name} is code outside {package}/ and migrations/.")
    return problems[:10]


def icon_problem(name: str, content: bytes | None) -> str | None:
    """Return why the icon *name* of a manifest cannot be shown, or None.

    :param content: None if the zip does not have it.
    """
    if content is None:
        return f"The icon {name} is missing."
    if len(content) > MAX_ICON:
        return f"The icon {name} is larger than {MAX_ICON // 1024} KB."
    is_picture = content.startswith(_PNG) if name.endswith(".png") else bool(_SVG.match(content))
    return None if is_picture else f"The icon {name} is not the picture its name says."
