"""What the form of a reply holds, as drafts: files first, then cards, products, a post, a heart, the text."""

from __future__ import annotations

from dataclasses import replace

from flask import request
from werkzeug.datastructures import FileStorage

from host.inbox.arguments import form_id
from host.inbox.drafts import Draft
from host.inbox.sendable import parse_template
from host.media import uploads
from host.sdk.channel import ChannelAdapter
from host.sdk.messages import MessageKind


def drafts_from_request(workspace_id: int, user_id: int, adapter: ChannelAdapter | None) -> list[Draft]:
    """Return the drafts of the form being sent.

    Without scripts the files themselves come along; they are taken here, so this is not to be called inside
    a transaction.

    :raises InvalidError: if a field is out of shape.
    :raises NotSendableError: code ``bad_content`` if the template is none.
    :raises FileRefusedError: for a file that cannot be taken.
    """
    form = request.form
    given = (*form.getlist("upload"), *_taken(workspace_id, user_id, adapter))
    offered = [_quick_reply(one) for one in form.getlist("quick_reply") if one]
    quoted = form_id("reply_to")
    drafts: list[Draft] = []
    if given:
        drafts.append(Draft(uploads=given))
    if form.get("template", "").strip():
        drafts.append(Draft(MessageKind.TEMPLATE, content=parse_template(form["template"])))
    products = [one for one in form.getlist("product") if one.strip()]
    if products:
        drafts.append(Draft(MessageKind.TEMPLATE, content={"products": products}))
    if form.get("own_post", "").strip():
        drafts.append(Draft(MessageKind.SHARE, content={"own_post": form["own_post"]}))
    if form.get("heart") == "1":
        drafts.append(Draft(MessageKind.STICKER, content={"sticker": "heart"}))
    text = form.get("text", "")
    if text.strip() or offered or not drafts:
        content = {"quick_replies": offered} if offered else {}
        drafts.append(Draft(text=text, content=content, reply_to=quoted))
    elif quoted is not None:
        drafts[0] = replace(drafts[0], reply_to=quoted)
    return drafts


def _taken(workspace_id: int, user_id: int, adapter: ChannelAdapter | None) -> list[str]:
    """Return the ids of the files that came with the form itself, in order."""
    media = None if adapter is None else adapter.capabilities.media
    return [
        uploads.take(
            one.stream, one.filename or "", workspace_id=workspace_id, user_id=user_id, media=media
        ).id
        for one in request.files.getlist("file")
        if _chosen(one)
    ]


def _chosen(file: FileStorage) -> bool:
    """Tell whether somebody chose a file: an empty field comes along too, without a name."""
    return bool(file.filename)


def _quick_reply(raw: str) -> dict[str, str]:
    """Return what a field ``title|payload`` holds; either may itself hold a bar where both are the same."""
    half = len(raw) // 2
    if raw[half : half + 1] == "|" and raw[:half] == raw[half + 1 :]:
        return {"title": raw[:half], "payload": raw[:half]}
    title, _bar, payload = raw.partition("|")
    return {"title": title, "payload": payload}
