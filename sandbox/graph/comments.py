"""Comments below the account's posts: ``/{comment}/replies`` (M34)."""

from __future__ import annotations

from sandbox import ids
from sandbox.errors import missing_object
from sandbox.graph.call import Call
from sandbox.graph.shapes import invalid
from sandbox.world import Comment, Json

LONGEST = 300


def replies(call: Call) -> Json:
    """List the public answers to a comment, or write one: everybody sees it below the post."""
    comment = call.box.world.comments.get(call.node)
    token = call.token
    assert token is not None
    if comment is None or token.igid != comment.igid:
        raise missing_object(call.node)
    call.need("instagram_manage_comments", "instagram_business_manage_comments")
    if call.method == "GET":
        listed = [one for one in call.box.world.comments.values() if one.parent_id == comment.id]
        return {"data": [_shown(call, one) for one in listed]}
    text = call.text("message").strip()
    if not text or len(text) > LONGEST:
        raise invalid(f"Param message must have 1 to {LONGEST} characters")
    answer = Comment(
        ids.digits("179", 17), comment.igid, comment.igid, text, call.box.clock.now(), parent_id=comment.id
    )
    call.box.world.comments[answer.id] = answer
    call.facts |= {"what": "public reply", "comment": comment.id}
    return {"id": answer.id}


def _shown(call: Call, one: Comment) -> Json:
    return {"id": one.id, "text": one.text, "timestamp": call.box.clock.iso(one.at)}
