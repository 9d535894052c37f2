"""Webhooks of the Cloud API: who gets them, and the shape of each (W4, W5, W6)."""

from __future__ import annotations

from dataclasses import replace

from sandbox.box import Emission, Sandbox
from sandbox.deliver import Event
from sandbox.whatsapp.world import Customer, Message, Number, Waba
from sandbox.world import Json

OF_PEOPLE = frozenset(
    {
        *("messages", "standby", "calls", "user_preferences"),
        *("history", "smb_app_state_sync", "smb_message_echoes"),
    }
)
"""Fields whose entries have no time of their own."""


def emit(
    box: Sandbox,
    waba: Waba,
    field: str,
    value: Json,
    what: str,
    *,
    number: Number | None = None,
    customer: str = "",
    mid: str | None = None,
    status: bool = False,
    ahead: bool = False,
) -> Emission:
    """Send one change to every app subscribed to an account, or return why none gets it."""
    draft = Event(
        app_id="",
        igid=waba.id,
        igsid=customer,
        what=what,
        data={"value": value, "field": field},
        container="changes",
        mid=mid,
        seconds=True,
        ahead=ahead,
        status=status,
        timed=field not in OF_PEOPLE,
    )
    events: list[Event] = []
    reason: str | None = "no app is subscribed to the WhatsApp Business Account"
    with box.lock:
        for app_id, override in waba.subscriptions.items():
            chosen = (number.override if number is not None else None) or override
            url = chosen.url if chosen is not None else None
            reason = box.why_not(box.world.apps[app_id], field, customer, url)
            if reason is None:
                events.append(replace(draft, app_id=app_id, url=url))
    return box.hand_over(draft, events, None if events else reason)


def held(value: Json) -> Json:
    """Return a ``messages`` value as the field ``standby`` has it."""
    names = ("contacts", "messages", "message_echoes", "statuses")
    kept = {name: told for name, told in value.items() if name not in names[1:]}
    return {**kept, "standby": {name: value[name] for name in names[1:] if name in value}}


def handover(number: Number, customer: Customer, kind: str, at: float, told: Json) -> Json:
    """Return the value of ``messaging_handovers``: it names the number as its recipient."""
    sender = {"user_id": customer.user_id} if customer.hides_number else {"phone_number": customer.wa_id}
    place = {"display_phone_number": number.digits, "phone_number_id": number.id}
    head: Json = {"messaging_product": "whatsapp", "recipient": place, "sender": sender}
    return {**head, "timestamp": str(int(at)), "type": kind, kind: told}


def metadata(number: Number) -> Json:
    """Return the start of a ``messages`` value."""
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.digits, "phone_number_id": number.id},
    }


def contact(customer: Customer, *, username: bool = True) -> Json:
    """Return a person as ``contacts`` names them; the number is left out if it is hidden (W7)."""
    profile: Json = {"name": customer.name}
    if customer.username and username:
        profile["username"] = f"@{customer.username}"
    told: Json = {"profile": profile}
    if not customer.hides_number:
        told["wa_id"] = customer.wa_id
    return {**told, **ids_of(customer)}


def ids_of(customer: Customer, before: str = "") -> Json:
    """Return the ids that don't depend on the number, their fields named with *before* (W7)."""
    told = {f"{before}user_id": customer.user_id}
    if customer.parent_id:
        told[f"{before}parent_user_id"] = customer.parent_id
    return told


def received(number: Number, customer: Customer, message: Message, more: Json) -> Json:
    """Return the value for a customer's message. *more* is its content; system messages name no contact."""
    told: Json = {}
    if message.context is not None:
        told["context"] = message.context
    if not customer.hides_number:
        told["from"] = customer.wa_id
    told |= ids_of(customer, "from_")
    told |= {"id": message.id, "timestamp": str(int(message.at)), **more}
    contacts = {} if message.kind == "system" else {"contacts": [contact(customer)]}
    return {**metadata(number), **contacts, "messages": [told]}


def status(number: Number, customer: Customer, message: Message, word: str, at: float, old: bool) -> Json:
    """Return the value for a status of a sent message (W5).

    *old* adds the conversation, which newer versions tell of free entry points only.
    """
    told: Json = {"id": message.id, "status": word, "timestamp": str(int(at))}
    if not (message.to_user_id and customer.hides_number):
        told["recipient_id"] = customer.wa_id
    if word != "failed" or message.to_user_id:
        told |= ids_of(customer, "recipient_")
    if message.opaque is not None:
        told["biz_opaque_callback_data"] = message.opaque
    first_of_two = word == "delivered" or (word == "read" and "delivered" not in message.announced)
    if word == "sent" or first_of_two:
        if message.conversation is not None and (old or message.pricing["type"] == "free_entry_point"):
            told["conversation"] = dict(message.conversation)
            if word != "sent":
                told["conversation"].pop("expiration_timestamp", None)
        told["pricing"] = message.pricing
    if word == "failed":
        told["errors"] = message.errors
        return {**metadata(number), "statuses": [told]}
    person = contact(customer, username=word != "sent")
    return {**metadata(number), "contacts": [person], "statuses": [told]}
