"""Statuses of sent messages: sent, delivered, read, played or failed, and the webhooks of each (W5)."""

from __future__ import annotations

import requests

from sandbox.box import Emission, Sandbox
from sandbox.whatsapp import files, webhooks
from sandbox.whatsapp.errors import in_webhook
from sandbox.whatsapp.world import DAY, Customer, Message, Number, Template, Waba
from sandbox.world import Json

ORDER = ("accepted", "sent", "delivered", "read", "played")
FETCH_SECONDS = 5


def window_open(box: Sandbox, customer: Customer) -> bool:
    """Return whether the customer service window is open: 24 hours after the customer's last message (W1)."""
    last = customer.last_message_at
    return last is not None and box.clock.now() - last < DAY


def price(box: Sandbox, customer: Customer, template: Template | None) -> Json:
    """Return the ``pricing`` of a message sent now (W11)."""
    if box.clock.now() < customer.entry_point_until:
        found = (False, "free_entry_point", "referral_conversion")
    elif template is None:
        found = (False, "free_customer_service", "service")
    elif template.category == "UTILITY" and window_open(box, customer):
        found = (False, "free_customer_service", "utility")
    else:
        found = (True, "regular", template.category.lower())
    billable, kind, category = found
    return {"billable": billable, "pricing_model": "PMP", "category": category, "type": kind}


def failure(box: Sandbox, customer: Customer, message: Message) -> Json | None:
    """Return why a message fails after it was accepted, or None."""
    if not customer.on_whatsapp or customer.blocked:
        return in_webhook(131026)
    if customer.stopped_marketing and message.pricing["category"] == "marketing":
        return in_webhook(131050)
    if message.kind != "template" and not window_open(box, customer):
        return in_webhook(131047)
    if message.kind == "reaction" and isinstance(message.body, dict):
        target = box.whatsapp.messages.get(str(message.body.get("message_id")))
        if target is None or target.deleted or target.wa_id != customer.wa_id or target.kind == "reaction":
            return in_webhook(131009, "Message to react to was not found in this chat.")
    return None


def progress(box: Sandbox, message: Message, *, ahead: bool = False) -> None:
    """Do what WhatsApp does after it accepted a message: fetch its file, deliver it, tell of both."""
    problem = _fetched(box, message)
    with box.lock:
        customer = box.whatsapp.customers[message.wa_id]
        problem = failure(box, customer, message) or problem
        deliver = box.whatsapp.settings.deliver
    if problem is not None:
        message.errors = [problem]
        announce(box, message, "failed", ahead=ahead)
        return
    if not deliver:
        return
    announce(box, message, "sent", ahead=ahead)
    if customer.online:
        announce(box, message, "delivered", ahead=ahead)


def catch_up(box: Sandbox, customer: Customer) -> None:
    """Deliver what waited for a phone that was off."""
    with box.lock:
        waiting = [each for each in box.whatsapp.thread(customer) if each.status == "sent"]
    for message in waiting:
        announce(box, message, "delivered")


def announce(box: Sandbox, message: Message, word: str, *, ahead: bool = False, copies: int = 1) -> Emission:
    """Put a sent message into a status, never back, and send the webhook of it."""
    world = box.whatsapp
    with box.lock:
        number, customer = world.numbers[message.number_id], world.customers[message.wa_id]
        at = box.clock.now()
        value = webhooks.status(number, customer, message, word, at, world.settings.conversations)
        if word == "failed" or word not in ORDER or _further(message.status, word):
            message.status = word
        message.announced.append(word)
        if message.kind == "reaction":
            _react(box, message)
    emission = Emission([])
    for _ in range(copies):
        emission = webhooks.emit(
            box,
            _account(box, number),
            "messages",
            value,
            f"status {word}",
            number=number,
            customer=customer.wa_id,
            mid=message.id,
            status=True,
            ahead=ahead,
        )
    return emission


def _account(box: Sandbox, number: Number) -> Waba:
    return box.whatsapp.accounts[number.waba_id]


def _further(now: str, word: str) -> bool:
    return now not in ORDER or ORDER.index(word) > ORDER.index(now)


def _react(box: Sandbox, message: Message) -> None:
    if message.status not in ("sent", "delivered") or not isinstance(message.body, dict):
        return
    target = box.whatsapp.messages.get(str(message.body["message_id"]))
    emoji = str(message.body.get("emoji") or "")
    if target is not None and emoji:
        target.reactions["business"] = emoji
    elif target is not None:
        target.reactions.pop("business", None)


def _fetched(box: Sandbox, message: Message) -> Json | None:
    """Fetch a file that was sent by link; return the error 131053 if that does not work."""
    if message.link is None or not box.settings.fetch_media:
        return None
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(message.link, timeout=FETCH_SECONDS, verify=box.verify_tls)
    except requests.RequestException as problem:
        return in_webhook(131053, f"Downloading media from weblink failed: {type(problem).__name__}")
    if answer.status_code != 200:
        why = f"http code {answer.status_code}, status message {answer.reason}"
        return in_webhook(131053, f"Downloading media from weblink failed with {why}")
    most, types = files.TYPES[message.kind] if message.kind in files.TYPES else files.TYPES["image"]
    mime_type = answer.headers.get("Content-Type", "application/octet-stream")
    if (
        message.kind in files.TYPES
        and message.kind != "document"
        and files.plain_type(mime_type) not in types
    ):
        allowed = ", ".join(types)
        why = f"Unsupported {message.kind.title()} mime type {mime_type}."
        return in_webhook(131053, f"{why} Please use one of the following - {allowed}.")
    if len(answer.content) > most:
        return in_webhook(
            131053, f"Media file size too big. Max file size we currently support: {most} bytes."
        )
    with box.lock:
        kept = files.keep(
            box.whatsapp,
            message.number_id,
            mime_type,
            answer.content,
            expires_at=box.clock.now() + files.UPLOADED_FOR,
        )
        message.media_id = kept.id
    return None
