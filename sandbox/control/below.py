"""Control: posts, broadcasts and comments, acting as their authors."""

from __future__ import annotations

import dataclasses

from flask import Response, jsonify, request

from sandbox import commenting, posts
from sandbox.control.base import (
    OPTIONAL_TEXT,
    InputError,
    NotFoundError,
    body,
    box,
    bp,
    find_account,
)
from sandbox.world import Comment, Json, Post


def _post(post_id: str) -> Post:
    found = posts.find(box(), post_id)
    if found is None:
        raise NotFoundError(f"no post {post_id}")
    return found


def _comment(comment_id: str) -> Comment:
    found = box().world.comments.get(comment_id)
    if found is None:
        raise NotFoundError(f"no comment {comment_id}")
    return found


def _show(comment: Comment) -> Json:
    return {**dataclasses.asdict(comment), "username": commenting.username(box(), comment)}


@bp.get("/posts")
def list_posts() -> Response:
    """List an account's newest posts, its ads and its running broadcasts."""
    with box().lock:
        account = find_account(request.args.get("account"))
        ads = [one for one in box().world.posts.values() if one.igid == account.igid and one.kind == "AD"]
        found = posts.broadcasts(box(), account) + ads[::-1] + posts.published(box(), account)[:10]
        return jsonify(posts=[dataclasses.asdict(one) for one in found])


@bp.post("/posts")
def create_post() -> tuple[Response, int]:
    """Publish a post, a reel or an ad; ``kind`` LIVE starts a broadcast."""
    allowed: dict[str, type | tuple[type, ...]] = {
        "account": str,
        "kind": str,
        "caption": OPTIONAL_TEXT,
        "ad_id": str,
        "ad_title": str,
        "original_id": str,
    }
    data = body(allowed)
    kind = data.get("kind", "FEED")
    if kind not in posts.KINDS:
        raise InputError(f"kind must be one of {', '.join(posts.KINDS)}")
    if kind == "AD" and "ad_id" not in data:
        raise InputError("an AD needs ad_id")
    with box().lock:
        account = find_account(data.get("account"))
        if "original_id" in data:
            _post(data["original_id"])
        rest = {name: data[name] for name in ("ad_id", "ad_title", "original_id") if name in data}
        made = posts.make(box(), account, kind, data.get("caption"), **rest)
        shown = dataclasses.asdict(made)
    box().ledger.touch()
    return jsonify(shown), 201


@bp.delete("/posts/<post_id>")
def end_broadcast(post_id: str) -> Response:
    """End a broadcast, including its comments and their private replies."""
    with box().lock:
        post = _post(post_id)
        if post.kind != "LIVE":
            raise InputError("only a broadcast can be ended")
        post.ended_at = post.ended_at or box().clock.now()
        shown = dataclasses.asdict(post)
    box().ledger.touch()
    return jsonify(shown)


@bp.get("/comments")
def list_comments() -> Response:
    """List the comments of an account, or below one ``post``, oldest first."""
    account, post = request.args.get("account"), request.args.get("post")
    with box().lock:
        igid = find_account(account).igid
        found = [one for one in box().world.comments.values() if one.igid == igid]
        return jsonify(comments=[_show(one) for one in found if post in (None, one.post_id)])


@bp.delete("/comments/<comment_id>")
def take_away(comment_id: str) -> Response:
    """Delete a comment as its author. No app is notified."""
    with box().lock:
        comment = _comment(comment_id)
        commenting.remove(box(), comment)
    box().ledger.add(
        "dm", account=comment.igid, customer=comment.igsid, what="comment_delete", mid=comment.id
    )
    return jsonify(removed=1)


@bp.patch("/comments/<comment_id>")
def change_comment(comment_id: str) -> Response:
    """Edit a comment as its author. The apps are notified again with the same id."""
    data = body({"text": str}, ("text",))
    with box().lock:
        comment = _comment(comment_id)
        comment.text = data["text"]
        post, account = _post(comment.post_id), box().world.accounts[comment.igid]
        emission = commenting.tell(box(), account, comment, post)
        return jsonify({**_show(comment), **emission.as_json()})
