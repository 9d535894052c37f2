"""Every address of the desk with its methods, and whom it lets in: pages, API, webhooks and probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from werkzeug.routing import Rule

from host.addons.running.contributions import BLUEPRINTS
from host.addons.running.generation import Generation
from host.api.http.declare import Route
from host.api.http.declare import routes as api_routes
from host.health import probes
from host.users import confirming
from host.users.roles import Permission
from tests.pins.pinning import changes, hold
from tests.whole import matrix
from tests.whole.test_bad_input import FIELDS, IDS, PLACE, QUERIES

TABLE = matrix.rows()
MARKS = (
    "before_new_password",
    "before_second",
    "body_limit",
    "in_archive",
    "json",
    "passive",
    "raw_body",
)
"""What a view declares besides its permission; see :mod:`host.web.request_helpers`."""


def routes(generation: Generation) -> list[str]:
    """Return a line for each method and address, with what it needs.

    A page needs a permission of :mod:`host.users.roles`, a route of the API a scope of its key. A page of an
    addon that declares no permission is for everybody who is signed in, unless its manifest says ``public``.
    In brackets stands what else a view declares, and whether it asks to confirm a password.
    """
    return sorted({*_pages(generation), *_webhooks(generation), *_probes()})


def _pages(generation: Generation) -> Iterator[str]:
    app = generation.app
    api = {(route.method, route.rule): route for route in api_routes()}
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            route = api.get((method, rule.rule))
            need = _need_of_page(generation, rule, method) if route is None else _need_of_route(route)
            yield f"{rule.rule} {method}: {need}"


def _need_of_route(route: Route) -> str:
    if route.scope is None:
        return "no key"
    scopes = [one for one in ("|".join(map(str, route.any_of)), *map(str, route.also)) if one]
    return f"key with {' and '.join(scopes)}" if scopes else "any key"


def _need_of_page(generation: Generation, rule: Rule, method: str) -> str:
    view = generation.app.view_functions[rule.endpoint]
    need = getattr(view, "lobby_needs", None)
    if need is Permission.READ and method != "GET":
        need = Permission.ANSWER  # as workspace_view has it
    if need is None:
        need = _undeclared(generation, rule)
    marks = [f"{name} {value}".removesuffix(" True") for name in MARKS if (value := _mark(view, name))]
    if rule.endpoint in confirming.TABLE and method != "GET":
        marks.append("confirm")
    return f"{need} ({', '.join(marks)})" if marks else str(need)


def _mark(view: object, name: str) -> object:
    return getattr(view, f"lobby_{name}", None)


def _undeclared(generation: Generation, rule: Rule) -> str:
    if rule.rule in generation.public_paths:
        return "public"
    blueprints = {blueprint.name for _slug, blueprint in generation.each(BLUEPRINTS)}
    if rule.endpoint.partition(".")[0] in blueprints:
        return "signed in"
    return "file" if "filename" in rule.arguments else "no key"


def _webhooks(generation: Generation) -> Iterator[str]:
    for path, route in generation.webhooks.items():
        slug = path.split("/")[2]
        methods = {"POST": route.authenticate, "GET": route.verify}
        for address in (path, f"{path}/<account>", f"/webhooks/{slug}/<account>"):
            named = generation.webhook(address)
            if named is not None and named[1] is route:
                for method in (method for method, decide in methods.items() if decide):
                    yield f"{address} {method}: webhook of {route.channel}, {route.max_body} bytes"


def _probes() -> Iterator[str]:
    yield from (f"{path} GET: probe" for path in probes.PATHS)


def test_every_address_is_there_and_lets_in_whom_it_did(shipped: Generation) -> None:
    hold("routes", routes(shipped))


def test_every_page_has_a_row_in_the_table_of_who_may_do_what(shipped: Generation) -> None:
    """The longer loop asks for each of them as everybody, see tests/whole/test_isolation.py."""
    needs = (line.partition(": ") for line in routes(shipped))
    pages = {address for address, _, need in needs if not need.startswith(("webhook", "probe"))}
    named = {" ".join(reversed(address.split(" "))) for address in pages if "/api/v1/" not in address}
    assert named == set(TABLE)


def test_every_form_has_its_fields_in_the_sweep_of_bad_input() -> None:
    """The longer loop sends each of them anything, see tests/whole/test_bad_input.py."""
    named = [address.split(" ") for address in TABLE]
    assert set(FIELDS) == {rule for method, rule in named if method == "POST"}
    assert set(QUERIES) <= {rule for method, rule in named if method == "GET"}
    assert {place for _, rule in named for _, place in PLACE.findall(rule)} <= set(IDS)


def test_a_page_that_needs_another_permission_is_seen(
    shipped: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = routes(shipped)
    monkeypatch.setattr(shipped.app.view_functions["reports.index"], "lobby_needs", Permission.READ)
    assert changes(before, routes(shipped)) == [
        "-/w/<int:workspace_id>/reports GET: reports",
        "+/w/<int:workspace_id>/reports GET: read",
    ]


def test_an_address_that_is_gone_is_seen(shipped: Generation, monkeypatch: pytest.MonkeyPatch) -> None:
    before = routes(shipped)
    monkeypatch.delitem(cast(Any, shipped.webhooks), "/addons/telegram/webhook")
    assert changes(before, routes(shipped)) == [
        "-/addons/telegram/webhook POST: webhook of telegram, 1048576 bytes",
        "-/addons/telegram/webhook/<account> POST: webhook of telegram, 1048576 bytes",
        "-/webhooks/telegram/<account> POST: webhook of telegram, 1048576 bytes",
    ]
