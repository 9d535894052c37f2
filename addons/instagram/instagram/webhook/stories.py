"""Ask Meta for the story of a mention, because the webhook has no id.

Meta's page: docs/messenger-platform/instagram/features/conversation (the field ``story`` of a message).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from host.sdk.messages import InboundChange, MessageDetails, MessageKind, MessageReceived, ToLookUp

from ..accounts import Credentials
from ..graph import GraphError
from ..values import identifier, mapping

log = logging.getLogger(__name__)


def with_question(message: MessageReceived) -> Sequence[InboundChange]:
    """Return *message*, plus a question to Meta if it mentions a story without its id."""
    story = mapping(message.content.get("story"))
    if message.kind is not MessageKind.STORY_MENTION or story.get("id") or not message.external_id:
        return [message]
    content = {**message.content, "story": {**story, "asked": True}}
    return [replace(message, content=content), ToLookUp({"mid": message.external_id})]


def look_up(found: Credentials | None, what: Mapping[str, str]) -> MessageDetails:
    """Ask once which story a message mentions. Without a response there are no details."""
    mid = identifier(what.get("mid"))
    if found is None:
        return MessageDetails(mid)
    try:
        answer = found.graph().call("GET", quote(mid, safe=""), dict[str, Any], params={"fields": "story"})
    except GraphError as error:
        log.info("Meta does not tell which story a message mentions: %s", error.quote)
        return MessageDetails(mid)
    story_id = identifier(mapping(mapping(answer.get("story")).get("mention")).get("id"))
    return MessageDetails(mid, {"story": {"id": story_id}} if story_id else {})
