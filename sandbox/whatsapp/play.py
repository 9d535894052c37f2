"""Everything a customer can do on WhatsApp, and the webhooks of it (W4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from sandbox import ids
from sandbox.box import Emission, Sandbox
from sandbox.whatsapp import calling, coexisting, files, media, notices, responders, statuses, webhooks
from sandbox.whatsapp.world import DAY, Customer, MediaFile, Message, Number
from sandbox.world import Json

REFERRAL_DAYS = 3
Made = tuple[str, Json]
"""The type of a message, and what it adds to the webhook."""


class ActError(ValueError):
    """An act that makes no sense; the message says why."""


def perform(
    box: Sandbox, number: Number, customer: Customer, kind: str, data: Json
) -> tuple[Message | None, Emission]:
    """Act as a customer: write, tap, react or read."""
    if kind in ("read", "played"):
        return None, _read(box, customer, kind, data)
    if kind in BESIDE:
        return None, BESIDE[kind](box, number, customer, data)
    if kind not in ACTS:
        raise ActError(f"kind must be one of {', '.join(KINDS)}")
    with box.lock:
        message_type, more = ACTS[kind](box, number, customer, data)
        body = more.get(message_type, {})
        message = Message(
            id=files.message_id(customer.wa_id, inbound=True),
            number_id=number.id,
            wa_id=customer.wa_id,
            inbound=True,
            at=box.clock.now(),
            kind=message_type,
            body=body,
            text=_shown(message_type, body),
            context=_context(box, number, customer, kind, data),
        )
        if message_type not in ("reaction", "system", "edit", "revoke") and kind != "group":
            _opens(customer, message, "referral" in more)
        if message_type in files.TYPES:
            message.media_id = body["id"]
        if message_type == "reaction":
            _react(box, body)
        value = webhooks.received(number, customer, message, more)
        if kind in MISPLACED:
            value["metadata"] = MISPLACED[kind]
        value = {name: told for name, told in value.items() if told is not None}
        if kind == "standby":
            customer.responder = customer.responder or responders.AGENT
        field = "standby" if customer.responder else "messages"
        value = webhooks.held(value) if customer.responder else value
        box.whatsapp.messages[message.id] = message
        if message_type == "system":
            _moved(box, customer, body)
    box.ledger.add(
        "dm", account=number.waba_id, number=number.id, customer=message.wa_id, what=kind, mid=message.id
    )
    emission = webhooks.emit(
        box,
        box.whatsapp.accounts[number.waba_id],
        field,
        value,
        kind,
        number=number,
        customer=message.wa_id,
        mid=message.id,
    )
    return message, emission


def _opens(customer: Customer, message: Message, from_ad: bool) -> None:
    """Open the customer service window, and after an ad the free entry point conversation (W11)."""
    customer.last_message_at = message.at
    if from_ad:
        customer.entry_point_until = message.at + REFERRAL_DAYS * DAY
        customer.entry_point_id = hashlib.md5(message.id.encode(), usedforsecurity=False).hexdigest()


def _shown(kind: str, body: Any) -> str:
    if kind == "contacts":
        return ", ".join(str(person["name"]["formatted_name"]) for person in body)
    if kind == "interactive":
        reply = body[body["type"]]
        return str(reply.get("title") or reply.get("body") or reply["response"])
    for name in ("body", "caption", "text", "name", "emoji", "filename"):
        if isinstance(body, dict) and body.get(name):
            return str(body[name])
    return ""


def _context(box: Sandbox, number: Number, customer: Customer, kind: str, data: Json) -> Json | None:
    if kind == "forwarded":
        return {"frequently_forwarded" if data.get("often") else "forwarded": True}
    if kind == "product":
        product = {"catalog_id": "700000000000001", "product_retailer_id": data.get("product_id", "blue-mug")}
        return {
            "from": number.digits,
            "id": files.message_id(customer.wa_id, False),
            "referred_product": product,
        }
    if kind not in ("reply", "button", "button_reply", "list_reply"):
        return None
    quoted = _target(box, customer, data, inbound=None if "mid" in data else False)
    return {"from": customer.wa_id if quoted.inbound else number.digits, "id": quoted.id}


def _target(
    box: Sandbox, customer: Customer, data: Json, *, inbound: bool | None, kind: str | None = None
) -> Message:
    """Return the named message, or the newest that fits."""
    if "mid" in data:
        found = box.whatsapp.messages.get(data["mid"])
        if found is None or found.wa_id != customer.wa_id:
            raise ActError(f"no message {data['mid']} in this chat")
        return found
    for message in reversed(box.whatsapp.thread(customer)):
        fits = inbound is None or message.inbound is inbound
        offers = kind is None or any(button["kind"] == kind for button in message.buttons)
        if fits and offers and message.kind != "reaction" and message.status != "failed":
            return message
    raise ActError("there is no message this could be about")


def _text(_box: Sandbox, _number: Number, _customer: Customer, data: Json) -> Made:
    return "text", {"type": "text", "text": {"body": data.get("text") or "Hello"}}


def _ad(_box: Sandbox, _number: Number, _customer: Customer, data: Json) -> Made:
    referral = {
        "source_url": "https://fb.me/sampleAd",
        "source_id": data.get("ad_id", "120200000000000001"),
        "source_type": "ad",
        "body": "Handmade mugs, every one different.",
        "headline": "The blue mug",
        "media_type": "image",
        "image_url": "https://scontent.example/ad.jpg",
        "ctwa_clid": "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a",  # noqa: E501 - as long as Meta's
        "welcome_message": {"text": "How can we help?"},
    }
    return "text", {"referral": referral, **_text(_box, _number, _customer, data)[1]}


def _file(kind: str, sample: str, **marks: Any) -> Callable[[Sandbox, Number, Customer, Json], Made]:
    def made(box: Sandbox, number: Number, _customer: Customer, data: Json) -> Made:
        mime_type, content, named = files.sample(sample)
        kept = files.keep(
            box.whatsapp,
            number.id,
            mime_type,
            content,
            expires_at=box.clock.now() + files.RECEIVED_FOR,
            filename=data.get("filename", named),
        )
        return kind, {"type": kind, kind: {**_described(box, kept, kind, data), **marks}}

    return made


def _described(box: Sandbox, kept: MediaFile, kind: str, data: Json) -> Json:
    told: Json = {}
    if data.get("text") and kind in ("image", "video", "document"):
        told["caption"] = data["text"]
    if kind == "document":
        told["filename"] = kept.filename
    return {
        **told,
        "mime_type": kept.mime_type,
        "sha256": hashlib.sha256(kept.data).hexdigest(),
        "id": kept.id,
        "url": media.url(box, kept),
    }


def _location(_box: Sandbox, _number: Number, _customer: Customer, data: Json) -> Made:
    place: Json = {
        "latitude": data.get("latitude", 52.5163),
        "longitude": data.get("longitude", 13.3777),
        "name": data.get("text") or "Brandenburg Gate",
        "address": "Pariser Platz, 10117 Berlin",
    }
    return "location", {"type": "location", "location": place}


def _contact(_box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
    """Share a contact from the phone's address book; with ``own`` the customer's own."""
    if data.get("own"):
        return "contacts", {"type": "contacts", "contacts": [_own_card(customer, "other")]}
    name = data.get("text") or "Mia Sample"
    first, _, last = name.partition(" ")
    person = {
        "origin": "other",
        "name": {"formatted_name": name, "first_name": first, **({"last_name": last} if last else {})},
        "phones": [{"phone": "+1 555-010-0099", "wa_id": "15550100099", "type": "HOME"}],
        "emails": [{"email": "mia@example.com", "type": "WORK"}],
    }
    return "contacts", {"type": "contacts", "contacts": [person]}


def _own_card(customer: Customer, origin: str) -> Json:
    first, _, last = customer.name.partition(" ")
    return {
        "origin": origin,
        "name": {
            "formatted_name": customer.name,
            "first_name": first,
            **({"last_name": last} if last else {}),
        },
        "phones": [{"phone": f"+{customer.wa_id}", "wa_id": customer.wa_id, "type": "CELL"}],
    }


def _contact_request(box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
    """Tap the button of a request for the number, and confirm: the customer's own card is sent."""
    _target(box, customer, data, inbound=False, kind="contact_request")
    return "contacts", {"type": "contacts", "contacts": [_own_card(customer, "contact_request")]}


def _reaction(box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
    target = _target(box, customer, data, inbound=None if "mid" in data else False)
    emoji = data.get("text") or data.get("emoji") or "👍"
    return "reaction", {"type": "reaction", "reaction": {"message_id": target.id, "emoji": emoji}}


def _unreact(box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
    """Take a reaction back: an empty emoji, or none at all with ``omit``; Meta sends either."""
    target = _target(box, customer, data, inbound=None if "mid" in data else False)
    reaction = {"message_id": target.id, **({} if data.get("omit") else {"emoji": ""})}
    return "reaction", {"type": "reaction", "reaction": reaction}


def _react(box: Sandbox, body: Json) -> None:
    target = box.whatsapp.messages[body["message_id"]]
    if body.get("emoji"):
        target.reactions["customer"] = body["emoji"]
    else:
        target.reactions.pop("customer", None)


def _tap(kind: str) -> Callable[[Sandbox, Number, Customer, Json], Made]:
    def made(box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
        offered = _target(box, customer, data, inbound=False, kind=kind)
        data["mid"] = offered.id
        wanted = data.get("text") or data.get("id")
        for button in offered.buttons:
            if button["kind"] == kind and wanted in (None, button["id"], button["title"]):
                break
        else:
            raise ActError("the message has no such button")
        if kind == "button":
            return "button", {"type": "button", "button": {"payload": button["id"], "text": button["title"]}}
        reply = {key: value for key, value in button.items() if key != "kind"}
        return "interactive", {"type": "interactive", "interactive": {"type": kind, kind: reply}}

    return made


def _order(_box: Sandbox, _number: Number, _customer: Customer, data: Json) -> Made:
    items = [
        {
            "product_retailer_id": data.get("product_id", "blue-mug"),
            "quantity": data.get("count", 2),
            "item_price": 18.5,
            "currency": "EUR",
        }
    ]
    order = {"catalog_id": "700000000000001", "text": data.get("text", ""), "product_items": items}
    return "order", {"type": "order", "order": order}


def _form(_box: Sandbox, _number: Number, _customer: Customer, data: Json) -> Made:
    """Send a form of a flow (W12), with the names that the builder of flows gives to its fields."""
    answers = data.get("answers") or {
        "screen_0_Which_day_0": data.get("text") or "Saturday",
        "screen_0_How_many_people_1": 2,
        "screen_1_Bring_2": ["Clay", "An apron"],
    }
    sent = {"flow_token": ids.digits("1", 12), **answers}
    reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(sent, ensure_ascii=False)}
    return "interactive", {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}


def _call_permission(_box: Sandbox, _number: Number, _customer: Customer, data: Json) -> Made:
    """Answer whether the business may call."""
    reply = {"response": data.get("text") or "accept", "response_source": "user_action"}
    kind = "call_permission_reply"
    return "interactive", {"type": "interactive", "interactive": {"type": kind, kind: reply}}


def _welcome(_box: Sandbox, _number: Number, _customer: Customer, _data: Json) -> Made:
    """Open the chat for the first time, and write nothing."""
    return "request_welcome", {"type": "request_welcome"}


def _group(box: Sandbox, number: Number, customer: Customer, data: Json) -> Made:
    """Write in a group that the number is in."""
    return "text", {"group_id": "Y2FwaV9ncm91cDox", **_text(box, number, customer, data)[1]}


def _new_id(_box: Sandbox, _number: Number, customer: Customer, _data: Json) -> Made:
    """Get another id for the business, and keep the number."""
    user_id = f"{customer.user_id.partition('.')[0]}.{ids.digits('1', 20)}"
    body = f"User {customer.name} changed from {customer.user_id} to {user_id}"
    system: Json = {"body": body, "user_id": user_id, "previous_user_id": customer.user_id}
    if not customer.hides_number:
        system["wa_id"] = customer.wa_id
    return "system", {"type": "system", "system": {**system, "type": "user_changed_user_id"}}


def _system(box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
    new = "".join(filter(str.isdigit, data.get("text") or "")) or ids.digits("1555019", 11)
    if box.whatsapp.customer(new) is not None:
        raise ActError(f"{new} is somebody's number already")
    body = f"User {customer.name} changed from {customer.wa_id} to {new}"
    user_id = f"{customer.user_id.partition('.')[0]}.{ids.digits('1', 20)}"
    system = {"body": body, "wa_id": new, "user_id": user_id, "type": "user_changed_number"}
    return "system", {"type": "system", "system": system}


def _moved(box: Sandbox, customer: Customer, system: Json) -> None:
    """Give a customer the new number and id; the chat moves along."""
    world, old = box.whatsapp, customer.wa_id
    customer.user_id = system["user_id"]
    if system["type"] != "user_changed_number":
        return
    for message in world.messages.values():
        if message.wa_id == old:
            message.wa_id = system["wa_id"]
    del world.customers[old]
    customer.wa_id, customer.dialled_as = system["wa_id"], []
    world.customers[customer.wa_id] = customer


def _unsupported(_box: Sandbox, _number: Number, _customer: Customer, data: Json) -> Made:
    error = {
        "code": 131051,
        "title": "Message type unknown",
        "message": "Message type unknown",
        "error_data": {"details": "Message type is currently not supported."},
    }
    kind = {"type": data.get("text") or "unknown"}
    return "unsupported", {"errors": [error], "type": "unsupported", "unsupported": kind}


def _edit(box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
    target = _target(box, customer, data, inbound=True)
    target.text = data.get("text") or "Edited"
    content = {"type": "text", "text": {"body": target.text}}
    return "edit", {"type": "edit", "edit": {"original_message_id": target.id, "message": content}}


def _revoke(box: Sandbox, _number: Number, customer: Customer, data: Json) -> Made:
    target = _target(box, customer, data, inbound=True)
    target.deleted = True
    return "revoke", {"type": "revoke", "revoke": {"original_message_id": target.id}}


def _read(box: Sandbox, customer: Customer, word: str, data: Json) -> Emission:
    """Open the chat: everything that arrived is read. With read receipts off nobody is told."""
    emission = Emission([], "there is nothing unread, or the customer sends no read receipts")
    with box.lock:
        unread = [
            each
            for each in box.whatsapp.thread(customer)
            if not each.inbound
            and each.status in ("sent", "delivered", "read")[: 3 if word == "played" else 2]
        ]
        if "mid" in data:
            unread = [each for each in unread if each.id == data["mid"]]
    for message in unread:
        if customer.receipts and (word == "read" or message.kind == "audio"):
            emission = statuses.announce(box, message, word)
    return emission


ACTS: dict[str, Callable[[Sandbox, Number, Customer, Json], Made]] = {
    "text": _text,
    "image": _file("image", "image"),
    "video": _file("video", "video"),
    "audio": _file("audio", "audio", voice=False),
    "voice": _file("audio", "audio", voice=True),
    "document": _file("document", "document"),
    "sticker": _file("sticker", "sticker", animated=False),
    "location": _location,
    "contact": _contact,
    "contact_request": _contact_request,
    "reaction": _reaction,
    "unreact": _unreact,
    "standby": _text,
    "reply": _text,
    "forwarded": _text,
    "product": _text,
    "ad": _ad,
    "button": _tap("button"),
    "button_reply": _tap("button_reply"),
    "list_reply": _tap("list_reply"),
    "order": _order,
    "form": _form,
    "system": _system,
    "new_id": _new_id,
    "call_permission": _call_permission,
    "welcome": _welcome,
    "group": _group,
    "no_metadata": _text,
    "other_number": _text,
    "unsupported": _unsupported,
    "edit": _edit,
    "revoke": _revoke,
}
BESIDE: dict[str, Callable[[Sandbox, Number, Customer, Json], Emission]] = {
    **responders.OTHERS,
    **coexisting.OTHERS,
    **notices.OTHERS,
    "call": calling.calls,
}
"""Acts that are no message of the customer."""
MISPLACED: dict[str, Json | None] = {
    "no_metadata": None,
    "other_number": {"display_phone_number": "15550100199", "phone_number_id": "999000000000001"},
}
"""Metadata of messages that name no number, or one the desk doesn't have, by kind."""
KINDS = (*ACTS, *BESIDE, "read", "played")
