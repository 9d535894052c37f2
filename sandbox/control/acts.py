"""Control: act as a customer or the business's own app, or send arbitrary bytes."""

from __future__ import annotations

from flask import Response, jsonify

from sandbox import events, play
from sandbox.box import Emission
from sandbox.control.base import (
    OPTIONAL_TEXT,
    InputError,
    body,
    box,
    bp,
    find_account,
    find_app,
    find_customer,
    texts,
)
from sandbox.deliver import encode, sign
from sandbox.graph import subscriptions
from sandbox.world import Account, Customer, Json

ARGUMENTS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "payload": str,
    "title": str,
    "mid": str,
    "url": str,
    "reaction": str,
    "emoji": str,
    "ref": str,
    "ad_id": str,
    "product_id": str,
    "post": str,
    "count": int,
}


def _who(data: Json) -> tuple[Account, Customer]:
    if "account" in data:
        account = find_account(data.pop("account"))
        return account, find_customer(data.pop("customer"), account)
    customer = find_customer(data.pop("customer"))
    return find_account(customer.igid), customer


def _perform(account: Account, customer: Customer, kind: str, data: Json) -> tuple[str | None, Emission]:
    try:
        return play.perform(box(), account, customer, kind, data)
    except play.ActError as problem:
        raise InputError(str(problem)) from problem


@bp.post("/dm")
def dm() -> tuple[Response, int]:
    """Act as a customer; ``kind`` defaults to text."""
    allowed = {**ARGUMENTS, "account": str, "customer": str, "kind": str}
    data = body(allowed, ("customer",))
    kind = data.pop("kind", "text")
    account, customer = _who(data)
    mid, emission = _perform(account, customer, kind, data)
    shown = {"mid": mid, "account": account.igid, "customer": customer.igsid, "kind": kind}
    return jsonify({**shown, **emission.as_json()}), 201


@bp.post("/native-reply")
def native_reply() -> tuple[Response, int]:
    """Answer from Instagram's own app: no API call, but an echo is sent."""
    data = body({"account": str, "customer": str, "text": str}, ("customer", "text"))
    account, customer = _who(data)
    mid, _ = _perform(account, customer, "echo", data)
    return jsonify(mid=mid), 201


@bp.post("/events")
def raw_event() -> tuple[Response, int]:
    """Wrap and sign any object for ``messaging[]``, ``standby[]`` or ``changes[]``."""
    allowed: dict[str, type | tuple[type, ...]] = {
        "account": str,
        "customer": str,
        "messaging": dict,
        "standby": dict,
        "changes": dict,
        "field": str,
    }
    data = body(allowed)
    containers = [name for name in ("messaging", "standby", "changes") if name in data]
    if len(containers) != 1:
        raise InputError("exactly one of messaging, standby and changes is required")
    container = containers[0]
    inner = data[container]
    account = find_account(data.get("account"))
    sender, message = inner.get("sender"), inner.get("message")
    igsid = str(sender.get("id", "")) if isinstance(sender, dict) else ""
    message = message if isinstance(message, dict) else {}
    emission = box().emit(
        account,
        data.get("customer", igsid),
        f"raw {container}",
        inner,
        mid=message.get("mid"),
        echo=bool(message.get("is_echo")),
        container=container,
        field=data.get("field", "messages"),
    )
    return jsonify(emission.as_json()), 201


@bp.post("/webhook/raw")
def raw_webhook() -> Response:
    """POST an arbitrary body; signature ``right``, ``wrong``, ``none`` or a literal value."""
    data = body({"app": str, "body": (dict, list, str), "signature": str}, ("body",))
    app = find_app(data.get("app"))
    content = data["body"]
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else encode(content)
    asked = data.get("signature", "right")
    named: dict[str, str | None] = {
        "right": sign(app.secret, raw),
        "wrong": sign("wrong-" + app.secret, raw),
        "none": None,
    }
    return jsonify(_deliver(app.id, raw, named.get(asked, asked), "raw"))


@bp.post("/test")
def dashboard_test() -> Response:
    """Press the dashboard's Test button; ``shape`` is ``messaging`` (F) or ``changes`` (I)."""
    data = body({"app": str, "shape": str})
    if data.get("shape", "messaging") not in ("messaging", "changes"):
        raise InputError("shape must be messaging or changes")
    app = find_app(data.get("app"))
    raw = encode(events.dashboard_test(data.get("shape") == "changes", box().clock.now_ms()))
    return jsonify(_deliver(app.id, raw, sign(app.secret, raw), "test"))


def _deliver(app_id: str, raw: bytes, signature: str | None, what: str) -> Json:
    app = find_app(app_id)
    if not app.callback_url:
        raise InputError("the app has no callback URL; POST /control/webhook sets it")
    delivery = box().courier.post_raw(app, raw, signature, what)
    return {"delivery": delivery.id, "status": delivery.status, "answer": delivery.answer}


@bp.post("/webhook")
def register_webhook() -> tuple[Response, int]:
    """Set callback URL and verify token like the dashboard, which verifies them first (M2, M3)."""
    allowed: dict[str, type | tuple[type, ...]] = {
        "app": str,
        "callback_url": OPTIONAL_TEXT,
        "verify_token": str,
        "fields": list,
        "verify": bool,
    }
    data = body(allowed, ("callback_url",))
    b, app = box(), find_app(data.get("app"))
    if data["callback_url"] is None:
        app.callback_url = app.verify_token = None
        return jsonify(app=app.id, callback_url=None), 200
    url = data["callback_url"]
    if not url.startswith(("http://", "https://")):
        raise InputError("callback_url must start with http:// or https://")
    outcome: Json = {"app": app.id, "callback_url": url, "verified": None}
    if data.get("verify", True):
        if "verify_token" not in data:
            raise InputError("verify_token is required")
        outcome |= subscriptions.verify(b, url, data["verify_token"])
        told = {key: outcome[key] for key in ("app", "callback_url", "verified", "status", "ms")}
        b.ledger.add("verification", outcome["answer"], **told)
        if not outcome["verified"]:
            return jsonify(outcome), 422
    with b.lock:
        app.callback_url, app.verify_token = url, data.get("verify_token")
        if "fields" in data:
            app.fields = texts(data, "fields")
    return jsonify(outcome), 200
