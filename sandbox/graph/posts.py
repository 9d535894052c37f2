"""Posts and broadcasts: ``/{ig}/media``, ``/{ig}/live_media``, ``/{media}`` (M34)."""

from __future__ import annotations

from sandbox import posts
from sandbox.errors import GraphError, missing_object
from sandbox.graph import fields
from sandbox.graph.call import Call
from sandbox.graph.paging import paged
from sandbox.world import Account, Json, Post


def own(call: Call) -> Account:
    """Return the account in the path, which the token must belong to; ``me`` on road I."""
    token = call.token
    assert token is not None
    name = token.igid if call.node == "me" else call.node
    account = call.box.world.accounts.get(name or "")
    if account is None or token.igid != account.igid:
        raise missing_object(call.node)
    return account


def list_live(call: Call) -> Json:
    """``GET /{igid}/live_media``: the running broadcasts; ended ones are not listed."""
    account = own(call)
    call.need("instagram_basic", "instagram_business_basic")
    wanted = fields.parse(call.text("fields", "id"))
    shown = [posts.node(call.box, one) for one in posts.broadcasts(call.box, account)]
    return paged(call, [fields.select(one, wanted, "IGMedia") for one in shown])


def read(call: Call, post: Post) -> Json:
    """``GET /{media}``: a post of the token's account; a broadcast only while it runs."""
    token = call.token
    assert token is not None
    if token.igid != post.igid or post.ended_at is not None:
        raise missing_object(call.node)
    call.need("instagram_basic", "instagram_business_basic")
    wanted = fields.parse(call.text("fields", "id"))
    return fields.select(posts.node(call.box, post), wanted, "IGMedia")


def of_account(call: Call, media_id: str, account: Account) -> Post:
    """Return a post of the account; raise 100/33 for anyone else's."""
    post = posts.find(call.box, media_id)
    if post is None or post.igid != account.igid:
        raise missing_object(media_id)
    return post


def running(post: Post) -> None:
    """Raise an error if a broadcast has ended, because its comments are deleted too."""
    if post.ended_at is not None:
        raise GraphError(100, None, "The live video has ended")
