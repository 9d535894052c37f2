"""Comments: writing and deleting them, and the apps' notifications of them (M1, M13, M26)."""

from __future__ import annotations

from sandbox import events, ids, posts
from sandbox.box import Emission, Sandbox
from sandbox.world import Account, Comment, Flavour, Json, Post

UNTOLD = "Meta tells nobody of a comment that is gone"


def below(box: Sandbox, post_id: str) -> list[Comment]:
    """Return the comments directly below a post, newest first (M34)."""
    found = [one for one in box.world.comments.values() if one.post_id == post_id and one.parent_id is None]
    return found[::-1]


def answers(box: Sandbox, comment_id: str) -> list[Comment]:
    """Return the public answers to a comment, oldest first."""
    return [one for one in box.world.comments.values() if one.parent_id == comment_id]


def username(box: Sandbox, comment: Comment) -> str:
    """Return the author's name of a comment."""
    if comment.ours:
        return box.world.accounts[comment.igid].username
    customer = box.world.customers.get(comment.igsid)
    return customer.username if customer is not None else posts.SOMEBODY


def add(
    box: Sandbox,
    account: Account,
    igsid: str,
    text: str,
    post: Post,
    *,
    parent: Comment | None = None,
    mention: bool = False,
) -> Comment:
    """Write a comment; an answer to an answer is placed below the top comment (M34)."""
    made = Comment(
        id=ids.digits("179", 17),
        igid=account.igid,
        igsid=igsid,
        text=text,
        at=box.clock.now(),
        parent_id=None if parent is None else parent.parent_id or parent.id,
        post_id=post.original_id or post.id,
        mention=mention,
    )
    box.world.comments[made.id] = made
    return made


def remove(box: Sandbox, comment: Comment) -> None:
    """Delete a comment with its answers. No app is notified."""
    for one in [comment, *answers(box, comment.id)]:
        box.world.comments.pop(one.id, None)


def tell(box: Sandbox, account: Account, comment: Comment, post: Post) -> Emission:
    """Notify the apps of a comment; twice for one below a boosted post, with and without the ad (M13)."""
    emissions = [_told(box, account, comment, media) for media in _media(box, post)]
    return Emission([app for one in emissions for app in one.apps], emissions[0].reason)


def tell_mention(box: Sandbox, account: Account, post: Post, comment: Comment | None) -> Emission:
    """Notify the apps of a mention of the account: ids on road F, a comment on road I (M1)."""

    def shaped(flavour: Flavour) -> Json | None:
        if flavour is Flavour.F:
            return events.mention(post.id, None if comment is None else comment.id)
        return None if comment is None else _change(box, account, comment, _plain(post), flavour)

    igsid = "" if comment is None else comment.igsid
    return box.emit_change(account, igsid, "mention", shaped, mid=None if comment is None else comment.id)


def _told(box: Sandbox, account: Account, comment: Comment, media: Json) -> Emission:
    def shaped(flavour: Flavour) -> Json:
        return _change(box, account, comment, media, flavour)

    what = "own comment" if comment.ours else "comment"
    return box.emit_change(account, comment.igsid, what, shaped, mid=comment.id)


def _change(box: Sandbox, account: Account, comment: Comment, media: Json, flavour: Flavour) -> Json:
    # Comments by customers may contain the account's scoped ID as well: it does not identify the author.
    author: Json = {
        "id": comment.igsid,
        "username": username(box, comment),
        "self_ig_scoped_id": account.scoped_id,
    }
    return events.comment(
        "live_comments" if media["media_product_type"] == "LIVE" else "comments",
        comment.id,
        author,
        comment.text,
        media,
        parent_id=comment.parent_id,
        instagram_login=flavour is Flavour.I,
    )


def _plain(post: Post) -> Json:
    return {"id": post.id, "media_product_type": post.kind}


def _media(box: Sandbox, post: Post) -> list[Json]:
    """Return a post's ids in changes: for an ad, its own id and that of the post it shows."""
    if post.ad_id is None:
        return [_plain(post)]
    told: Json = {"id": post.id, "ad_id": post.ad_id, "ad_title": post.ad_title or ""}
    if post.original_id is None:
        return [{**told, "media_product_type": post.kind}]
    original = posts.find(box, post.original_id)
    kind = "FEED" if original is None else original.kind
    shown: Json = {**told, "original_media_id": post.original_id, "media_product_type": kind}
    return [shown, {"id": post.original_id, "media_product_type": kind}]
