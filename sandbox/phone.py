"""The content of the phone page, as plain JSON: a thread, the switches, the event log."""

from __future__ import annotations

from itertools import islice

from sandbox import commenting, posts, presets
from sandbox.box import Sandbox
from sandbox.graph.send import DAY
from sandbox.ledger import Entry
from sandbox.world import Account, Comment, Customer, Json, Message, Post

ROWS = 60
POSTS = 8
COMMENTS = 30
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
    """Return everything the page shows for one customer, by default the first."""
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
            "requested": box.conversation(customer.igid, customer.igsid).requested,
            "posts": [_post(box, customer, each) for each in _shown_posts(box, account)],
            "seen": bool(thread and thread[-1].inbound and _seen(customer, thread[-1])),
            "switches": presets.show(box),
            "faults": len(box.faults.rules) + presets.settings_on(box),
            "events": events(box),
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
    """Return why no messages would reach a desk, or None."""
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
            {"type": part["type"], **_address(part.get("payload") or {})}
            for part in message.attachments
            if part["type"] != "template"
        ],
        "story": _story(message),
        "template": template,
        "pictures": message.pictures,
        "quick_replies": [] if message.inbound else _offered(message),
        "quote": None if earlier is None else earlier.text or earlier.kind,
        "comment": _commented(box, message),
        "product": (body.get("referral") or {}).get("product", {}).get("id"),
        "reactions": list(message.reactions.values()),
        "deleted": message.deleted,
        "edited": message.edits > 0,
        "read": message.read,
        "via": message.via,
    }


def _commented(box: Sandbox, message: Message) -> Json | None:
    """Return the comment of a private reply, which Instagram shows with a link to the post (M13)."""
    comment = box.world.comments.get(message.comment_id or "")
    if comment is None:
        return None if message.comment_id is None else {"text": "", "url": ""}
    post = posts.find(box, comment.post_id)
    return {"text": comment.text, "url": "" if post is None else post.permalink}


def _shown_posts(box: Sandbox, account: Account) -> list[Post]:
    """Return the account's newest post, manually published ones, and those that mention it."""
    mentions = {one.post_id for one in box.world.comments.values() if one.igid == account.igid}
    by_hand = [one for one in box.world.posts.values() if one.igid == account.igid or one.id in mentions]
    return [posts.made_up(box, account, posts.MADE_UP), *by_hand[: -POSTS - 1 : -1]]


def _post(box: Sandbox, customer: Customer, post: Post) -> Json:
    below = commenting.below(box, post.original_id or post.id)[:COMMENTS]
    return {
        "id": post.id,
        "kind": post.kind,
        "caption": post.caption or "",
        "owner": post.owner,
        "boosted": post.original_id is not None,
        "running": post.kind == "LIVE" and post.ended_at is None,
        "ended": post.ended_at is not None,
        "own": post.igid == customer.igid,
        "comments": [
            _comment(box, customer, each)
            for top in reversed(below)
            for each in (top, *commenting.answers(box, top.id))
        ],
    }


def _comment(box: Sandbox, customer: Customer, comment: Comment) -> Json:
    """Return a comment as the customer sees it; a hidden one is only visible to its author."""
    mine = comment.igsid == customer.igsid
    return {
        "id": comment.id,
        "who": commenting.username(box, comment),
        "me": mine,
        "text": "" if comment.hidden and not mine else comment.text,
        "hidden": comment.hidden,
        "answer": comment.parent_id is not None,
        "private": comment.replied,
    }


def _offered(message: Message) -> list[Json]:
    """Return the answers to tap (M10, M36)."""
    offered = message.body.get("quick_replies", [])
    return [{"title": reply["title"], "payload": reply["payload"]} for reply in offered]


def _address(payload: Json) -> Json:
    url = payload.get("url") or payload.get("story_media_url")
    return {"url": url} if url else {}


def _story(message: Message) -> str | None:
    """Return the picture of the story a message mentions or answers."""
    for part in message.attachments:
        if part["type"] == "story_mention":
            return str(part["payload"]["url"])
    story = (message.reply_to or {}).get("story")
    return str(story["url"]) if story else None


def events(box: Sandbox) -> list[Json]:
    """Return the newest rows of the event log."""
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
