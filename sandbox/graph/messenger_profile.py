"""Ice breakers and the persistent menu: ``/{me, page or account}/messenger_profile`` (M15, M16)."""

from __future__ import annotations

from typing import Any

from sandbox.graph.call import Call
from sandbox.graph.shapes import invalid
from sandbox.world import Flavour, Json

QUESTIONS = 4
NAMES = ("ice_breakers", "persistent_menu")


def messenger_profile(call: Call) -> Json:
    """Read, set or delete the properties of an account."""
    account = call.messaging_account()
    call.need("instagram_manage_messages", "instagram_business_manage_messages")
    if call.flavour is Flavour.F and call.params.get("platform") != "instagram":
        raise invalid("Param platform must be instagram")
    if call.method == "GET":
        names = call.words("fields")
        _known(names)
        if names == ["ice_breakers"]:
            return {"data": account.profile.get("ice_breakers", [])}
        shown = {name: account.profile[name] for name in names if name in account.profile}
        return {"data": [shown] if shown else []}
    if call.method == "DELETE":
        names = [name.strip("[]'\" ") for name in call.words("fields")]
        _known(names)
        for name in names:
            account.profile.pop(name, None)
        return {"result": "success"}
    changes: Json = {name: call.structure(name) for name in NAMES if name in call.params}
    if not changes:
        raise invalid("Param ice_breakers or persistent_menu is required")
    for name, value in changes.items():
        account.profile[name] = _checked(name, value)
    return {"result": "success"}


def _known(names: list[str]) -> None:
    for name in names:
        if name not in NAMES:
            raise invalid(f"Param fields must be one of {{{', '.join(NAMES)}}}")


def _checked(name: str, value: Any) -> Any:
    if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
        raise invalid(f"Param {name} must be a list of objects")
    flat = ["question" in item for item in value]
    if name == "ice_breakers" and any(flat):
        if not all(flat):
            raise invalid("Param ice_breakers must not mix questions and locales")
        value = [{"locale": "default", "call_to_actions": value}]
    if "default" not in [item.get("locale") for item in value]:
        raise invalid(f"Param {name} needs the default locale")
    for item in value:
        actions = item.get("call_to_actions")
        if not isinstance(actions, list) or not actions:
            raise invalid(f"Param {name}[call_to_actions] is required")
        if name == "ice_breakers" and len(actions) > QUESTIONS:
            raise invalid(f"Param ice_breakers can have at most {QUESTIONS} questions")
        for action in actions:
            if name == "ice_breakers":
                fits = isinstance(action, dict) and {"question", "payload"} <= set(action)
            else:
                fits = isinstance(action, dict) and action.get("type") in ("web_url", "postback")
            if not fits:
                raise invalid(f"Param {name}[call_to_actions] has an entry of the wrong shape")
    return value
