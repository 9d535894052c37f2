"""Attachments: fetching the files of a message, uploads, and their form in echoes (M12, M22)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import requests

from sandbox import events, ids
from sandbox.box import Sandbox
from sandbox.errors import GraphError
from sandbox.graph.call import Call
from sandbox.graph.shapes import MEDIA, AttachmentPart, Content, invalid, read_message
from sandbox.world import Account, Json

FETCH_SECONDS = 10


@dataclass(slots=True)
class File:
    """A fetched or uploaded file, under an address of the sandbox."""

    kind: str
    url: str
    attachment_id: str | None = None


def collect(call: Call, account: Account, content: Content) -> list[File]:
    """Fetch or find the files of a message, in order; raise 2018008, 2018047, 2018109, 2018074."""
    files = []
    for part in content.parts:
        if part.attachment_id is not None:
            files.append(_uploaded(call, account, part))
        elif part.url is not None:
            files.append(_fetched(call.box, part, part.url))
        elif part.type in MEDIA and call.upload is not None:
            files.append(keep(call.box, part.type, *call.upload))
    return files


def _uploaded(call: Call, account: Account, part: AttachmentPart) -> File:
    with call.box.lock:
        held = call.box.world.attachments.get(part.attachment_id or "")
    if held is None or held["igid"] != account.igid:
        raise GraphError(100, 2018074)
    if part.type not in ("MEDIA_SHARE", held["kind"]):
        raise GraphError(100, 2018047)
    return File(held["kind"], held["url"], part.attachment_id)


def _fetched(box: Sandbox, part: AttachmentPart, url: str) -> File:
    if not box.settings.fetch_media:
        return File(part.type, url)
    rule = MEDIA[part.type]
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, timeout=FETCH_SECONDS, stream=True, verify=box.verify_tls)
            answer.raise_for_status()
            data = b""
            for chunk in answer.iter_content(65536):
                data += chunk
                if len(data) > rule.limit:
                    raise GraphError(100, 2018109)
    except requests.RequestException as problem:
        subcode = 2018294 if part.type == "video" else 2018008
        raise GraphError(100, subcode) from problem
    content_type = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    return keep(box, part.type, content_type, data)


def pictures(box: Sandbox, content: Content) -> dict[str, str]:
    """Fetch the pictures of a template for the phone; a missing one does not fail the message."""
    found: dict[str, str] = {}
    for part in content.parts:
        for element in part.payload.get("elements", []):
            url = element.get("image_url")
            if isinstance(url, str) and box.settings.fetch_media:
                with contextlib.suppress(GraphError):
                    found[url] = _fetched(box, AttachmentPart("image", url), url).url
    return found


def keep(box: Sandbox, kind: str, content_type: str, data: bytes) -> File:
    """Check type and size of a file and store it; raise 2018047 or 2018109."""
    rule = MEDIA[kind]
    if len(data) > rule.limit:
        raise GraphError(100, 2018109)
    if content_type not in rule.types:
        raise GraphError(100, 2018047)
    with box.lock:
        return File(kind, box.media.url(box.media.keep(kind, content_type, data)))


def upload(call: Call) -> Json:
    """``POST /{page or account}/message_attachments`` by address or multipart (M12, M34)."""
    with call.box.lock:
        account = call.messaging_account()
        call.need("instagram_manage_messages", "instagram_business_manage_messages")
    message = call.structure("message")
    if call.upload is not None:
        kind = _declared_kind(message)
        file = keep(call.box, kind, *call.upload)
    else:
        content = read_message(message)
        if not content.parts or content.parts[0].url is None:
            raise GraphError(100, 2534015)
        kind = content.parts[0].type
        file = _fetched(call.box, content.parts[0], content.parts[0].url)
    attachment_id = ids.digits("687", 15)
    with call.box.lock:
        held = {"igid": account.igid, "kind": kind, "url": file.url}
        call.box.world.attachments[attachment_id] = held
    return {"attachment_id": attachment_id}


def _declared_kind(message: object) -> str:
    attachment = message.get("attachment") if isinstance(message, dict) else None
    kind = attachment.get("type") if isinstance(attachment, dict) else None
    if kind not in MEDIA:
        raise invalid("Param message[attachment][type] is required")
    return str(kind)


def echoed(box: Sandbox, content: Content, files: list[File]) -> list[Json]:
    """Return the attachments as the echo and the Conversations API show them."""
    shown = [events.attachment(file.kind, url=file.url) for file in files]
    for part in content.parts:
        if part.type == "template":
            shown.append(events.template_echo(part.payload))
        elif part.type == "like_heart":
            shown.append(events.attachment("like_heart"))
        elif part.type == "MEDIA_SHARE" and not part.attachment_id:
            url = box.media.url(box.media.make("image"))
            shown.append(events.attachment("share", url=url))
    return shown
