"""A customer's profile: ``GET /{IGSID}`` (M17, M34)."""

from __future__ import annotations

from sandbox.errors import GraphError, missing_object
from sandbox.graph import fields
from sandbox.graph.call import Call
from sandbox.world import Flavour, Json

DEFAULT = "name,username,profile_pic"


def read_profile(call: Call) -> Json:
    """Return name, username, picture and the rest, if there is consent (230, 9010)."""
    token = call.token
    assert token is not None
    if token.type not in ("PAGE", "IG_USER"):
        raise missing_object(call.node)
    call.need("instagram_manage_messages", "instagram_business_manage_messages")
    call.facts["customer"] = call.node
    world = call.box.world
    if call.flavour is Flavour.F and token.igid is None:
        raise GraphError(100, 2534013)
    account = world.accounts[token.igid or ""]
    if not account.allow_messages:
        raise GraphError(200, 2534041)
    customer = world.customers.get(call.node)
    if customer is None or customer.igid != account.igid:
        raise GraphError(9010)
    spoke = customer.last_message_at is not None
    if customer.consent == "denied" or (customer.consent == "after_message" and not spoke):
        raise GraphError(230)
    picture = f"{call.box.media.base_url}/media/profile/{customer.igsid}.png"
    node = {
        "id": customer.igsid,
        "name": customer.name,
        "username": customer.username,
        "profile_pic": picture if customer.has_picture else None,
        "follower_count": customer.follower_count,
        "is_user_follow_business": customer.is_user_follow_business,
        "is_business_follow_user": customer.is_business_follow_user,
        "is_verified_user": customer.is_verified_user,
    }
    return fields.select(node, fields.parse(call.text("fields", DEFAULT)), "InstagramUser")
