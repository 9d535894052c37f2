"""Shared parts of the control endpoints: reading JSON, clear errors, finding objects."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from sandbox.box import Sandbox
from sandbox.world import Account, App, Customer, Json

bp = Blueprint("control", __name__, url_prefix="/control")


class InputError(ValueError):
    """Input a control endpoint cannot accept; answered with 400 and the message."""

    status = 400


class NotFoundError(InputError):
    """An object named in the input does not exist; answered with 404."""

    status = 404


def box() -> Sandbox:
    """Return the running sandbox."""
    found: Sandbox = current_app.config["SANDBOX"]
    return found


@bp.errorhandler(InputError)
def refuse(error: InputError) -> tuple[Response, int]:
    """Answer bad input with a sentence."""
    return jsonify(error=str(error)), error.status


@bp.before_request
def same_origin() -> tuple[Response, int] | None:
    """Refuse requests from other sites' pages, because the control API has no login."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return jsonify(error="the control surface answers its own page only"), 403
    return None


def body(allowed: dict[str, type | tuple[type, ...]], required: tuple[str, ...] = ()) -> Json:
    """Read a JSON object with known names and types only; raise InputError."""
    raw = request.get_data()
    try:
        data = json.loads(raw) if raw else {}
    except ValueError:
        raise InputError("the body is not valid JSON") from None
    return checked(data, allowed, required)


def checked(data: Any, allowed: dict[str, type | tuple[type, ...]], required: tuple[str, ...] = ()) -> Json:
    """Check a JSON object against names and types; raise InputError."""
    if not isinstance(data, dict):
        raise InputError("the body must be a JSON object")
    for name, value in data.items():
        if name not in allowed:
            raise InputError(f"unknown name {name}; known: {', '.join(sorted(allowed))}")
        expected = allowed[name]
        kinds = expected if isinstance(expected, tuple) else (expected,)
        if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
            names = " or ".join(_KIND_NAMES.get(kind, kind.__name__) for kind in kinds)
            raise InputError(f"{name} must be {names}")
    for name in required:
        if name not in data:
            raise InputError(f"{name} is required")
    return data


_KIND_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    type(None): "null",
}
NUMBER = (int, float)
OPTIONAL_TEXT = (str, type(None))


def texts(data: Json, name: str) -> list[str]:
    """Return a list of texts from the input; raise InputError."""
    value = data[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{name} must be a list of texts")
    return list(value)


def find_app(name: str | None) -> App:
    """Return an app by id, by default the first."""
    apps = box().world.apps
    found = next(iter(apps.values()), None) if name is None else apps.get(name)
    if found is None:
        raise NotFoundError(f"no app {name}")
    return found


def find_account(name: str | None) -> Account:
    """Return an account by IGID, username or Page id, by default the first."""
    world = box().world
    if name is None:
        found = next(iter(world.accounts.values()), None)
    else:
        page = world.pages.get(name)
        key = (page.igid or "") if page else name
        found = world.accounts.get(key) or next(
            (a for a in world.accounts.values() if a.username == name.lstrip("@")), None
        )
    if found is None:
        raise NotFoundError(f"no account {name}")
    return found


def find_customer(name: str, account: Account | None = None) -> Customer:
    """Return a customer by IGSID or username, of one account if given."""
    for customer in box().world.customers.values():
        if name.lstrip("@") in (customer.igsid, customer.username) and (
            account is None or customer.igid == account.igid
        ):
            return customer
    where = f" of account {account.igid}" if account else ""
    raise NotFoundError(f"no customer {name}{where}")
