"""The Conversations API: threads, their messages, one message (M18, M34)."""

from __future__ import annotations

from typing import Any

from sandbox.errors import GraphError, missing_object
from sandbox.graph import fields, rates
from sandbox.graph.call import Call
from sandbox.graph.fields import RequestedField
from sandbox.world import Account, Conversation, Flavour, Json, Message

DETAILED = 20
PAGE_SIZE = 25
BARE = ("id", "created_time")
REQUEST_SECONDS = 30 * 24 * 3600


def list_conversations(call: Call) -> Json:
    """``GET /{page or account}/conversations``, newest thread first."""
    account = call.messaging_account()
    call.need("instagram_manage_messages", "instagram_business_manage_messages")
    rates.check(call, account, "conversations")
    if call.flavour is Flavour.F and call.params.get("platform") != "instagram":
        return {"data": []}
    threads = [
        thread
        for thread in call.box.world.conversations.values()
        if thread.igid == account.igid and thread.messages and not _is_old_request(call, thread)
    ]
    if "user_id" in call.params:
        threads = [thread for thread in threads if thread.igsid == call.text("user_id")]
    threads.sort(key=lambda thread: thread.messages[-1].at, reverse=True)
    wanted = fields.parse(call.text("fields", "id,updated_time"))
    shown, paging = _page(call, threads, [thread.id for thread in threads], call.params)
    return {
        "data": [_thread(call, account, thread, wanted) for thread in shown],
        **paging,
    }


def _is_old_request(call: Call, thread: Conversation) -> bool:
    """Return whether a thread is an unanswered request that has been silent for 30 days (M6, M18)."""
    customer = call.box.world.customers[thread.igsid]
    answered = any(not message.inbound for message in thread.messages)
    quiet = call.box.clock.now() - thread.messages[-1].at
    return not answered and not customer.is_user_follow_business and quiet > REQUEST_SECONDS


def read_conversation(call: Call) -> Json:
    """``GET /{conversation-id}?fields=messages{...}``."""
    thread = call.box.world.conversations[call.node]
    account = _owner(call, thread.igid)
    return _thread(call, account, thread, fields.parse(call.text("fields", "id,updated_time")))


def list_messages(call: Call) -> Json:
    """``GET /{conversation-id}/messages``: like the field ``messages``, as a separate call (M18)."""
    thread = call.box.world.conversations.get(call.node)
    if thread is None:
        raise missing_object(call.node)
    account = _owner(call, thread.igid)
    wanted = RequestedField("messages", call.params, fields.parse(call.text("fields", ",".join(BARE))))
    return _messages(call, account, thread, wanted)


def read_message(call: Call) -> Json:
    """``GET /{message-id}``: details only for the newest 20 of a thread (M18)."""
    message = call.box.world.messages[call.node]
    account = _owner(call, message.igid)
    thread = call.box.conversation(message.igid, message.igsid)
    if message.deleted or message not in thread.messages[-DETAILED:]:
        raise GraphError(9000001)
    wanted = fields.parse(call.text("fields", "id,created_time"))
    return fields.select(_message_node(call, account, message), wanted, "Message")


def _owner(call: Call, igid: str) -> Account:
    """Return the account of an object, if the token belongs to it."""
    token = call.token
    assert token is not None
    call.need("instagram_manage_messages", "instagram_business_manage_messages")
    if token.igid != igid or token.type not in ("PAGE", "IG_USER"):
        raise missing_object(call.node)
    account = call.box.world.accounts[igid]
    if not account.allow_messages:
        raise GraphError(200, 2534041)
    rates.check(call, account, "conversations")
    return account


def _thread(call: Call, account: Account, thread: Conversation, wanted: list[RequestedField]) -> Json:
    last = thread.messages[-1].at if thread.messages else call.box.clock.now()
    node: Json = {
        "id": thread.id,
        "updated_time": call.box.clock.iso(last),
        "participants": lambda _: {"data": _people(call, account, thread.igsid)},
        "messages": lambda item: _messages(call, account, thread, item),
        "is_owner": True,
    }
    return fields.select(node, wanted, "Conversation")


def _messages(call: Call, account: Account, thread: Conversation, item: RequestedField) -> Json:
    """Return a page of a thread's messages, newest first, with details of the newest 20."""
    newest = list(reversed(thread.messages))
    detailed = {message.mid for message in newest[:DETAILED]}
    newest = [message for message in newest if not message.deleted]
    mids = [message.mid for message in newest]
    shown, paging = _page(call, newest, mids, item.options)
    inner = item.inner or [RequestedField("id"), RequestedField("created_time")]
    bare = [part for part in inner if part.name in BARE]
    data = [
        fields.select(
            _message_node(call, account, message), inner if message.mid in detailed else bare, "Message"
        )
        for message in shown
    ]
    return {"data": data, **paging}


def _people(call: Call, account: Account, igsid: str) -> list[Json]:
    customer = call.box.world.customers[igsid]
    return [
        {"username": account.username, "id": account.igid},
        {"username": customer.username, "id": igsid},
    ]


def _message_node(call: Call, account: Account, message: Message) -> Json:
    business, person = _people(call, account, message.igsid)
    sender, receiver = (person, business) if message.inbound else (business, person)
    reactions = [
        {"reaction": emoji, "users": [person if who == "customer" else business]}
        for who, emoji in message.reactions.items()
    ]
    shares = [
        {"link": part["payload"]["url"]}
        for part in message.attachments
        if part["type"] in ("share", "ig_post", "ig_reel", "reel")
    ]
    files = [
        shown
        for number, part in enumerate(message.attachments, 1)
        if (shown := _file(number, part)) is not None
    ]
    unsupported = message.kind in ("unsupported", "ephemeral")
    return {
        "id": message.mid,
        "created_time": call.box.clock.iso(message.at),
        "from": sender,
        "to": lambda _: {"data": [receiver]},
        "message": message.text or "",
        "attachments": (lambda _: {"data": files}) if files else None,
        "shares": (lambda _: {"data": shares}) if shares else None,
        "story": (lambda _: message.story) if message.story else None,
        "reactions": (lambda _: {"data": reactions}) if reactions else None,
        "reply_to": (lambda _: message.reply_to) if message.reply_to else None,
        "is_unsupported": unsupported,
        "tags": None,
    }


def _file(number: int, part: Json) -> Json | None:
    url = (part.get("payload") or {}).get("url")
    if part["type"] in ("image", "sticker"):
        size: Json = {"width": 96, "height": 96, "max_width": 96, "max_height": 96}
        sticker = part["type"] == "sticker"
        image = {**size, "url": url, "preview_url": url, "image_type": 1}
        image["render_as_sticker"] = sticker
        return {
            "id": str(number),
            "mime_type": "image/png",
            "name": f"{number}.png",
            "image_data": image,
        }
    if part["type"] == "video":
        return {"id": str(number), "mime_type": "video/mp4", "video_data": {"url": url}}
    if part["type"] in ("audio", "file"):
        return {"id": str(number), "name": f"{number}", "file_url": url}
    return None


def _page(call: Call, items: list[Any], keys: list[str], options: dict[str, Any]) -> tuple[list[Any], Json]:
    """Return one page of a list; ``limit`` and ``after`` as in the Graph API."""
    try:
        limit = max(1, min(100, int(options.get("limit", PAGE_SIZE))))
    except (TypeError, ValueError):
        raise GraphError(100, None, "Param limit must be a number") from None
    after = options.get("after")
    start = keys.index(after) + 1 if after in keys else 0
    shown = items[start : start + limit]
    if not shown:
        return [], {}
    last = keys[start + len(shown) - 1]
    paging: Json = {"cursors": {"before": keys[start], "after": last}}
    if start + len(shown) < len(items):
        # The URL omits the token, so that paging does not log it.
        root = "graph.facebook.com" if call.flavour is Flavour.F else "graph.instagram.com"
        path = "/".join(call.path)
        paging["next"] = f"{call.box.media.base_url}/{root}/v26.0/{path}?after={last}&limit={limit}"
    return shown, {"paging": paging}
