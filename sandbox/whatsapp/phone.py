"""The WhatsApp page: its content as JSON, and the files it shows."""

from __future__ import annotations

from flask import Response, current_app, jsonify, request, send_from_directory

from sandbox import phone
from sandbox.box import Sandbox
from sandbox.pages import STATIC, bp
from sandbox.whatsapp import catalogue, presets, statuses
from sandbox.whatsapp.world import Customer, Message
from sandbox.world import Json

SHOWN = 100


def _box() -> Sandbox:
    found: Sandbox = current_app.config["SANDBOX"]
    return found


@bp.get("/whatsapp")
def whatsapp_page() -> Response:
    """Serve the WhatsApp page."""
    return send_from_directory(STATIC, "whatsapp.html")


@bp.get("/whatsapp/kinds")
def whatsapp_kinds() -> Response:
    """Return all kinds of messages that have a button."""
    return jsonify(catalogue.show())


@bp.get("/whatsapp/view")
def whatsapp_view() -> Response:
    """Return the content of the page."""
    return jsonify(view(_box(), request.args.get("customer", "")))


@bp.get("/whatsapp/file/<media_id>")
def whatsapp_file(media_id: str) -> Response:
    """Serve a file to the page, which holds no token."""
    kept = _box().whatsapp.media.get(media_id)
    if kept is None or kept.gone:
        return Response("There is no such file.", status=404, mimetype="text/plain")
    return Response(kept.data, content_type=kept.mime_type)


def view(box: Sandbox, wa_id: str) -> Json:
    """Return everything the page shows for one customer, by default the first."""
    with box.lock:
        world = box.whatsapp
        people = [each for each in world.customers.values() if each.name]
        customer = world.customers.get(wa_id) or people[0]
        number = next(iter(world.numbers.values()))
        return {
            "version": box.ledger.version,
            "clock": {"now_ms": box.clock.now_ms(), "offset": round(box.clock.offset)},
            "people": [{"wa_id": each.wa_id, "name": each.name} for each in people],
            "customer": {
                "wa_id": customer.wa_id,
                "name": customer.name,
                "typing": customer.typing,
                "window": _window(box, customer),
                "online": customer.online,
                "receipts": customer.receipts,
                "hides_number": customer.hides_number,
                "blocked": customer.blocked,
            },
            "account": {"name": number.verified_name, "number": number.display_phone_number},
            "deliver": world.settings.deliver,
            "notice": _notice(box),
            "messages": [
                _message(box, each) for each in world.thread(customer)[-SHOWN:] if each.kind != "reaction"
            ],
            "switches": presets.show(box),
            "faults": len(box.faults.rules),
            "events": phone.events(box),
        }


def _window(box: Sandbox, customer: Customer) -> str:
    if customer.last_message_at is None:
        return "never"
    return "open" if statuses.window_open(box, customer) else "closed"


def _notice(box: Sandbox) -> str | None:
    """Return why no messages would reach a desk, or None."""
    waba = next(iter(box.whatsapp.accounts.values()))
    if not waba.subscriptions:
        return "No desk is subscribed to this WhatsApp Business Account yet. What you write stays here."
    for app_id, override in waba.subscriptions.items():
        if override is not None or box.world.apps[app_id].callback_url:
            return None
    return "The subscribed desk has no callback URL yet. What you write stays here."


def _message(box: Sandbox, message: Message) -> Json:
    quoted = box.whatsapp.messages.get(str((message.context or {}).get("id")))
    kept = box.whatsapp.media.get(message.media_id or "")
    file = None
    if kept is not None and not kept.gone:
        address = f"/whatsapp/file/{kept.id}"
        file = {"type": kept.mime_type.partition("/")[0], "url": address, "name": kept.filename}
    return {
        "mid": message.id,
        "me": message.inbound,
        "kind": message.kind,
        "text": message.text,
        "at_ms": int(message.at * 1000),
        "status": message.status,
        "error": message.errors[0]["title"] if message.errors else None,
        "file": file,
        "buttons": message.buttons,
        "quote": None if quoted is None else quoted.text or quoted.kind,
        "forwarded": "forwarded" in str(message.context or ""),
        "reactions": list(message.reactions.values()),
        "deleted": message.deleted,
    }
