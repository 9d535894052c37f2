"""Register every declared route of the API, and the two pages about them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, current_app, g, render_template, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from werkzeug.routing import BaseConverter, Map, Rule

from host.api.http import addon_routes, versions
from host.api.http.call import answer
from host.api.http.declare import BASE, Route, routes
from host.api.http.error_list import error_list
from host.core.errors import FeatureOffError, LobbyError
from host.core.ids import MAX_ID
from host.features import registry
from host.web import error_pages
from host.web.request_helpers import body_limit, request_id

log = logging.getLogger("lobby.api")


def _viewer() -> Path:
    """Return the folder with Swagger UI's files; the package's own page needs an inline script."""
    package = find_spec("flask_swagger_ui")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "dist"


bp = Blueprint("api", __name__, static_folder=_viewer(), static_url_path="/api/docs/viewer")


class _Id(BaseConverter):
    """An id in a path, with any number of digits, because a number that is too large must give a 404."""

    regex = "[0-9]+"
    part_isolating = True

    def to_python(self, value: str) -> int:
        return min(int(value[:20]), MAX_ID + 1) if len(value) <= 20 else MAX_ID + 1


class _Account(_Id):
    """An account in a path: its id, or the channel's public id, which is not a number or is longer."""

    regex = "[A-Za-z0-9][A-Za-z0-9_.-]*"

    def to_python(self, value: str) -> int | str:  # type: ignore[override]
        return super().to_python(value) if value.isdigit() and len(value) <= 20 else value


@bp.record
def _add_routes(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["api_id"] = _Id
    state.app.url_map.converters["api_account"] = _Account
    generation = state.app.extensions.get("lobby.generation")
    of_addons = () if generation is None else addon_routes.routes_of(generation.api_routes)
    for one in (*routes(), *of_addons):
        state.add_url_rule(one.rule, one.operation, _view(one), methods=[one.method])


def _view(route: Route) -> Callable[..., Response]:
    view = partial(answer, route)
    view.lobby_raw_body = True  # type: ignore[attr-defined]  # read once the key was looked at
    if route.body_limit is None:
        return view
    return body_limit(route.body_limit, allowed=lambda: None)(view)


@bp.before_app_request
def say_off() -> None:
    """Tell programs which feature is off, where they call one of its routes.

    :raises FeatureOffError: with the feature's name.
    """
    off = registry.disabled()
    if not off or not request.path.startswith(f"{BASE}/") or request.url_rule is not None:
        return
    for feature in off:
        rules = Map(
            [Rule(one.rule, methods=[one.method]) for one in routes([feature])],
            converters=current_app.url_map.converters,
        )
        if rules.bind("").test(request.path, request.method):
            name = "" if feature.switch is None else feature.switch.title
            raise FeatureOffError(f"{name} are turned off on this Lobby server.", next_step=None)


@bp.errorhandler(LobbyError)
def refuse(error: LobbyError) -> ResponseReturnValue:
    """Refuse a request with the status that its version of the API has for that."""
    if error.status >= 500:
        log.warning("%s answers %s: %s", request.path, error.status, error)
    status = versions.refusal_status(
        versions.asked(request), error.code, error.status, in_path=error.field in (request.view_args or {})
    )
    return error_pages.render(error, status=status)


@bp.after_request
def complete(response: Response) -> Response:
    """Add headers: requests left, the deprecation of the route, the id of the request, and the version."""
    response.headers.update(g.get("api_headers", {}))
    response.headers.update(g.get("api_deprecation", {}))
    response.headers["X-Request-Id"] = request_id()
    if request.path.startswith(f"{BASE}/"):
        response.headers[versions.HEADER] = versions.asked(request)
    return response


@bp.get("/api/docs")
def docs() -> ResponseReturnValue:
    """Show people the description of the API: its operations and errors, and a field for a key."""
    listed = error_list(versions.CURRENT)
    return render_template("api/docs.html", base=BASE, version=versions.CURRENT, errors=listed)
