"""Verify the webhook address for Meta, and authenticate its deliveries.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from host.sdk import strictjson
from host.sdk.errors import SecretUnreadableError
from host.sdk.webhooks import Accepted, Envelope, Refused, Verified, WebhookRequest

from . import calls, history, people
from .accounts import Book, Bound, book
from .graph import verify_token
from .values import digits, identifier, items, mapping, moment, text

MAX_BODY = 3 * 1024 * 1024
"""Most bytes of a delivery: a chunk of a history can be that large."""
_NUMBER = re.compile(rb'"(?:phone_number_)?id"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"([0-9]{1,32})"')
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_CHALLENGE = re.compile(r"[\w-]{1,128}", re.ASCII)
_DUMMY = os.urandom(32)
"""Compared with if no secret is known, so that this takes as long as a wrong signature."""
OBJECT = "whatsapp_business_account"
CALLS, HISTORY, PREFERENCES = "calls", "history", "user_preferences"
STANDBY, HANDOVERS = "standby", "messaging_handovers"
"""Fields of what another responder of the number does: what it hears and says, and who has a conversation."""
MESSAGES = frozenset(
    {*("messages", "message_echoes", "smb_message_echoes"), HISTORY, STANDBY, CALLS, PREFERENCES}
)
"""Fields with what people did. Each names its number; what doesn't is kept, and can be applied again."""


def verify(request: WebhookRequest) -> Verified | Refused:
    """Answer Meta's verification of this address: the challenge, verbatim, if the verify token is right."""
    given = request.query.get("hub.verify_token", "")
    if request.query.get("hub.mode") != "subscribe" or not given:
        return Refused(403, "nothing_asked")
    if not hmac.compare_digest(verify_token().encode(), given.encode("utf-8", "replace")):
        return Refused(403, "verify_token")
    challenge = request.query.get("hub.challenge", "")
    return Verified(challenge) if _CHALLENGE.fullmatch(challenge) else Refused(403, "challenge")


def authenticate(request: WebhookRequest) -> Accepted | Refused:
    """Accept a delivery with a valid signature of its raw bytes, and cut it into envelopes.

    :raises SecretUnreadableError: if the secret of an account it names cannot be decrypted. The host answers
        503, and Meta delivers again.
    """
    known = book.get()
    named = _named(known, request.body)
    candidates = tuple(dict.fromkeys(one.secret for one in named if one.secret)) or known.secrets
    header = _SIGNATURE.fullmatch(request.headers.get("x-hub-signature-256", ""))
    given = bytes.fromhex(header[1]) if header is not None else b""
    matched = None
    for secret in candidates or (_DUMMY,):
        right = hmac.compare_digest(hmac.digest(secret, request.body, "sha256"), given)
        if right and secret is not _DUMMY:
            matched = secret
    if matched is None:
        if any(not one.secret for one in named):
            raise SecretUnreadableError("the app secret of a WhatsApp number cannot be decrypted")
        reason = "signature" if header is not None else "unsigned"
        return Refused(401, reason, named[0].account_id if named else None)
    return Accepted(tuple(cut(request.body, known, matched)))


def _named(known: Book, body: bytes) -> list[Bound]:
    """Return the accounts that a request names, before it is trusted or parsed."""
    found: dict[int, Bound] = {}
    for name in {match[1].decode() for match in _NUMBER.finditer(body)}:
        bounds = (known.by_number[name],) if name in known.by_number else known.by_business.get(name, ())
        found |= {one.account_id: one for one in bounds}
    return list(found.values())


def cut(body: bytes, known: Book, secret: bytes) -> Iterator[Envelope]:
    """Yield an envelope for each event of a delivery signed with *secret*."""
    try:
        told = mapping(strictjson.loads(body))
    except ValueError:
        yield _odd(body, "It is not JSON.")
        return
    if told.get("object") != OBJECT:
        yield _odd(body, "It is not a delivery of the WhatsApp Business Platform.")
        return
    some = False
    for entry in items(told.get("entry")):
        for change in items(entry.get("changes")):
            for envelope in _of_change(entry, change, known, secret):
                some = True
                yield envelope
    if not some:
        yield _odd(body, "It has no event.")


def _odd(body: bytes, reason: str) -> Envelope:
    return Envelope(None, "", f"odd:{hashlib.sha256(body).hexdigest()}", "odd", body, set_aside=reason)


def _of_change(
    entry: Mapping[str, Any], change: Mapping[str, Any], known: Book, secret: bytes
) -> Iterator[Envelope]:
    field, value = text(change.get("field"), 60), mapping(change.get("value"))
    place = mapping(value.get("recipient" if field == HANDOVERS else "metadata"))
    number = identifier(place.get("phone_number_id"))
    if not number and field not in MESSAGES:
        yield from _of_business(entry, field, value, known, secret)
        return
    one = known.by_number.get(number)
    if one is None or one.secret != secret:
        reason = "It is about a number that is not connected here, or is with another Meta app."
        body = json.dumps({"field": field, "value": value}).encode()
        reason = reason if number else f"It is of the field {field}, and names no number."
        yield Envelope(None, "", f"odd:{hashlib.sha256(body).hexdigest()}", "other", body, set_aside=reason)
        return
    if field == HANDOVERS:
        yield _handover(one, value)
        return
    if field == CALLS:
        found = list(_calls(one, value, digits(text(place.get("display_phone_number"), 40))))
        yield from found or [_other(one, field, value, ignored="of the field calls, which has no call")]
        return
    if field == PREFERENCES:
        found = list(_preferences(one, value))
        yield from found or [
            _other(one, field, value, ignored=f"of the field {field}, which has no preference")
        ]
        return
    if field == HISTORY:
        found = list(history.cut(one, entry, value, digits(text(place.get("display_phone_number"), 40))))
        yield from found or [_other(one, field, value, ignored="of the field history, which has no messages")]
        return
    held = field == STANDBY
    # Meta nests what another responder has; providers that pass it on leave it flat.
    value = {**value, **mapping(value.get(STANDBY))} if held else value
    found = [*_messages(one, value, held=held), *_echoes(one, value, held=held), *_statuses(one, value)]
    yield from found or [
        _other(one, field, value, ignored=f"of the field {field or '?'}, which has no messages")
    ]


def _of_business(
    entry: Mapping[str, Any], field: str, value: Mapping[str, Any], known: Book, secret: bytes
) -> Iterator[Envelope]:
    """Yield an event about a whole WhatsApp Business Account, for each of its numbers.

    Of events about partners, the entry names another account (webhooks/reference/account_update).
    """
    info = mapping(value.get("waba_info"))
    business = identifier(info.get("waba_id")) or identifier(entry.get("id"))
    app, at = identifier(info.get("partner_app_id")), moment(entry.get("time"))
    bounds = [one for one in known.by_business.get(business, ()) if one.secret == secret]
    for bound in bounds:
        other = bool(app) and app != bound.app_id
        yield _other(
            bound, field, value, kind="account", at=at, ignored="about another Meta app" if other else ""
        )
    if not bounds:
        body = json.dumps({"field": field, "value": value}).encode()
        ignored = f"of the field {field or '?'}, about a business account that is not connected here"
        key = f"odd:{hashlib.sha256(body).hexdigest()}"
        yield Envelope(None, "", key, "account", body, occurred_at=at, ignored=ignored)


def _other(
    bound: Bound,
    field: str,
    value: Mapping[str, Any],
    *,
    kind: str = "other",
    ignored: str = "",
    at: datetime | None = None,
) -> Envelope:
    body = json.dumps({"field": field, "value": value}).encode()
    key = f"{field}:{at}:{hashlib.sha256(body).hexdigest()}"
    return Envelope(bound.account_id, "", key, kind, body, occurred_at=at, ignored=ignored)


def person_of(said: Mapping[str, Any], contacts: object) -> tuple[str, Mapping[str, Any]]:
    """Return the id of the customer who wrote a message, and what the delivery says about them.

    Their id for this business (BSUID), or, in a delivery without one, their phone number.
    """
    phone, user = identifier(said.get("from")), identifier(said.get("from_user_id"))
    every = list(items(contacts))
    mine = [one for one in every if _is_of(one, phone, user)]
    about = mine[0] if mine else every[0] if len(every) == 1 else {}
    return people.writer_of(said, about).id, about


def _is_of(about: Mapping[str, Any], phone: str, user: str) -> bool:
    return (bool(phone) and about.get("wa_id") == phone) or (bool(user) and about.get("user_id") == user)


def _handover(bound: Bound, value: Mapping[str, Any]) -> Envelope:
    """Return the event that a conversation changed hands. It names the customer as its sender."""
    person = people.handed_over(value).id
    body = json.dumps({"person": person, "handover": value}).encode()
    return Envelope(
        bound.account_id,
        person,
        f"handover:{hashlib.sha256(body).hexdigest()}",
        "handover",
        body,
        occurred_at=moment(value.get("timestamp")),
        set_aside="" if person else "It names no customer.",
    )


def _calls(bound: Bound, value: Mapping[str, Any], ours: str) -> Iterator[Envelope]:
    """Yield the calls on the number, without what they tell of a phone's network.

    :param ours: the number itself, as far as the delivery says it.
    """
    for call in map(calls.kept, items(value.get("calls"))):
        person, about = person_of(call, value.get("contacts"))
        id_, event = identifier(call.get("id")), text(call.get("event"), 40)
        body = json.dumps({"person": person, "contact": about, "call": call}).encode()
        why_not = calls.ignored(call, ours)
        yield Envelope(
            bound.account_id,
            person,
            f"call:{id_}:{event}" if id_ else f"odd:{hashlib.sha256(body).hexdigest()}",
            "call",
            body,
            occurred_at=moment(call.get("timestamp")),
            set_aside="" if why_not or (person and id_) else "It names no caller or no call.",
            ignored=why_not,
        )


def _preferences(bound: Bound, value: Mapping[str, Any]) -> Iterator[Envelope]:
    """Yield who stopped or resumed the number's marketing messages."""
    for told in items(value.get(PREFERENCES)):
        named = {"from": told.get("wa_id"), "from_user_id": told.get("user_id")}
        person, about = person_of(
            {**named, "from_parent_user_id": told.get("parent_user_id")}, value.get("contacts")
        )
        body = json.dumps({"person": person, "contact": about, "preference": told}).encode()
        yield Envelope(
            bound.account_id,
            person,
            f"preference:{hashlib.sha256(body).hexdigest()}",
            "preference",
            body,
            occurred_at=moment(told.get("timestamp")),
            set_aside="" if person else "It names no customer.",
        )


def _messages(bound: Bound, value: Mapping[str, Any], *, held: bool) -> Iterator[Envelope]:
    """Yield what customers wrote.

    :param held: whether another responder has the conversation.
    """
    for said in items(value.get("messages")):
        person, about = person_of(said, value.get("contacts"))
        wrote = identifier(said.get("id"))
        told = {"person": person, "contact": about, "message": said}
        body = json.dumps(told | ({"standby": True} if held else {})).encode()
        key = f"message:{wrote}" if wrote else f"odd:{hashlib.sha256(body).hexdigest()}"
        # A reaction, an edit and a removal have ids of their own.
        yield Envelope(
            bound.account_id,
            person,
            key,
            "message",
            body,
            occurred_at=moment(said.get("timestamp")),
            any_age=said.get("type") == "revoke",
            set_aside="" if person and wrote else "It has no sender or no id.",
            ignored="written in a group" if said.get("group_id") else "",
        )


def _echoes(bound: Bound, value: Mapping[str, Any], *, held: bool) -> Iterator[Envelope]:
    """Yield what was written with the same number: in the WhatsApp Business app, or by another responder.

    :param held: whether another responder wrote it.
    """
    for each in items(value.get("message_echoes")):
        said = {**mapping(each.get("message")), **each} if held else each
        person = people.recipient_of(said).id
        wrote = identifier(said.get("id"))
        body = json.dumps({"person": person, "echo": said} | ({"standby": True} if held else {})).encode()
        yield Envelope(
            bound.account_id,
            person,
            f"echo:{wrote}" if wrote else f"odd:{hashlib.sha256(body).hexdigest()}",
            "echo",
            body,
            occurred_at=moment(said.get("timestamp")),
            set_aside="" if person and wrote else "It has no recipient or no id.",
        )


def _statuses(bound: Bound, value: Mapping[str, Any]) -> Iterator[Envelope]:
    for status in items(value.get("statuses")):
        person = people.reported_of(status).id
        sent, state = identifier(status.get("id")), text(status.get("status"), 20)
        body = json.dumps({"person": person, "status": status}).encode()
        yield Envelope(
            bound.account_id,
            person,
            f"status:{sent}:{state}" if sent else f"odd:{hashlib.sha256(body).hexdigest()}",
            "status",
            body,
            occurred_at=moment(status.get("timestamp")),
            set_aside="" if person and sent else "It names no recipient or no message.",
            ignored=_ignored(status, state),
        )


def _ignored(status: Mapping[str, Any], state: str) -> str:
    if status.get("recipient_type") == "group":
        return "of a message to a group"
    # With our key, "sent" confirms a message whose sending got no answer.
    tells = state in {"delivered", "read", "played", "failed"} or status.get("biz_opaque_callback_data")
    return "" if tells else f"tells only that a message was {state or '?'}"
