"""Comments below the account's posts, and mentions of it below others' (M34).

``/{media}/comments``, ``/{comment}``, ``/{comment}/replies``, ``/{ig}/mentions``, ``mentioned_comment``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox import commenting, posts
from sandbox.errors import GraphError, missing_object
from sandbox.graph import fields
from sandbox.graph import posts as media
from sandbox.graph.call import Call
from sandbox.graph.paging import paged
from sandbox.graph.shapes import invalid
from sandbox.world import Account, Comment, Flavour, Json, Post

LONGEST = 2200
"""Longest comment in characters."""
MOST_LISTED = 50
DEFAULT = "id,text,timestamp"
SCOPES = ("instagram_manage_comments", "instagram_business_manage_comments")


def _comment(call: Call) -> tuple[Account, Comment]:
    """Return the comment in the path, if it concerns the token's account."""
    token = call.token
    assert token is not None
    comment = call.box.world.comments.get(call.node)
    if comment is None or token.igid != comment.igid or comment.mention:
        raise missing_object(call.node)
    call.need(*SCOPES)
    call.facts |= {"comment": comment.id, "customer": comment.igsid}
    return call.box.world.accounts[comment.igid], comment


def _post(call: Call, comment: Comment) -> Post:
    post = posts.find(call.box, comment.post_id)
    if post is None:
        raise missing_object(call.node)
    return post


def node(call: Call, comment: Comment) -> Json:
    """Return all readable fields of a comment, as IG Comment."""
    shown = commenting.username(call.box, comment)

    def of_post(item: fields.RequestedField) -> Json:
        post = _post(call, comment)
        if not item.inner:
            return {"id": post.id}
        return fields.select(posts.node(call.box, post), item.inner, "IGMedia")

    def replies_of(item: fields.RequestedField) -> Json | None:
        found = [_shown(call, one, item.inner) for one in commenting.answers(call.box, comment.id)]
        return {"data": found} if found else None

    return {
        "id": comment.id,
        "text": comment.text,
        "timestamp": call.box.clock.iso(comment.at),
        "username": shown,
        "from": {"id": comment.igsid, "username": shown},
        "user": {"id": comment.igid} if comment.ours else None,
        "hidden": comment.hidden,
        "like_count": 0,
        "parent_id": comment.parent_id,
        "media": of_post,
        "replies": replies_of,
    }


def _shown(call: Call, comment: Comment, wanted: list[fields.RequestedField]) -> Json:
    return fields.select(node(call, comment), wanted or fields.parse(DEFAULT), "IGComment")


def listed(call: Call) -> Json:
    """``GET /{media}/comments``: the comments directly below the post, newest first, at most 50."""
    token = call.token
    assert token is not None
    account = call.box.world.accounts.get(token.igid or "")
    if account is None:
        raise missing_object(call.node)
    post = media.of_account(call, call.node, account)
    call.need(*SCOPES)
    media.running(post)
    wanted = fields.parse(call.text("fields", DEFAULT))
    found = commenting.below(call.box, post.id)
    return paged(call, [_shown(call, one, wanted) for one in found], MOST_LISTED)


def list_media(call: Call) -> Json:
    """``GET /{igid}/media``: the posts of the account's profile, newest first, with comments if requested."""
    account = media.own(call)
    call.need("instagram_basic", "instagram_business_basic")
    wanted = fields.parse(call.text("fields", "id"))

    def shown(post: Post) -> Json:
        told = posts.node(call.box, post) | {"comments": lambda item: _newest(call, post, item)}
        return fields.select(told, wanted, "IGMedia")

    return paged(call, [shown(one) for one in posts.published(call.box, account)])


def _newest(call: Call, post: Post, item: fields.RequestedField) -> Json | None:
    """Return the newest comments of a post in a list of posts; the next page needs another call."""
    call.need(*SCOPES)
    limit = item.options.get("limit", "25")
    if not limit.isdigit() or not 1 <= int(limit) <= MOST_LISTED:
        raise invalid(f"Param limit must be a number from 1 to {MOST_LISTED}")
    found = commenting.below(call.box, post.id)
    if not found:
        return None
    answer: Json = {
        "data": [_shown(call, one, item.inner) for one in found[: int(limit)]],
        "paging": {"cursors": {"before": "QVFIU0", "after": f"QVFIU{limit}"}},
    }
    if len(found) > int(limit):
        root = f"{call.box.media.base_url}/graph.facebook.com"
        answer["paging"]["next"] = f"{root}/{post.id}/comments?limit={limit}&after=QVFIU{limit}"
    return answer


def read(call: Call) -> Json:
    """``GET /{comment}``; a deleted one, or one of a broadcast that ended, does not exist."""
    _, comment = _comment(call)
    if _post(call, comment).ended_at is not None:
        raise missing_object(call.node)
    return _shown(call, comment, fields.parse(call.text("fields", DEFAULT)))


def replies(call: Call) -> Json:
    """List the public answers to a comment, or write one.

    Hidden comments and broadcasts allow none; an answer to an answer is placed below the top comment.
    """
    account, comment = _comment(call)
    post = _post(call, comment)
    if call.method == "GET":
        wanted = fields.parse(call.text("fields", DEFAULT))
        found = commenting.answers(call.box, comment.id)
        return paged(call, [_shown(call, one, wanted) for one in found], MOST_LISTED)
    text = _text(call)
    call.facts["what"] = "public reply"
    if post.kind == "LIVE":
        raise invalid("Replying to comments on live video is not supported")
    if comment.hidden:
        raise invalid("Replying to hidden comments is not supported")
    return _written(call, account, text, post, comment)


def _text(call: Call) -> str:
    text = call.text("message").strip()
    if not text or len(text) > LONGEST:
        raise invalid(f"Param message must have 1 to {LONGEST} characters")
    return text


def _written(call: Call, account: Account, text: str, post: Post, comment: Comment | None) -> Json:
    """Write a comment as the account, and notify the apps afterwards if the post is its own."""
    made = commenting.add(
        call.box, account, account.igid, text, post, parent=comment, mention=post.igid != account.igid
    )
    call.facts["entry"] = call.box.ledger.add(
        "public_reply",
        account=account.igid,
        customer=None if comment is None else comment.igsid,
        comment=None if comment is None else comment.id,
        mid=made.id,
        text=text,
        answered=None,
    )
    if post.igid == account.igid:
        call.after.append(lambda: commenting.tell(call.box, account, made, post))
    return {"id": made.id}


def change(call: Call) -> Json:
    """``POST /{comment}?hide=true``: hide a comment or show it again; the account's own stay visible."""
    _, comment = _comment(call)
    wanted = call.text("hide").lower()
    if wanted not in ("true", "false"):
        raise invalid("Param hide must be true or false")
    call.facts["what"] = "hide" if wanted == "true" else "show"
    comment.hidden = wanted == "true" and not comment.ours
    return {"success": True}


def delete(call: Call) -> Json:
    """``DELETE /{comment}``: delete it for everyone."""
    _, comment = _comment(call)
    call.facts["what"] = "delete"
    commenting.remove(call.box, comment)
    return {"success": True}


def mentions(call: Call) -> Json:
    """``POST /{ig}/mentions``: answer a comment or a caption that mentions the account. Only on road F."""
    account = media.own(call)
    call.need(*SCOPES)
    text, media_id = _text(call), call.text("media_id")
    comment_id = call.text("comment_id", "")
    comment = call.box.world.comments.get(comment_id)
    post = posts.find(call.box, media_id)
    if post is None or (comment_id and (comment is None or comment.post_id != post.id)):
        raise missing_object(comment_id or media_id)
    call.facts |= {"what": "answer to a mention"}
    return _written(call, account, text, post, comment)


def mentioned(call: Call, account: Account) -> dict[str, Callable[[fields.RequestedField], Any]]:
    """Return the fields ``mentioned_comment`` and ``mentioned_media`` of an account.

    Meta only returns the name of the comment's author.
    """

    def of_comment(item: fields.RequestedField) -> Json:
        call.need(*SCOPES)
        comment = call.box.world.comments.get(item.options.get("comment_id", ""))
        if comment is None or comment.igid != account.igid or not comment.mention:
            raise missing_object(item.options.get("comment_id", ""))
        told = {key: value for key, value in node(call, comment).items() if key not in ("from", "user")}
        return fields.select(told, item.inner or fields.parse(DEFAULT), "IGComment")

    def of_media(item: fields.RequestedField) -> Json:
        call.need(*SCOPES)
        post = posts.find(call.box, item.options.get("media_id", ""))
        if post is None or f"@{account.username}" not in (post.caption or ""):
            raise missing_object(item.options.get("media_id", ""))
        return fields.select(posts.node(call.box, post), item.inner or fields.parse("id"), "IGMedia")

    return {} if call.flavour is Flavour.I else {"mentioned_comment": of_comment, "mentioned_media": of_media}


def find(call: Call) -> tuple[str, Callable[[Call], Json], bool] | None:
    """Return the handler for a comment's path, by method."""
    if len(call.path) != 1 or call.node not in call.box.world.comments:
        return None
    handler = {"GET": read, "POST": change, "DELETE": delete}[call.method]
    return "comment", handler, True


def check_answerable(call: Call, account: Account, comment_id: str) -> tuple[Comment, Post]:
    """Return the comment of a private reply; raise 100/2534025 if it allows none (M13)."""
    comment = call.box.world.comments.get(comment_id)
    post = None if comment is None else posts.find(call.box, comment.post_id)
    now = call.box.clock.now()
    if comment is None or post is None or comment.igid != account.igid or comment.ours or comment.mention:
        raise GraphError(100, 2534025)
    if comment.replied or now - comment.at > 7 * posts.DAY or post.ended_at is not None:
        raise GraphError(100, 2534025)
    return comment, post
