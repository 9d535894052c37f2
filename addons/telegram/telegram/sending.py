"""Send replies to Telegram, and interpret its answers.

https://core.telegram.org/bots/api#sendmessage and the methods for files below it.
"""

from __future__ import annotations

import json
from typing import Any

from host.sdk.channel import (
    Capabilities,
    Held,
    MediaLimits,
    NotSent,
    ProviderProblem,
    Rejected,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.http import FetchError
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind, OutgoingFile
from host.sdk.secrets import Secret
from host.sdk.text import TextUnit

from . import accounts, api
from .events import external_id
from .values import identifier, mapping

MB = 1024 * 1024
CAPABILITIES = Capabilities(
    text_limit_bytes=4096,
    text_limit_unit=TextUnit.UTF16,
    sends=frozenset(
        {MessageKind.TEXT, MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE}
    ),
    media={
        MessageKind.IMAGE: MediaLimits(frozenset({"image/jpeg", "image/png", "image/webp"}), 10 * MB),
        MessageKind.VIDEO: MediaLimits(frozenset({"video/mp4"}), 50 * MB),
        MessageKind.AUDIO: MediaLimits(frozenset({"audio/mpeg", "audio/mp4", "audio/ogg"}), 50 * MB),
        MessageKind.FILE: MediaLimits(frozenset({"application/pdf"}), 50 * MB),
    },
    reply_quote=True,
    typing=True,
    receives=frozenset(
        {
            *(MessageKind.TEXT, MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE),
            *(MessageKind.STICKER, MessageKind.EDIT, MessageKind.UNSUPPORTED),
        }
    ),
)

NO_CREDENTIALS = noop("The bot's token can't be read.")
TOKEN_GONE = noop("Telegram no longer accepts the bot's token.")
CANNOT = noop("Telegram doesn't support this kind of message.")
_RECONNECT = noop("Ask the workspace owner to reconnect the bot. The message waits until then.")
_GONE = ("blocked", "deactivated", "chat not found", "can't initiate", "user not found")
"""Words of refusals that apply to anything sent to this person."""


def send(request: SendRequest) -> SendResult:
    """Send one part. An uncertain result is ``Unknown``, so that nothing is sent twice."""
    part = request.part
    files = 0 if part.kind is MessageKind.TEXT else 1
    if part.kind not in CAPABILITIES.sends or len(part.files) != files:
        return Rejected(ProviderProblem("kind", CANNOT))
    found = accounts.of(request.account)
    if found is None:
        return Held(ProviderProblem("no_token", NO_CREDENTIALS, _RECONNECT))
    fields: dict[str, Any] = {"chat_id": request.recipient}
    if part.reply_to:
        quoted = part.reply_to.rpartition(":")[2]
        if quoted.isdigit():
            # The customer may have deleted the quoted message; send the reply without the quote.
            fields["reply_parameters"] = {"message_id": int(quoted), "allow_sending_without_reply": True}
    try:
        if part.files:
            answer = _upload(found.token, part.kind, part.files[0], part.text, fields)
        else:
            answer = api.call(found.token, "sendMessage", text=part.text, **fields)
    except api.BotError as error:
        return _refused(found.token, error)
    except FetchError as error:
        away = ProviderProblem("away", noop("Telegram didn't respond."), raw=error.reason)
        return Unknown(away) if error.sent else NotSent(away)
    sent = identifier(mapping(answer).get("message_id"))
    if not sent:
        return Unknown(ProviderProblem("no_id", noop("Telegram didn't confirm the message.")))
    return Sent(external_id(request.recipient, sent))


def _upload(
    token: Secret, kind: MessageKind, file: OutgoingFile, caption: str, fields: dict[str, Any]
) -> Any:
    method, name = {
        MessageKind.IMAGE: ("sendPhoto", "photo"),
        MessageKind.VIDEO: ("sendVideo", "video"),
        MessageKind.AUDIO: ("sendVoice", "voice")
        if file.content_type == "audio/ogg"
        else ("sendAudio", "audio"),
        MessageKind.FILE: ("sendDocument", "document"),
    }[kind]
    form = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
    if caption:
        form["caption"] = caption
    try:
        return api.upload(token, method, name, file, form)
    except api.BotError as error:
        if kind is not MessageKind.IMAGE or error.code != 400 or not _odd_picture(error.words):
            raise
    # Too narrow or too many pixels for a photo; as a document it arrives unchanged.
    return api.upload(token, "sendDocument", "document", file, form)


def _odd_picture(words: str) -> bool:
    return "PHOTO_INVALID_DIMENSIONS" in words or "IMAGE_PROCESS_FAILED" in words


def _refused(token: Secret, error: api.BotError) -> SendResult:
    raw = str(error)
    if error.code == 429:
        busy = noop("Telegram asks us to wait before the next message.")
        return NotSent(ProviderProblem("429", busy, raw=raw), retry_after=error.retry_after)
    if error.code in {401, 404}:
        if _is_good(token):
            once = noop("Telegram rejected the bot's token once, but accepts it now.")
            return NotSent(ProviderProblem(str(error.code), once, raw=raw))
        return Held(ProviderProblem(str(error.code), TOKEN_GONE, _RECONNECT, raw=raw))
    if error.code >= 500:
        fault = noop("Telegram had an error. The message may still have arrived.")
        return Unknown(ProviderProblem(str(error.code), fault, raw=raw))
    if error.code == 403 or any(words in error.words.lower() for words in _GONE):
        away = noop("This person blocked the bot or deleted their account.")
        later = noop("You can reply again once they write.")
        return Rejected(ProviderProblem(str(error.code), away, later, raw=raw), whole_contact=True)
    return Rejected(ProviderProblem(str(error.code), noop("Telegram rejected this message."), raw=raw))


def _is_good(token: Secret) -> bool:
    """Check the token again before the bot must be reconnected."""
    try:
        api.call(token, "getMe")
    except api.BotError as error:
        return error.code not in {401, 404}
    except FetchError:
        return True
    return True


def show_typing(token: Secret, contact: str) -> None:
    """Show a typing indicator to the customer for five seconds.

    :raises BotError: if Telegram refuses.
    :raises FetchError: if it does not answer.
    """
    api.call(token, "sendChatAction", chat_id=contact, action="typing")
