"""The objects inside ``messaging[]`` and ``changes[]`` of a webhook (M1, M4, M14, M29).

Builders only: they know shapes, not the world. ``sandbox.play`` decides when to send one.
"""

from __future__ import annotations

from typing import Any

from sandbox.world import Json


def inbound(igsid: str, igid: str, at_ms: int, **body: object) -> Json:
    """Wrap a customer's action: sender is the IGSID, recipient the IGID (M1)."""
    return {"sender": {"id": igsid}, "recipient": {"id": igid}, "timestamp": at_ms, **body}


def outbound(igsid: str, igid: str, at_ms: int, **body: object) -> Json:
    """Wrap an echo: sender is the IGID, recipient the IGSID (M1)."""
    return inbound(igid, igsid, at_ms, **body)


def message(mid: str, text: str | None = None, **rest: object) -> Json:
    """Build a ``message``; parts that are None are left out."""
    body: Json = {"mid": mid}
    if text is not None:
        body["text"] = text
    body.update({key: value for key, value in rest.items() if value is not None})
    return body


def attachment(kind: str, **payload: object) -> Json:
    """Build one attachment; without payload for view-once media (M4)."""
    return {"type": kind, "payload": payload} if payload else {"type": kind}


def echo_message(mid: str, sent: Json, attachments: list[Json]) -> Json:
    """Build the echo of a sent message (M4, M29)."""
    body: Json = {"mid": mid}
    if "text" in sent:
        body["text"] = sent["text"]
    if attachments:
        body["attachments"] = attachments
    body["is_echo"] = True
    return body


def template_echo(payload: Json) -> Json:
    """Build the echo's attachment for a template; the inner shape is unconfirmed."""
    kind = str(payload.get("template_type", "generic"))
    inner = {key: value for key, value in payload.items() if key != "template_type"}
    return {"type": "template", "payload": {kind: inner}}


def story_reply(story_id: str, url: str) -> Json:
    """Build ``reply_to`` of a reply to one of the business's stories (M1, M4)."""
    return {"story": {"id": story_id, "url": url}}


def message_reply(mid: str, is_self: bool | None = None) -> Json:
    """Build ``reply_to`` of an inline reply (M1, M4, M18)."""
    return {"mid": mid} if is_self is None else {"mid": mid, "is_self_reply": is_self}


def ad_referral(ref: str, ad_id: str, title: str, photo_url: str) -> Json:
    """Build the ``referral`` of the first message after an ad was tapped (M1, M4)."""
    return {
        "ref": ref,
        "ad_id": ad_id,
        "source": "ADS",
        "type": "OPEN_THREAD",
        "ads_context_data": {"ad_title": title, "photo_url": photo_url},
    }


def product_referral(product_id: str) -> Json:
    """Build the ``referral`` of a message written from a shop product (M1, M4)."""
    return {"product": {"id": product_id}}


def link_referral(ref: str) -> Json:
    """Build the stand-alone ``referral`` of an ig.me link in a known thread (M1, M4)."""
    return {"ref": ref, "source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD"}


def reaction(mid: str, name: str | None, emoji: str | None) -> Json:
    """Build a ``reaction``; without name it is an ``unreact`` (M1, M4)."""
    if name is None:
        return {"mid": mid, "action": "unreact"}
    return {"mid": mid, "action": "react", "reaction": name, "emoji": emoji}


def comment(field: str, comment_id: str, author: Json, text: str, media: Json, **rest: Any) -> Json:
    """Build a ``comments`` or ``live_comments`` change: ``comment_id`` on road F, ``id`` on road I (M1, M26).

    :param rest: ``parent_id`` for an answer to a comment; ``instagram_login``, whether it is road I.
    """
    value: Json = {
        "from": author,
        "id" if rest.get("instagram_login") else "comment_id": comment_id,
        "text": text,
        "media": media,
    }
    if rest.get("parent_id"):
        value["parent_id"] = rest["parent_id"]
    return {"field": field, "value": value}


def mention(media_id: str, comment_id: str | None = None) -> Json:
    """Build a ``mentions`` change of road F: only ids (M1)."""
    value: Json = {"media_id": media_id}
    if comment_id is not None:
        value["comment_id"] = comment_id
    return {"field": "mentions", "value": value}


def dashboard_test(instagram_login: bool, now_ms: int) -> Json:
    """Build the whole body of the dashboard's Test button, in either shape (section 2.17)."""
    value: Json = {
        "sender": {"id": "12334"},
        "recipient": {"id": "23245"},
        "timestamp": "1527459824",
        "message": {"mid": "random_mid", "text": "random_text"},
    }
    entry: Json = {"id": "0", "time": now_ms}
    if instagram_login:
        entry |= {"time": now_ms // 1000, "changes": [{"field": "messages", "value": value}]}
    else:
        entry["messaging"] = [value]
    return {"object": "instagram", "entry": [entry]}
