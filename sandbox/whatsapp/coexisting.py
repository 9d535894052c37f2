"""A number that the WhatsApp Business app has too: what is written, known and remembered there.

The shapes are those of the pages webhooks/reference/smb_message_echoes, history and smb_app_state_sync
(21 May 2026).
"""

from __future__ import annotations

from sandbox.box import Emission, Sandbox
from sandbox.whatsapp import files, webhooks
from sandbox.whatsapp.world import DAY, Customer, Number
from sandbox.world import Json

DECLINED = 2593109
"""Meta's code of a history that the business doesn't share."""
TURNED_OFF = "History sync is turned off by the business from the WhatsApp Business App"


def writes(box: Sandbox, number: Number, customer: Customer, data: Json) -> Emission:
    """Write to the customer in the app; with ``edited`` or ``revoked`` change what was written last."""
    now, id_ = box.clock.now(), files.message_id(customer.wa_id, inbound=False)
    words = data.get("text") or "Yes, come by any time."
    said: Json = {"type": "text", "text": {"body": words}}
    before = {"original_message_id": customer.wrote_in_app}
    if customer.wrote_in_app and data.get("edited"):
        said = {"type": "edit", "edit": {**before, "message": said}}
    elif customer.wrote_in_app and data.get("revoked"):
        said = {"type": "revoke", "revoke": before}
    else:
        customer.wrote_in_app = id_
    echo = {"from": number.digits, **_recipient(customer), "id": id_, "timestamp": str(int(now)), **said}
    value = {**webhooks.metadata(number), "message_echoes": [echo]}
    return _emit(box, number, customer, "smb_message_echoes", value)


def _recipient(customer: Customer) -> Json:
    number = {} if customer.hides_number else {"to": customer.wa_id}
    return number | webhooks.ids_of(customer, "to_")


def history(box: Sandbox, number: Number, customer: Customer, data: Json) -> Emission:
    """Send what was written before the number was connected: a chunk with one thread."""
    began = box.clock.now() - 40 * DAY
    told: list[tuple[bool, Json]] = [
        (True, {"type": "text", "text": {"body": data.get("text") or "Do you ship to Norway?"}}),
        (False, {"type": "text", "text": {"body": "We do, within a week."}}),
        (False, {"type": "media_placeholder"}),
    ]
    messages: list[Json] = []
    for at, (inbound, content) in enumerate(told):
        sender = customer.wa_id if inbound else number.digits
        id_ = files.message_id(customer.wa_id, inbound)
        message: Json = {"from": sender, "id": id_, "timestamp": str(int(began + 60 * at)), **content}
        if content["type"] == "media_placeholder":
            customer.placeholder = id_
        messages.append({**message, "history_context": {"status": "READ"}})
    chunk = {
        "metadata": {"phase": 1, "chunk_order": 1, "progress": 55},
        "threads": [{"id": customer.wa_id, "messages": messages}],
    }
    return _emit(box, number, customer, "history", {**webhooks.metadata(number), "history": [chunk]})


def history_file(box: Sandbox, number: Number, customer: Customer, data: Json) -> Emission:
    """Send a file of the history, which comes by itself and looks like a message that was just written."""
    mime_type, content, _name = files.sample("image")
    until = box.clock.now() + files.RECEIVED_FOR
    kept = files.keep(box.whatsapp, number.id, mime_type, content, expires_at=until)
    picture = {"caption": data.get("text") or "The old glaze", "mime_type": mime_type, "id": kept.id}
    message = {
        "from": customer.wa_id,
        "id": customer.placeholder or files.message_id(customer.wa_id, inbound=True),
        "timestamp": str(int(box.clock.now() - 9 * DAY)),
        "type": "image",
        "image": picture,
    }
    if customer.placeholder:  # it is of the business
        message |= {"from": number.digits, **_recipient(customer)}
    return _emit(box, number, customer, "history", {**webhooks.metadata(number), "messages": [message]})


def history_declined(box: Sandbox, number: Number, customer: Customer, _data: Json) -> Emission:
    """Say that the business doesn't share its history."""
    error: Json = {"code": DECLINED, "title": TURNED_OFF, "message": TURNED_OFF}
    error["error_data"] = {"details": "History sharing is turned off by the business"}
    value = {**webhooks.metadata(number), "history": [{"errors": [error]}]}
    return _emit(box, number, customer, "history", value)


def knows(box: Sandbox, number: Number, customer: Customer, _data: Json) -> Emission:
    """Have the customer entered into the address book of the app."""
    first = customer.name.partition(" ")[0]
    person = {"full_name": customer.name, "first_name": first, "phone_number": customer.wa_id}
    told: Json = {"type": "contact", "contact": person, "action": "add"}
    told["metadata"] = {"timestamp": str(int(box.clock.now()))}
    value = {**webhooks.metadata(number), "state_sync": [told]}
    return _emit(box, number, customer, "smb_app_state_sync", value)


def _emit(box: Sandbox, number: Number, customer: Customer, field: str, value: Json) -> Emission:
    waba = box.whatsapp.accounts[number.waba_id]
    return webhooks.emit(box, waba, field, value, field, number=number, customer=customer.wa_id)


OTHERS = {
    "app_echo": writes,
    "app_contact": knows,
    "history": history,
    "history_file": history_file,
    "history_declined": history_declined,
}
"""Acts of the app, by kind."""
