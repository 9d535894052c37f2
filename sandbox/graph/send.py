"""The Send API: ``POST /{page, account or me}/messages`` (M5, M6, M11, M13)."""

from __future__ import annotations

import json
from typing import Any

from sandbox import events, ids
from sandbox.box import Emission, Sandbox
from sandbox.errors import GraphError
from sandbox.graph import attach, comments, rates
from sandbox.graph.call import Call
from sandbox.graph.shapes import Content, invalid, read_message
from sandbox.ledger import Entry
from sandbox.world import Account, Comment, Customer, Flavour, Json, Message

DAY = 24 * 3600.0
ACTIONS = ("typing_on", "typing_off", "mark_seen", "react", "unreact")
OTHER_TAGS = ("CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE", "POST_PURCHASE_UPDATE")
HUMAN_AGENT_DENIED = (
    "To send messages with the HUMAN_AGENT tag the app needs approval for the Human Agent feature"
)


def send(call: Call) -> Json:
    """Send a message or a sender action to a customer."""
    with call.box.lock:
        account = call.messaging_account()
        call.need("instagram_manage_messages", "instagram_business_manage_messages")
        rates.check(call, account, "send")
        recipient = call.structure("recipient")
        if not isinstance(recipient, dict):
            raise invalid("The parameter recipient is required")
        call.facts |= {"account": account.igid, "customer": recipient.get("id")}
        call.facts["what"] = "message"
        if "sender_action" in call.params:
            return _action(call, account, recipient)
    content = read_message(call.structure("message"), uploaded=call.upload is not None)
    call.facts["what"] = content.kind
    if content.kind in ("audio", "video"):
        with call.box.lock:
            rates.check(call, account, "media")
    files = attach.collect(call, account, content)
    pictures = attach.pictures(call.box, content)
    with call.box.lock:
        tag = _tag(call)
        if "comment_id" in recipient:
            customer, comment = _private_reply(call, account, str(recipient["comment_id"]))
            answer = _accept(call, account, customer, content=content, files=files, pictures=pictures)
            _file(call, customer, comment, answer["message_id"])
            return answer
        customer = _recipient(call, account, recipient)
        _check_owner(call, account, customer)
        _check_window(call, account, customer, tag)
        return _accept(call, account, customer, content=content, files=files, pictures=pictures, tag=tag)


def _tag(call: Call) -> str | None:
    """Read ``messaging_type`` and ``tag``; HUMAN_AGENT is the only valid tag (M6, M20)."""
    kind, tag = call.params.get("messaging_type"), call.params.get("tag")
    if kind is not None and kind not in ("RESPONSE", "UPDATE", "MESSAGE_TAG"):
        raise invalid("Param messaging_type must be one of {MESSAGE_TAG, RESPONSE, UPDATE}")
    if tag is None:
        if kind == "MESSAGE_TAG":
            raise invalid("The parameter tag is required when messaging_type is MESSAGE_TAG")
        return None
    if tag in OTHER_TAGS:
        raise invalid(f"The tag {tag} is no longer supported")
    if tag != "HUMAN_AGENT":
        raise invalid("Param tag must be one of {HUMAN_AGENT}")
    return "HUMAN_AGENT"


def _recipient(call: Call, account: Account, recipient: Json) -> Customer:
    igsid = recipient.get("id")
    if not isinstance(igsid, str | int) or not str(igsid):
        raise invalid("Param recipient must have an id")
    customer = call.box.world.customers.get(str(igsid))
    if customer is None or customer.igid != account.igid:
        raise GraphError(100, 2534014)
    app = call.app()
    if (app.mode != "live" or app.access == "standard") and customer.igsid not in app.roles:
        raise GraphError(200, 2018028)
    if not customer.available:
        raise GraphError(551)
    return customer


def _check_owner(call: Call, account: Account, customer: Customer) -> None:
    """Raise 100/2534037 unless the app has the thread (M19, M22)."""
    owner = call.box.conversation(account.igid, customer.igsid).owner
    if owner not in (None, call.app().id):
        raise GraphError(100, 2534037)


def _check_window(call: Call, account: Account, customer: Customer, tag: str | None) -> None:
    """Enforce the 24 hours, or seven days for an approved HUMAN_AGENT (M2, M6)."""
    last = customer.last_message_at
    if tag is not None and not account.human_agent:
        raise GraphError(10, None, HUMAN_AGENT_DENIED)
    allowed = 7 * DAY if tag else DAY
    if last is None or call.box.clock.now() - last > allowed:
        raise GraphError(10, 2534022)


def _private_reply(call: Call, account: Account, comment_id: str) -> tuple[Customer, Comment]:
    """Check a private reply: one per comment, within seven days, or while a broadcast runs (M13)."""
    comment, post = comments.check_answerable(call, account, comment_id)
    rates.check(call, account, "live" if post.kind == "LIVE" else "private")
    call.facts |= {"customer": comment.igsid, "comment": comment_id}
    return call.box.world.customers[comment.igsid], comment


def _file(call: Call, customer: Customer, comment: Comment, mid: str) -> None:
    """Mark the comment as answered; for non-followers, the message starts as a request (M13)."""
    comment.replied = True
    call.box.world.messages[mid].comment_id = comment.id
    thread = call.box.conversation(comment.igid, customer.igsid)
    if customer.last_message_at is None and not customer.is_user_follow_business:
        thread.requested = True


def _action(call: Call, account: Account, recipient: Json) -> Json:
    """Handle typing, seen and reactions: no other Send property is allowed in the request (M11)."""
    action = call.params["sender_action"]
    if action not in ACTIONS:
        raise invalid(f"Param sender_action must be one of {{{', '.join(ACTIONS)}}}")
    if any(name in call.params for name in ("message", "tag", "messaging_type")):
        raise invalid("A request with sender_action cannot have other send properties")
    customer = _recipient(call, account, recipient)
    _check_window(call, account, customer, None)
    extra: Json = {}
    if action in ("react", "unreact"):
        extra = _react(call, customer, str(action))
    elif action == "mark_seen":
        customer.seen_at = call.box.clock.now()
    else:
        customer.typing = action == "typing_on"
    call.facts["what"] = action
    _record(call, account, customer, what=action, **extra)
    return {"recipient_id": customer.igsid}


def _react(call: Call, customer: Customer, action: str) -> Json:
    payload = call.structure("payload")
    mid = payload.get("message_id") if isinstance(payload, dict) else None
    message = call.box.world.messages.get(str(mid))
    if message is None or message.igsid != customer.igsid:
        raise invalid("Param payload[message_id] must be a message of this thread")
    if action == "unreact":
        message.reactions.pop("business", None)
        return {"mid": message.mid}
    reaction = payload.get("reaction")
    if not isinstance(reaction, str) or not reaction:
        raise invalid("Param payload[reaction] is required")
    if call.flavour is Flavour.F and reaction != "love":
        raise invalid("Param payload[reaction] must be one of {love}")
    message.reactions["business"] = "\u2764\ufe0f" if reaction == "love" else reaction
    return {"mid": message.mid, "reaction": reaction}


def _accept(
    call: Call,
    account: Account,
    customer: Customer,
    *,
    content: Content,
    files: list[attach.File],
    pictures: dict[str, str],
    tag: str | None = None,
) -> Json:
    box, mid = call.box, ids.message_id(account.igid)
    reply_to = call.structure("reply_to")
    earlier = reply_to.get("mid") if isinstance(reply_to, dict) else None
    if reply_to is not None and (not isinstance(earlier, str) or earlier not in box.world.messages):
        raise invalid("Param reply_to[mid] must be a message of this thread")
    sent = call.structure("message")
    message = Message(
        mid=mid,
        igid=account.igid,
        igsid=customer.igsid,
        inbound=False,
        at=box.clock.now(),
        kind=content.kind,
        text=content.text,
        attachments=attach.echoed(box, content, files),
        body={**sent, "quick_replies": content.quick_replies} if "quick_replies" in sent else sent,
        reply_to=reply_to,
        via="api",
        tag=tag,
        pictures=pictures,
    )
    box.store(message)
    customer.typing = False
    _record(call, account, customer, what=content.kind, mid=mid, text=content.text, tag=tag)
    ahead = box.faults.draw("echo", ("ahead",), account=account.igid, customer=customer.igsid)
    (call.early if ahead else call.after).append(lambda: echo(box, account, message, ahead=ahead is not None))
    answer: Json = {"recipient_id": customer.igsid, "message_id": mid}
    saved = [file.attachment_id for file in files if file.attachment_id]
    if saved and not any(part.attachment_id for part in content.parts):
        answer["attachment_id"] = saved[0]
    return answer


def _record(call: Call, account: Account, customer: Customer, **facts: Any) -> Entry:
    assert call.token is not None
    body = {
        key: value for key, value in call.params.items() if key not in ("access_token", "appsecret_proof")
    }
    entry = call.box.ledger.add(
        "send",
        json.dumps(body, ensure_ascii=False),
        account=account.igid,
        customer=customer.igsid,
        page=account.page_id,
        flavour=str(call.flavour),
        token=call.token.id,
        answered=None,
        **facts,
    )
    call.facts["entry"] = entry
    return entry


def echo(box: Sandbox, account: Account, message: Message, ahead: bool = False) -> Emission:
    """Send the echo of a message by the business (M4, M29); none for actions and reactions."""
    body = events.echo_message(message.mid, message.body, message.attachments)
    data = events.outbound(message.igsid, account.igid, int(message.at * 1000), message=body)
    return box.emit(
        account,
        message.igsid,
        f"echo of {message.kind}",
        data,
        mid=message.mid,
        echo=True,
        field="message_echoes" if box.settings.message_echoes_field else "messages",
        ahead=ahead,
    )
