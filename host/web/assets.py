"""Static files: every link carries a hash of the content, so browsers may cache them for a year.

The style sheets of a page are combined: ``/styles/<hash>/bubbles+labels.css``. JavaScript modules import each
other by relative address, so their address carries the hash of the whole folder: a module then has one
address for all importers, and is run once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue

from host.core.errors import NotFoundError

YEAR = 31_536_000
DIGITS = 12

LOOKED_AT_SECONDS = 1.0
ENDPOINTS = ("static", "modules", "styles")
"""Endings of the endpoints that serve files; those of blueprints have a prefix."""
PATHS = tuple(f"/{name}/" for name in ENDPOINTS)
MOST_SHEETS = 12
"""Style sheets in one address."""

_known: dict[str, tuple[int, int, str]] = {}
_recent: dict[object, tuple[float, str]] = {}


def fingerprint(path: Path) -> str | None:
    """Return the first digits of the file's SHA-256, or None if there is no such file."""
    try:
        stat = path.stat()
        known = _known.get(str(path))
        if known and known[:2] == (stat.st_mtime_ns, stat.st_size):
            return known[2]
        digits = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
    except OSError:
        return None
    _known[str(path)] = (stat.st_mtime_ns, stat.st_size, digits)
    return digits


def folder_fingerprint(folder: Path) -> str:
    """Return the first digits of the SHA-256 of every script in *folder*."""
    digits = "".join(f"{path.name}:{fingerprint(path)};" for path in sorted(folder.glob("*.js")))
    return hashlib.sha256(digits.encode()).hexdigest()[:DIGITS]


def recent_fingerprint(folder: Path) -> str:
    """Return the fingerprint of *folder*, at most a second old; for building addresses only.

    A page names some twenty modules; reading the folder for each of them took a fifth of the page's time.
    Whether browsers may cache a response is decided by the fingerprint at that moment.
    """
    return _recently(folder, lambda: folder_fingerprint(folder))


def _recently(key: object, look: Callable[[], str]) -> str:
    """Return what *look* returned for *key*, at most a second ago."""
    now = time.monotonic()
    looked_at, known = _recent.get(key, (float("-inf"), ""))
    if now - looked_at > LOOKED_AT_SECONDS:
        known = look()
        _recent[key] = now, known
    return known


def install(app: Flask) -> None:
    """Add the hash to every URL of a static file, and set how long browsers cache it."""
    scripts = Path(app.static_folder or "", "js")
    _serve_modules(app, scripts)
    bootstrap = Path(app.blueprints["bootstrap"].static_folder or "", "css", "bootstrap.min.css")
    sheets = {path.stem: path for path in Path(app.static_folder or "").glob("*.css")}
    version_of = _serve_styles(app, {"bootstrap": bootstrap, **sheets})

    def files_version() -> str:
        """Return the version of all scripts and style sheets: pages of one version fit together."""
        return recent_fingerprint(scripts) + _recently("sheets", lambda: version_of(sheets))

    app.jinja_env.globals.update(files_version=files_version)
    _fingerprint_files(app)


def _serve_modules(app: Flask, scripts: Path) -> None:
    @app.get("/modules/<path:filename>")
    def modules(filename: str) -> ResponseReturnValue:
        version, _slash, name = filename.partition("/")
        response = send_from_directory(scripts, name)
        return _kept(response, is_fresh=version == folder_fingerprint(scripts))

    def module_url(name: str) -> str:
        return modules_url() + name

    def modules_url() -> str:
        """Return the common prefix of the addresses of all modules: a page names twenty."""
        return url_for("modules", filename=f"{recent_fingerprint(scripts)}/")

    app.jinja_env.globals.update(module_url=module_url, modules_url=modules_url)


def _serve_styles(app: Flask, sheets: Mapping[str, Path]) -> Callable[[Iterable[str]], str]:
    @app.get("/styles/<path:filename>")
    def styles(filename: str) -> ResponseReturnValue:
        version, _slash, name = filename.partition("/")
        asked = name.removesuffix(".css").split("+", MOST_SHEETS)
        if not all(name in sheets for name in asked):
            raise NotFoundError
        response = Response(b"\n".join(sheets[name].read_bytes() for name in asked), mimetype="text/css")
        return _kept(response, is_fresh=version == version_of(asked))

    def version_of(names: Iterable[str]) -> str:
        digits = ";".join(fingerprint(sheets[name]) or "" for name in names)
        return hashlib.sha256(digits.encode()).hexdigest()[:DIGITS]

    def styles_url(names: str) -> str:
        """Return the address of the style sheets *names*, separated by spaces, in that order."""
        asked = list(dict.fromkeys(names.split()))
        return url_for("styles", filename=f"{version_of(asked)}/{'+'.join(asked)}.css")

    app.jinja_env.globals.update(styles_url=styles_url)
    return version_of


def _fingerprint_files(app: Flask) -> None:
    def file_of(endpoint: str, values: dict[str, Any]) -> Path | None:
        filename = values.get("filename")
        if not isinstance(filename, str):
            return None
        if endpoint == "addon_static":
            folder = app.extensions["lobby.addon_static"].get(values.get("slug"))
        elif endpoint == "static":
            folder = app.static_folder
        elif endpoint.endswith(".static"):
            owner = app.blueprints.get(endpoint.removesuffix(".static"))
            folder = owner.static_folder if owner else None
        else:
            return None
        if folder is None:
            return None
        path = Path(folder, filename)
        return path if path.is_relative_to(folder) and ".." not in path.parts else None

    @app.url_defaults
    def add_fingerprint(endpoint: str, values: dict[str, Any]) -> None:
        if "v" not in values and (path := file_of(endpoint, values)):
            digits = fingerprint(path)
            if digits:
                values["v"] = digits

    @app.after_request
    def keep(response: Response) -> Response:
        endpoint = request.endpoint or ""
        if endpoint not in {"static", "addon_static"} and not endpoint.endswith(".static"):
            return response
        if response.status_code not in {200, 206, 304}:
            return response
        path = file_of(endpoint, request.view_args or {})
        return _kept(response, is_fresh=path is not None and request.args.get("v") == fingerprint(path))


def _kept(response: Response, *, is_fresh: bool) -> Response:
    """Let browsers cache *response* for a year if its address has the hash of its content.

    They never ask again then, so it needs none of the headers that tell a newer file from this one.
    """
    if is_fresh and response.status_code == 200:
        for name in ("Content-Disposition", "Last-Modified", "ETag"):
            response.headers.pop(name, None)
    response.headers["Cache-Control"] = (
        f"public, max-age={YEAR}, immutable" if is_fresh else "public, no-cache"
    )
    return response
