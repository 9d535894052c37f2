"""What the phone page shows, as plain JSON: a thread, the switches, the event log."""

from __future__ import annotations

from itertools import islice

from sandbox import presets
from sandbox.box import Sandbox
from sandbox.graph.send import DAY
from sandbox.ledger import Entry
from sandbox.world import Customer, Json, Message

ROWS = 60
SHOWN_KINDS = (
    "webhook",
    "call",
    "webhook_skipped",
    "webhook_dropped",
    "webhook_given_up",
    "webhooks_disabled",
    "verification",
)


def view(box: Sandbox, igsid: str | None) -> Json:
    """Return everything the page shows for one customer; the first when none is named."""
    with box.lock:
        world = box.world
        customer = world.customers.get(igsid or "") or next(iter(world.customers.values()))
        account = world.accounts[customer.igid]
        thread = box.conversation(customer.igid, customer.igsid).messages
        return {
            "version": box.ledger.version,
            "clock": {"now_ms": box.clock.now_ms(), "offset": round(box.clock.offset)},
            "people": [_person(box, each) for each in world.customers.values()],
            "customer": {
                "igsid": customer.igsid,
                "name": customer.name or customer.username,
                "typing": customer.typing,
                "window": _window(box, customer),
            },
            "account": {
                "igid": account.igid,
                "name": account.name,
                "username": account.username,
            },
            "notice": _notice(box, customer),
            "messages": [_message(box, each) for each in thread[-100:]],
            "seen": bool(thread and thread[-1].inbound and _seen(customer, thread[-1])),
            "switches": presets.show(box),
            "faults": len(box.faults.rules) + int(box.media.stories_expired),
            "events": _events(box),
        }


def _person(box: Sandbox, customer: Customer) -> Json:
    account = box.world.accounts[customer.igid]
    return {
        "igsid": customer.igsid,
        "name": customer.name or "No name",
        "username": customer.username,
        "account": account.igid,
        "account_name": account.username,
    }


def _seen(customer: Customer, last: Message) -> bool:
    return customer.seen_at is not None and customer.seen_at >= last.at


def _window(box: Sandbox, customer: Customer) -> str:
    """Return ``open``, ``people`` (HUMAN_AGENT only), ``closed`` or ``never`` (M2)."""
    if customer.last_message_at is None:
        return "never"
    age = box.clock.now() - customer.last_message_at
    if age <= DAY:
        return "open"
    human = box.world.accounts[customer.igid].human_agent
    return "people" if age <= 7 * DAY and human else "closed"


def _notice(box: Sandbox, customer: Customer) -> str | None:
    """Say why nothing would reach a desk, if so."""
    account = box.world.accounts[customer.igid]
    subscribers = box.world.subscribers(account)
    if any(app.callback_url for app, _ in subscribers):
        return None
    if not subscribers:
        return f"No desk is subscribed to @{account.username} yet. What you write stays here."
    return "The subscribed desk has no callback URL yet. What you write stays here."


def _message(box: Sandbox, message: Message) -> Json:
    body = message.body
    attachment = body.get("attachment") or {}
    attachment = attachment if isinstance(attachment, dict) else {}
    template = attachment.get("payload") if attachment.get("type") == "template" else None
    quoted = (message.reply_to or {}).get("mid")
    earlier = box.world.messages.get(quoted) if quoted else None
    return {
        "mid": message.mid,
        "me": message.inbound,
        "kind": message.kind,
        "text": message.text,
        "at_ms": int(message.at * 1000),
        "attachments": [
            {"type": part["type"], **{k: v for k, v in (part.get("payload") or {}).items() if k == "url"}}
            for part in message.attachments
            if part["type"] != "template"
        ],
        "story": _story(message),
        "template": template,
        "pictures": message.pictures,
        "quick_replies": [] if message.inbound else _offered(box, message),
        "quote": None if earlier is None else earlier.text or earlier.kind,
        "product": (body.get("referral") or {}).get("product", {}).get("id"),
        "reactions": list(message.reactions.values()),
        "deleted": message.deleted,
        "edited": message.edits > 0,
        "read": message.read,
        "via": message.via,
    }


def _offered(box: Sandbox, message: Message) -> list[Json]:
    """Return the answers to tap: the shop's words, or what Instagram knows of the customer (M10, M36)."""
    customer = box.world.customers[message.igsid]
    known = {"user_phone_number": customer.phone, "user_email": customer.email}
    offered = []
    for reply in message.body.get("quick_replies", []):
        if reply["content_type"] == "text":
            offered.append({"title": reply["title"], "payload": reply["payload"]})
        elif known[reply["content_type"]]:
            offered.append(dict.fromkeys(("title", "payload"), known[reply["content_type"]]))
    return offered


def _story(message: Message) -> str | None:
    """Return the picture of the story a message mentions or answers."""
    for part in message.attachments:
        if part["type"] == "story_mention":
            return str(part["payload"]["url"])
    story = (message.reply_to or {}).get("story")
    return str(story["url"]) if story else None


def _events(box: Sandbox) -> list[Json]:
    shown = (entry for entry in box.ledger.newest() if entry.kind in SHOWN_KINDS)
    return [_event(entry) for entry in islice(shown, ROWS)]


def _event(entry: Entry) -> Json:
    facts = entry.facts
    row: Json = {
        "id": entry.id,
        "at_ms": facts.get("started_ms", entry.at_ms),
        "inward": entry.kind != "call",
        "call": facts.get("call", "webhook"),
        "what": facts.get("event") or facts.get("what") or facts.get("path") or "",
        "status": facts.get("status"),
        "code": facts.get("code"),
        "subcode": facts.get("subcode"),
        "ms": facts.get("ms"),
        "marks": _marks(entry),
        "has_body": entry.body is not None,
    }
    if entry.kind == "call":
        row["call"] = {"send": "messages"}.get(row["call"], row["call"])
        row["what"] = facts.get("what") or f"{facts['method']} {facts['path']}"
    elif entry.kind == "verification":
        row["call"], row["what"] = "verify", "callback URL"
    elif entry.kind != "webhook":
        row["what"] = row["what"] or "subscription ended"
        row["answer"] = {
            "webhook_skipped": "not sent",
            "webhook_dropped": "lost",
            "webhook_given_up": "given up",
            "webhooks_disabled": "switched off",
        }[entry.kind]
    return row


def _marks(entry: Entry) -> list[str]:
    facts = entry.facts
    marks = []
    if facts.get("repeats"):
        marks.append("duplicate")
    if facts.get("signature") == "wrong":
        marks.append("wrong signature")
    if facts.get("attempt", 1) > 1:
        marks.append(f"try {facts['attempt']}")
    if facts.get("ahead"):
        marks.append("came first")
    if facts.get("withheld"):
        marks.append("accepted, answer withheld" if facts.get("accepted") else "answer withheld")
    if facts.get("reason"):
        marks.append(facts["reason"])
    return marks
