"""Control of the Cloud API: be the customer, move statuses, change accounts, numbers and templates."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response, jsonify, request

from sandbox import ids
from sandbox.control.base import (
    NUMBER,
    OPTIONAL_TEXT,
    InputError,
    NotFoundError,
    body,
    box,
    bp,
    checked,
    texts,
)
from sandbox.whatsapp import play, seed, statuses, webhooks
from sandbox.whatsapp.errors import in_webhook
from sandbox.whatsapp.world import Customer, Message, Number, Template, Waba
from sandbox.world import WHATSAPP_FIELDS, Json

Allowed = dict[str, type | tuple[type, ...]]
ACT: Allowed = {
    "customer": str,
    "kind": str,
    "text": str,
    "id": str,
    "mid": str,
    "emoji": str,
    "omit": bool,
    "often": bool,
    "own": bool,
    "edited": bool,
    "revoked": bool,
    "filename": str,
    "latitude": NUMBER,
    "longitude": NUMBER,
    "ad_id": str,
    "product_id": str,
    "count": int,
    "summary": str,
    "taken": int,
    "twice": bool,
    "first": bool,
}
CUSTOMER: Allowed = {
    "name": str,
    "username": OPTIONAL_TEXT,
    "parent_id": str,
    "hides_number": bool,
    "dialled_as": list,
    "on_whatsapp": bool,
    "online": bool,
    "receipts": bool,
    "responder": str,
    "blocked": bool,
    "stopped_marketing": bool,
    "last_message_at": (int, float, type(None)),
}
PHONE: Allowed = {
    "display_phone_number": str,
    "verified_name": str,
    "quality_rating": str,
    "messaging_limit_tier": str,
    "throughput": str,
    "name_status": str,
    "code_verification_status": str,
    "account_mode": str,
    "allowed": list,
    "registered": bool,
    "pin": str,
}
WABA: Allowed = {"name": str, "currency": str, "review_status": str, "blocked_for_policy": bool}
TEMPLATE: Allowed = {
    "name": str,
    "language": str,
    "category": str,
    "components": list,
    "status": str,
    "parameter_format": str,
    "reason": str,
}
STATUSES = ("sent", "delivered", "read", "played", "failed")
TEMPLATE_STATUSES = ("APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "PENDING_DELETION", "ARCHIVED")


def _number() -> Number:
    return next(iter(box().whatsapp.numbers.values()))


def _waba() -> Waba:
    return box().whatsapp.accounts[_number().waba_id]


def _customer(name: str) -> Customer:
    found = box().whatsapp.customer(name)
    if found is None:
        raise NotFoundError(f"no WhatsApp customer {name}")
    return found


def _show(thing: Any) -> Json:
    shown: Json = dataclasses.asdict(thing)
    return shown


def _apply(thing: Any, data: Json) -> None:
    for name in ("allowed", "dialled_as"):
        if name in data:
            texts(data, name)
    for name, value in data.items():
        setattr(thing, name, value)
    box().ledger.touch()


@bp.get("/whatsapp")
def whatsapp_state() -> Response:
    """Show app, tokens, account, number, templates, customers and settings."""
    b = box()
    with b.lock:
        world = b.whatsapp
        return jsonify(
            app=_show(b.world.apps[seed.APP_ID]),
            tokens=[_show(token) for token in b.world.tokens.values() if token.waba_ids is not None],
            account=_show(_waba()),
            number=_show(_number()),
            customers=[_show(customer) for customer in world.customers.values()],
            settings=_show(world.settings),
        )


@bp.post("/whatsapp/message")
def whatsapp_message() -> tuple[Response, int]:
    """Act as a customer; ``kind`` defaults to text."""
    data = body(ACT, ("customer",))
    kind, customer = data.pop("kind", "text"), _customer(data.pop("customer"))
    try:
        message, emission = play.perform(box(), _number(), customer, kind, data)
    except play.ActError as problem:
        raise InputError(str(problem)) from problem
    shown = {"mid": message.id if message else None, "customer": customer.wa_id, "kind": kind}
    return jsonify({**shown, **emission.as_json()}), 201


@bp.get("/whatsapp/messages")
def whatsapp_messages() -> Response:
    """List the messages of a chat, or all, oldest first."""
    b = box()
    name = request.args.get("customer")
    with b.lock:
        world = b.whatsapp
        found = list(world.messages.values()) if name is None else world.thread(_customer(name))
        return jsonify(messages=[_show(message) for message in found])


@bp.post("/whatsapp/status")
def whatsapp_status() -> tuple[Response, int]:
    """Send a status of a message at once, whatever came before; ``failed`` takes ``code`` and ``details``."""
    allowed: Allowed = {
        "mid": str,
        "status": str,
        "code": int,
        "title": str,
        "details": str,
        "copies": int,
    }
    data = body(allowed, ("mid", "status"))
    message: Message | None = box().whatsapp.messages.get(data["mid"])
    if message is None or message.inbound:
        raise NotFoundError(f"no sent message {data['mid']}")
    if data["status"] not in STATUSES:
        raise InputError(f"status must be one of {', '.join(STATUSES)}")
    if not 1 <= data.get("copies", 1) <= 100:
        raise InputError("copies must be 1 to 100")
    if data["status"] == "failed":
        message.errors = [in_webhook(data.get("code", 131000), data.get("details"), data.get("title"))]
    emission = statuses.announce(box(), message, data["status"], copies=data.get("copies", 1))
    return jsonify(emission.as_json()), 201


@bp.patch("/whatsapp/settings")
def whatsapp_settings() -> Response:
    """Change settings of the Cloud API."""
    b = box()
    data = body({"refuse_at_once": bool, "deliver": bool, "conversations": bool})
    _apply(b.whatsapp.settings, data)
    return jsonify(_show(b.whatsapp.settings))


@bp.patch("/whatsapp/number")
def whatsapp_number() -> Response:
    """Change the business phone number."""
    data = body(PHONE)
    if data.get("account_mode", "LIVE") not in ("LIVE", "SANDBOX"):
        raise InputError("account_mode must be one of LIVE, SANDBOX")
    _apply(_number(), data)
    return jsonify(_show(_number()))


@bp.patch("/whatsapp/account")
def whatsapp_account() -> Response:
    """Change the WhatsApp Business Account."""
    _apply(_waba(), body(WABA))
    return jsonify(_show(_waba()))


@bp.post("/whatsapp/customers")
def add_whatsapp_customer() -> tuple[Response, int]:
    """Add a person with a WhatsApp number."""
    data = body({**CUSTOMER, "wa_id": str, "user_id": str}, ("wa_id", "name"))
    wa_id = data.pop("wa_id")
    if not wa_id.isdigit() or not 5 <= len(wa_id) <= 15:
        raise InputError("wa_id must be 5 to 15 digits")
    if box().whatsapp.customer(wa_id) is not None:
        raise InputError(f"{wa_id} is somebody's number already")
    user_id = data.pop("user_id", f"US.{ids.digits('1', 20)}")
    customer = box().whatsapp.customers[wa_id] = Customer(wa_id, data.pop("name"), user_id)
    _apply(customer, data)
    return jsonify(_show(customer)), 201


@bp.patch("/whatsapp/customers/<name>")
def change_whatsapp_customer(name: str) -> Response:
    """Change a customer; one who goes online receives what waited."""
    customer = _customer(name)
    _apply(customer, body(CUSTOMER))
    if customer.online:
        statuses.catch_up(box(), customer)
    return jsonify(_show(customer))


def _template(data: Json) -> Json:
    if data.get("status", "APPROVED") not in TEMPLATE_STATUSES:
        raise InputError(f"status must be one of {', '.join(TEMPLATE_STATUSES)}")
    if data.get("category", "UTILITY") not in ("MARKETING", "UTILITY", "AUTHENTICATION"):
        raise InputError("category must be one of MARKETING, UTILITY, AUTHENTICATION")
    for component in data.get("components", []):
        if not isinstance(component, dict) or not isinstance(component.get("type"), str):
            raise InputError("components must be a list of objects with a type")
        kind, form = component["type"], component.get("format", "TEXT")
        texted = kind in ("BODY", "FOOTER") or (kind == "HEADER" and form == "TEXT")
        if texted and not isinstance(component.get("text"), str):
            raise InputError(f"{kind} needs a text")
        if kind == "BUTTONS" and not isinstance(component.get("buttons"), list):
            raise InputError("BUTTONS needs a list of buttons")
    return data


@bp.post("/whatsapp/templates")
def add_whatsapp_template() -> tuple[Response, int]:
    """Add a template."""
    data = _template(body(TEMPLATE, ("name", "language", "category", "components")))
    template = Template(
        ids.digits("59", 15), data["name"], data["language"], data["category"], data["components"]
    )
    template.status = data.get("status", "APPROVED")
    template.parameter_format = data.get("parameter_format", "POSITIONAL")
    _waba().templates.append(template)
    return jsonify(_show(template)), 201


@bp.patch("/whatsapp/templates/<name>")
def change_whatsapp_template(name: str) -> Response:
    """Change a template, in every language or the one named; a new status is announced by a webhook."""
    data = _template(body(TEMPLATE))
    language, reason = data.pop("language", None), data.pop("reason", "NONE")
    found = [each for each in _waba().templates if each.name == name and language in (None, each.language)]
    if not found:
        raise NotFoundError(f"no template {name}")
    told = []
    for template in found:
        before = template.status
        _apply(template, data)
        if template.status != before:
            template.rejected_reason = reason
            told.append(_announce_template(template).as_json())
    return jsonify(templates=[_show(template) for template in found], told=told)


def _announce_template(template: Template) -> Any:
    value: Json = {
        "event": template.status,
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "message_template_category": template.category,
        "reason": template.rejected_reason,
    }
    if template.status == "DISABLED":
        value["disable_info"] = {"disable_date": str(int(box().clock.now()))}
    if template.status == "PAUSED":
        why = "Your message template has been paused for 3 hours until the quality improves."
        value["other_info"] = {"title": "FIRST_PAUSE", "description": why}
    return webhooks.emit(box(), _waba(), "message_template_status_update", value, "template status")


@bp.post("/whatsapp/quality")
def whatsapp_quality() -> tuple[Response, int]:
    """Change quality or limit of the number, and send ``phone_number_quality_update``."""
    data = body(
        {"event": str, "current_limit": str, "old_limit": str, "quality_rating": str},
        ("event", "current_limit"),
    )
    number = _number()
    number.quality_rating = data.get("quality_rating", number.quality_rating)
    value: Json = {
        "display_phone_number": number.digits,
        "event": data["event"],
        "current_limit": data["current_limit"],
        "max_daily_conversations_per_business": data["current_limit"],
    }
    if "old_limit" in data:
        value["old_limit"] = data["old_limit"]
    if data["current_limit"].startswith("TIER_") and data["current_limit"] != "TIER_NOT_SET":
        number.messaging_limit_tier = data["current_limit"]
    emission = webhooks.emit(box(), _waba(), "phone_number_quality_update", value, "quality", number=number)
    return jsonify(emission.as_json()), 201


@bp.post("/whatsapp/account-update")
def whatsapp_account_update() -> tuple[Response, int]:
    """Send ``account_update``; DISABLED_UPDATE also blocks the account or lets it send again."""
    allowed: Allowed = {
        "event": str,
        "ban_info": dict,
        "violation_info": dict,
        "restriction_info": list,
        "phone_number": str,
    }
    data = body(allowed, ("event",))
    if data["event"] == "DISABLED_UPDATE":
        day = box().clock.iso()[:10]
        data.setdefault("ban_info", {"waba_ban_state": "DISABLE", "waba_ban_date": day})
        _waba().blocked_for_policy = data["ban_info"].get("waba_ban_state") == "DISABLE"
    emission = webhooks.emit(box(), _waba(), "account_update", data, "account update")
    return jsonify(emission.as_json()), 201


@bp.post("/whatsapp/events")
def whatsapp_event() -> tuple[Response, int]:
    """Wrap and sign any object as the ``value`` of a field; fields with messages get their metadata."""
    data = checked(
        request.get_json(force=True, silent=True),
        {"field": str, "value": dict, "customer": str},
        ("field", "value"),
    )
    if data["field"] not in WHATSAPP_FIELDS:
        raise InputError(f"field must be one of {', '.join(WHATSAPP_FIELDS)}")
    number, value = _number(), data["value"]
    if data["field"] in {"messages", "smb_message_echoes"}:
        value = {**webhooks.metadata(number), **value}
    emission = webhooks.emit(
        box(),
        _waba(),
        data["field"],
        value,
        f"raw {data['field']}",
        number=number,
        customer=data.get("customer", ""),
    )
    return jsonify(emission.as_json()), 201
