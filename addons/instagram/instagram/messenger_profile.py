"""Set or delete an account's ice breakers and menu at Meta, and read them back.

Meta's pages: docs/instagram-messaging/features/ice-breakers,
docs/instagram-messaging/features/persistent-menu. A response has one of two shapes: the list itself, or an
object that contains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from host.sdk.channel import IceBreakers, Menu, ProviderProblem
from host.sdk.messages import IceBreaker, MenuItem

from .accounts import Credentials
from .errors import classify, problem
from .graph import GraphError
from .sending.replies import NO_CREDENTIALS
from .sending.requests import button_body
from .values import mapping, text

EDGE = "me/messenger_profile"
PLATFORM = {"platform": "instagram"}
T = TypeVar("T")


def read_ice_breakers(found: Credentials | None) -> IceBreakers | ProviderProblem:
    """Return the questions Meta has for the account, per locale."""
    return _read(found, "ice_breakers", _ice_breaker)


def write_ice_breakers(found: Credentials | None, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
    """Replace the account's questions; return those Meta has afterwards."""
    listed = [
        {
            "locale": locale,
            "call_to_actions": [{"question": one.question, "payload": one.payload} for one in questions],
        }
        for locale, questions in _in_order(wanted)
    ]
    failed = _write(found, "ice_breakers", listed)
    return failed or read_ice_breakers(found)


def read_menu(found: Credentials | None) -> Menu | ProviderProblem:
    """Return the menu Meta has for the account, per locale."""
    return _read(found, "persistent_menu", _menu_item)


def write_menu(found: Credentials | None, wanted: Menu) -> Menu | ProviderProblem:
    """Replace the account's menu; return the one Meta has afterwards."""
    listed = [
        {
            "locale": locale,
            "call_to_actions": [
                button_body({"title": one.title, "url": one.url, "payload": one.payload}) for one in items
            ],
        }
        for locale, items in _in_order(wanted)
    ]
    failed = _write(found, "persistent_menu", listed)
    return failed or read_menu(found)


def _in_order(wanted: Mapping[str, Sequence[T]]) -> list[tuple[str, Sequence[T]]]:
    """Return the locales with content, ``default`` first because Meta requires it."""
    return sorted(((name, list(items)) for name, items in wanted.items() if items), key=_default_first)


def _default_first(one: tuple[str, Sequence[Any]]) -> tuple[bool, str]:
    return one[0] != "default", one[0]


def _write(found: Credentials | None, name: str, listed: list[dict[str, Any]]) -> ProviderProblem | None:
    if found is None:
        return problem(NO_CREDENTIALS)
    try:
        if listed:
            found.graph().call("POST", EDGE, dict[str, Any], params=PLATFORM, json={**PLATFORM, name: listed})
        else:
            body = {**PLATFORM, "fields": [name]}
            found.graph().call("DELETE", EDGE, dict[str, Any], params=PLATFORM, json=body)
    except GraphError as error:
        return problem(classify(error), error)
    return None


def _read(
    found: Credentials | None, name: str, reader: Callable[[Mapping[str, Any]], T | None]
) -> dict[str, tuple[T, ...]] | ProviderProblem:
    if found is None:
        return problem(NO_CREDENTIALS)
    try:
        answer = found.graph().call("GET", EDGE, dict[str, Any], params={**PLATFORM, "fields": name})
    except GraphError as error:
        return problem(classify(error), error)
    listed: list[Any] = []
    for one in _list(answer.get("data")):
        inner = mapping(one).get(name)
        listed += inner if isinstance(inner, list) else [one]
    read: dict[str, tuple[T, ...]] = {}
    for one in listed:
        actions = [reader(mapping(each)) for each in _list(mapping(one).get("call_to_actions"))]
        kept = tuple(each for each in actions if each is not None)
        if kept:
            read[text(mapping(one).get("locale")) or "default"] = kept
    return read


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _ice_breaker(fields: Mapping[str, Any]) -> IceBreaker | None:
    question = text(fields.get("question"))
    return IceBreaker(question, text(fields.get("payload"))) if question else None


def _menu_item(fields: Mapping[str, Any]) -> MenuItem | None:
    title = text(fields.get("title"))
    return MenuItem(title, text(fields.get("payload")), text(fields.get("url"))) if title else None
