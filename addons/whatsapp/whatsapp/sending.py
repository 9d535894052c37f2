"""Send replies and reactions to WhatsApp, and interpret its answers.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from host.sdk import clock
from host.sdk.accounts import warn
from host.sdk.channel import (
    AccountRef,
    Ask,
    ButtonsLimits,
    Capabilities,
    CaptionLimits,
    Held,
    MediaLimits,
    NotSent,
    ProviderProblem,
    QuickReplyLimits,
    ReactRequest,
    Rejected,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.http import FetchError
from host.sdk.i18n import noop, translate
from host.sdk.messages import MessageKind, OutgoingFile, OutgoingPart
from host.sdk.text import TextUnit

from . import accounts, contents, errors, rights, templates
from .errors import Outcome
from .graph import Graph, GraphError
from .values import identifier, items, text

MB = 1024 * 1024
STICKER = "image/webp"
"""WhatsApp has pictures of this type as stickers only."""
STICKER_BYTES = 500 * 1024
OGG = "audio/ogg"
_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCUMENTS = {
    "text/plain": "txt",
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    f"{_OFFICE}.presentationml.presentation": "pptx",
}
"""Types of documents, each with the extension that WhatsApp goes by.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/document-messages
"""
SOON = 5.0
"""Seconds until the second try if Meta refuses an account whose token is good: it may be a slip of Meta's."""
AGAIN = 300.0
"""The same, until each try after it."""
BUTTONS = 3
"""Most buttons below a text; more answers become a list."""
ROWS = 10
TITLE = 20
BODY = 1024
"""Most characters of a text with buttons; one with a list may have four times as many."""
CAPABILITIES = Capabilities(
    text_limit_bytes=4096,
    text_limit_unit=TextUnit.CHARACTERS,
    sends=frozenset(
        {
            *(MessageKind.TEXT, MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE),
            *(MessageKind.TEMPLATE, MessageKind.APPROVED_TEMPLATE),
            *(MessageKind.LOCATION, MessageKind.CONTACTS),
        }
    ),
    media={
        MessageKind.IMAGE: MediaLimits(frozenset({"image/jpeg", "image/png", STICKER}), 5 * MB),
        MessageKind.VIDEO: MediaLimits(frozenset({"video/mp4"}), 16 * MB),
        MessageKind.AUDIO: MediaLimits(
            frozenset({"audio/aac", "audio/amr", "audio/mp4", "audio/mpeg", OGG}), 16 * MB
        ),
        MessageKind.FILE: MediaLimits(frozenset(DOCUMENTS), 100 * MB),
    },
    quick_replies=QuickReplyLimits(
        most=ROWS,
        title_length=TITLE,
        payload_length=200,
        asks=frozenset({Ask.PHONE}),
        unique=True,
        ask_alone=True,
        ask_text_length=BODY,
    ),
    buttons=ButtonsLimits(
        text_length=BODY, buttons=BUTTONS, title_length=TITLE, payload_length=256, unique=True
    ),
    reply_quote=True,
    reactions=frozenset(),
    typing=True,
    mark_seen=True,
    delivery_reports=True,
    receives=frozenset(
        {
            *(MessageKind.TEXT, MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE),
            *(MessageKind.STICKER, MessageKind.LOCATION, MessageKind.CONTACTS, MessageKind.ORDER),
            *(MessageKind.QUICK_REPLY, MessageKind.REACTION, MessageKind.EDIT, MessageKind.UNSEND),
            *(MessageKind.REFERRAL, MessageKind.CALL, MessageKind.CUSTOM, MessageKind.UNSUPPORTED),
            MessageKind.OPT_IN,
        }
    ),
    ads=True,
    thread_control=True,
    thread_release=True,
    responder_keeps=timedelta(hours=24),
    approved_templates=True,
    can_start=True,
    custom_kinds=(contents.FORM, contents.CALL_PERMISSION),
    captions=CaptionLimits(
        1024, frozenset({MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.FILE}), frozenset({STICKER})
    ),
)

_ASK_NUMBER = "request_contact_info"
NO_CREDENTIALS = noop("The token of this number can't be read.")
_RECONNECT = noop("Ask the workspace owner to reconnect the number. The message waits until then.")
_CHOOSE = noop("Choose")
_TOO_LARGE = noop("WhatsApp sends WebP pictures as stickers, which can be up to 500 kB.")
_SMALLER = noop("Send a smaller one, or a JPEG or PNG picture.")
_NOT_OPUS = noop("WhatsApp plays OGG audio only if it is Opus with one channel.")
_AS_MP3 = noop("Send it as MP3 or M4A.")
_NAMES = {
    MessageKind.IMAGE: "image",
    MessageKind.VIDEO: "video",
    MessageKind.AUDIO: "audio",
    MessageKind.FILE: "document",
}


_FILED = {*_NAMES, MessageKind.APPROVED_TEMPLATE}
"""Kinds that can have a file."""


def send(request: SendRequest) -> SendResult:
    """Send one part. An uncertain result is ``Unknown``, so that nothing is sent twice."""
    part = request.part
    most, least = part.kind in _FILED, part.kind in _NAMES
    if part.kind not in CAPABILITIES.sends or not least <= len(part.files) <= most:
        return Rejected(ProviderProblem("kind", noop("WhatsApp doesn't support this kind of message.")))
    if any(one.content_type == STICKER and one.size > STICKER_BYTES for one in part.files):
        return Rejected(ProviderProblem("sticker", _TOO_LARGE, _SMALLER))
    if any(one.content_type == OGG and not _is_opus(one) for one in part.files):
        return Rejected(ProviderProblem("ogg", _NOT_OPUS, _AS_MP3))
    found = accounts.of(request.account)
    if found is None:
        return Held(ProviderProblem("no_token", NO_CREDENTIALS, _RECONNECT))
    graph, account = Graph.of(found), request.account
    try:
        if part.files:
            media = graph.upload(
                f"{account.external_id}/media",
                part.files[0],
                {"messaging_product": "whatsapp", "type": part.files[0].content_type},
            )
            fields = _with_file(part, identifier(media.get("id")), part.files[0])
        else:
            fields = _without_file(part, request.language)
    except GraphError as error:
        # The upload reaches no customer, so nothing is unknown about the message.
        said = _result(graph, account, error, request.attempt)
        return NotSent(said.problem) if isinstance(said, Unknown) else said
    except FetchError as error:
        return NotSent(_away(error))
    # Meta returns it with its reports, so that they confirm a message whose sending got no answer.
    fields["biz_opaque_callback_data"] = request.message_key
    return _call(graph, request, fields, part.reply_to)


def react(request: ReactRequest) -> SendResult:
    """Set, change or remove the team's reaction to a message."""
    found = accounts.of(request.account)
    if found is None:
        return Held(ProviderProblem("no_token", NO_CREDENTIALS, _RECONNECT))
    fields = {"type": "reaction", "reaction": {"message_id": request.message, "emoji": request.emoji}}
    said = _call(Graph.of(found), request, fields, None)
    return Sent(request.message) if isinstance(said, Sent) else said


def mark_read(account: AccountRef, message: str | None, *, typing: bool = False) -> None:
    """Mark a message of a customer, and all before it, as read.

    WhatsApp shows typing for 25 seconds, or until the reply, and only together with having read:
    https://developers.facebook.com/documentation/business-messaging/whatsapp/typing-indicators

    :param message: None: there is none, and nothing is done.
    :raises GraphError, FetchError: if Meta refuses or doesn't answer.
    """
    found = accounts.of(account)
    if found is None or message is None:
        return
    more: dict[str, Any] = {"typing_indicator": {"type": "text"}} if typing else {}
    Graph.of(found).post(
        f"{account.external_id}/messages",
        messaging_product="whatsapp",
        status="read",
        message_id=message,
        **more,
    )


def to_whom(recipient: str) -> dict[str, str]:
    """Return the field for a customer: their number, or their id for this business (BSUID)."""
    return {"to": recipient} if recipient.isdigit() else {"recipient": recipient}


def _call(
    graph: Graph, request: SendRequest | ReactRequest, fields: Mapping[str, Any], reply_to: str | None
) -> SendResult:
    account, recipient = request.account, request.recipient
    more: dict[str, Any] = {"context": {"message_id": reply_to}} if reply_to else {}
    try:
        answer = graph.post(
            f"{account.external_id}/messages",
            messaging_product="whatsapp",
            recipient_type="individual",
            **to_whom(recipient),
            **fields,
            **more,
        )
    except GraphError as error:
        return _result(graph, account, error, request.attempt)
    except FetchError as error:
        return Unknown(_away(error)) if error.sent else NotSent(_away(error))
    sent = next((identifier(one.get("id")) for one in items(answer.get("messages"))), "")
    if not sent:
        return Unknown(ProviderProblem("no_id", noop("WhatsApp didn't confirm the message.")))
    # Meta writes some numbers in another way than people do, as in Brazil with or without the ninth digit.
    theirs = next((identifier(one.get("wa_id")) for one in items(answer.get("contacts"))), "")
    return Sent(sent, recipient=theirs if theirs.isdecimal() and theirs != recipient else None)


def _result(graph: Graph, account: AccountRef, error: GraphError, attempt: int) -> SendResult:
    """Return what a refused call means. The account is held only if Meta says once more that it has to be.

    :param attempt: the number of the try, 1 for the first.
    """
    said = errors.result(error)
    if errors.meaning(error.code, error.status).outcome is Outcome.PAY:
        day = clock.now().replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
        warn(account.id, errors.PAYMENT, errors.UNPAID, next_step=errors.PAY, stage=day, bad=True)
    if not isinstance(said, Held):
        return said
    try:
        lacks = rights.missing(graph, account.external_id)
    except FetchError:
        return NotSent(said.problem)
    if lacks is None:
        return NotSent(said.problem, retry_after=SOON if attempt <= 1 else AGAIN, whole_account=True)
    return Held(replace(said.problem, sentence=lacks or errors.TOKEN), alone=bool(lacks))


def _is_opus(file: OutgoingFile) -> bool:
    """Return whether an Ogg file begins with the header of Opus with one channel (RFC 7845)."""
    with file.open() as opened:
        return b"OpusHead\1\1" in opened.read(64)


def _away(error: FetchError) -> ProviderProblem:
    return ProviderProblem("away", noop("WhatsApp didn't respond."), raw=error.reason)


def _with_file(part: OutgoingPart, media: str, file: OutgoingFile) -> dict[str, Any]:
    name = "sticker" if file.content_type == STICKER else _NAMES[file.kind]
    about: dict[str, Any] = {"id": media}
    if file.kind is MessageKind.FILE:
        called = file.name or "file"
        about["filename"] = called if "." in called else f"{called}.{DOCUMENTS[file.content_type]}"
    if part.kind is MessageKind.APPROVED_TEMPLATE:
        return templates.fields_of(part.content["approved_template"], {"type": name, name: about})
    if part.kind is MessageKind.AUDIO and file.content_type == OGG:
        about["voice"] = True
    elif part.text and name not in {"audio", "sticker"}:
        about["caption"] = part.text
    return {"type": name, name: about}


def _without_file(part: OutgoingPart, language: str) -> dict[str, Any]:
    if part.kind is MessageKind.APPROVED_TEMPLATE:
        return templates.fields_of(part.content["approved_template"], None)
    if part.kind is MessageKind.LOCATION:
        return {"type": "location", "location": dict(part.content["location"])}
    if part.kind is MessageKind.CONTACTS:
        return {"type": "contacts", "contacts": [_contact(one) for one in items(part.content["contacts"])]}
    if part.kind is MessageKind.TEMPLATE:
        template = part.content.get("template") or {}
        return _with_buttons(text(template.get("text")), list(items(template.get("buttons"))))
    if any(one.get("ask") for one in items(part.content.get("quick_replies"))):
        # WhatsApp names the button itself, and has no other beside it.
        return _interactive(_ASK_NUMBER, {"text": part.text}, {"name": _ASK_NUMBER})
    offers = [
        {"id": text(one.get("payload")) or text(one.get("title")), "title": text(one.get("title"))}
        for one in items(part.content.get("quick_replies"))
    ]
    if not offers:
        return {"type": "text", "text": {"preview_url": True, "body": part.text}}
    body = {"text": part.text}
    if len(offers) <= BUTTONS and len(part.text) <= BODY:
        buttons = [{"type": "reply", "reply": one} for one in offers]
        return _interactive("button", body, {"buttons": buttons})
    label = translate(language, _CHOOSE)[:TITLE]
    return _interactive("list", body, {"button": label, "sections": [{"rows": offers}]})


def _contact(card: Mapping[str, Any]) -> dict[str, Any]:
    name = text(card.get("name"))
    first, _, last = name.partition(" ")
    made: dict[str, Any] = {
        # Meta wants a part of the name besides the whole.
        "name": {"formatted_name": name, "first_name": first, **({"last_name": last} if last else {})},
        "phones": [{"phone": phone} for phone in card.get("phones") or ()],
        "emails": [{"email": email} for email in card.get("emails") or ()],
    }
    if company := text(card.get("company")):
        made["org"] = {"company": company}
    return {name: value for name, value in made.items() if value}


def _with_buttons(said: str, buttons: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a text with buttons. WhatsApp has either one link or answers: other links become lines."""
    links = [one for one in buttons if text(one.get("url"))]
    answers = [one for one in buttons if not text(one.get("url"))]
    if len(links) == 1 and not answers:
        link = {"display_text": text(links[0].get("title")), "url": text(links[0].get("url"))}
        return _interactive("cta_url", {"text": said}, {"name": "cta_url", "parameters": link})
    for one in links:
        said += f"\n{text(one.get('title'))}: {text(one.get('url'))}"
    if not answers:
        return {"type": "text", "text": {"preview_url": True, "body": said}}
    replies = [{"id": text(one.get("payload")), "title": text(one.get("title"))} for one in answers]
    return _interactive(
        "button", {"text": said}, {"buttons": [{"type": "reply", "reply": one} for one in replies]}
    )


def _interactive(sort: str, body: Mapping[str, Any], action: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": sort, "body": body, "action": action}}
