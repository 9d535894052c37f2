"""Reading and changing accounts and phone numbers, and subscribing apps to an account (W9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.graph import paging, subscriptions
from sandbox.graph.call import Call
from sandbox.graph.fields import parse, select
from sandbox.whatsapp import templates
from sandbox.whatsapp.errors import CloudError, cloud_error, invalid
from sandbox.whatsapp.send import permitted
from sandbox.whatsapp.world import Number, Override, Template, Waba
from sandbox.world import Json

NUMBER_FIELDS = (
    "verified_name,code_verification_status,display_phone_number,quality_rating,platform_type,throughput,"
    "webhook_configuration,id"
)
WABA_FIELDS = "id,name,timezone_id,message_template_namespace"
MANAGE = "whatsapp_business_management"


def _waba(call: Call, scope: str = MANAGE) -> Waba:
    world = call.box.whatsapp
    number = world.numbers.get(call.node)
    waba = world.accounts[number.waba_id if number else call.node]
    permitted(call, waba, scope)
    return waba


def read_number(call: Call) -> Json:
    """``GET /{phone_number_id}``."""
    waba = _waba(call)
    number = call.box.whatsapp.numbers[call.node]
    return _number(call, waba, number)


def _number(call: Call, waba: Waba, number: Number) -> Json:
    wanted = parse(call.text("fields", NUMBER_FIELDS))
    return select(number_node(call, waba, number), wanted, "WhatsAppBusinessPhoneNumber")


def number_node(call: Call, waba: Waba, number: Number) -> Json:
    """Return every field of a phone number."""
    app = call.app()
    override = waba.subscriptions.get(app.id)
    webhooks = {"application": app.callback_url}
    if override is not None:
        webhooks["whatsapp_business_account"] = override.url
    if number.override is not None:
        webhooks["phone_number"] = number.override.url
    sends = "BLOCKED" if waba.blocked_for_policy or not number.registered else "AVAILABLE"
    return {
        "id": number.id,
        "display_phone_number": number.display_phone_number,
        "verified_name": number.verified_name,
        "quality_rating": number.quality_rating,
        "quality_score": {"score": number.quality_rating},
        "code_verification_status": number.code_verification_status,
        "platform_type": "CLOUD_API" if number.registered else "NOT_APPLICABLE",
        "throughput": {"level": number.throughput},
        "messaging_limit_tier": number.messaging_limit_tier,
        "whatsapp_business_manager_messaging_limit": number.messaging_limit_tier,
        "name_status": number.name_status,
        "new_name_status": "NONE",
        "status": "CONNECTED" if number.registered else "PENDING",
        "account_mode": number.account_mode,
        "is_official_business_account": False,
        "is_pin_enabled": True,
        "health_status": {
            "can_send_message": sends,
            "entities": [
                {"entity_type": "PHONE_NUMBER", "id": number.id, "can_send_message": sends},
                {"entity_type": "WABA", "id": waba.id, "can_send_message": sends},
            ],
        },
        "webhook_configuration": webhooks,
    }


def change_number(call: Call) -> Json:
    """``POST /{phone_number_id}`` with ``webhook_configuration``: set or remove the number's callback."""
    with call.box.lock:
        _waba(call)
    asked = call.structure("webhook_configuration")
    if not isinstance(asked, dict):
        raise invalid("The parameter webhook_configuration is required.")
    override = _verified(call, asked)
    with call.box.lock:
        call.box.whatsapp.numbers[call.node].override = override
    return {"success": True}


def register(call: Call) -> Json:
    """``POST /{phone_number_id}/register`` and ``/deregister``."""
    _waba(call)
    number = call.box.whatsapp.numbers[call.node]
    if call.edge == "register":
        if call.params.get("messaging_product") != "whatsapp":
            raise invalid("The parameter messaging_product is required.")
        if call.text("pin") != number.pin:
            raise cloud_error(133005)
    number.registered = call.edge == "register"
    return {"success": True}


def read_waba(call: Call) -> Json:
    """``GET /{waba_id}``."""
    waba = _waba(call)
    node: Json = {
        "id": waba.id,
        "name": waba.name,
        "currency": waba.currency,
        "timezone_id": waba.timezone_id,
        "message_template_namespace": waba.message_template_namespace,
        "account_review_status": waba.review_status,
        "business_verification_status": "verified",
        "country": "US",
        "ownership_type": "SELF",
        "status": "BANNED" if waba.blocked_for_policy else "ACTIVE",
    }
    return select(node, parse(call.text("fields", WABA_FIELDS)), "WhatsAppBusinessAccount")


def list_numbers(call: Call) -> Json:
    """``GET /{waba_id}/phone_numbers``."""
    waba = _waba(call)
    numbers = [each for each in call.box.whatsapp.numbers.values() if each.waba_id == waba.id]
    return paging.paged(call, [_number(call, waba, number) for number in numbers])


def list_templates(call: Call) -> Json:
    """``GET /{waba_id}/message_templates``."""
    _waba(call)
    return templates.listed(call)


def read_template(call: Call) -> Json:
    """``GET /{template_id}``."""
    waba, template = next(found for found in _templates(call) if found[1].id == call.node)
    permitted(call, waba, MANAGE)
    return templates.read(call, template)


def is_template(call: Call) -> bool:
    """Return whether a call names a template."""
    return any(template.id == call.node for _, template in _templates(call))


def _templates(call: Call) -> Iterator[tuple[Waba, Template]]:
    for waba in call.box.whatsapp.accounts.values():
        for template in waba.templates:
            yield waba, template


def subscribed_apps(call: Call) -> Json:
    """``GET``, ``POST`` and ``DELETE /{waba_id}/subscribed_apps``; ``POST`` may name another callback."""
    with call.box.lock:
        waba, app = _waba(call), call.app()
        if call.method == "GET":
            return {"data": [_subscription(call, *item) for item in waba.subscriptions.items()]}
        if call.method == "DELETE":
            waba.subscriptions.pop(app.id, None)
            return {"success": True}
    override = _verified(call, call.params)
    with call.box.lock:
        waba.subscriptions[app.id] = override
    return {"success": True}


def _subscription(call: Call, app_id: str, override: Override | None) -> Json:
    app = call.box.world.apps[app_id]
    link = f"https://www.facebook.com/games/?app_id={app_id}"
    shown: Json = {"whatsapp_business_api_data": {"id": app_id, "link": link, "name": app.name}}
    if override is not None:
        shown["override_callback_uri"] = override.url
    return shown


def _verified(call: Call, asked: dict[str, Any]) -> Override | None:
    """Return the alternate callback in a call, verified by a challenge, or None if there is none."""
    url, token = asked.get("override_callback_uri"), asked.get("verify_token")
    if not url:
        return None
    if not isinstance(url, str) or not isinstance(token, str) or not token:
        raise invalid("The parameter verify_token is required.")
    outcome = subscriptions.verify(call.box, url, token)
    told = {key: outcome[key] for key in ("verified", "status", "ms")}
    call.box.ledger.add("verification", outcome["answer"], app=call.app().id, callback_url=url, **told)
    if not outcome["verified"]:
        status = outcome["status"] or 0
        raise CloudError(
            2200, None, f"Callback verification failed with the following errors: HTTP Status Code = {status}"
        )
    return Override(url, token)
