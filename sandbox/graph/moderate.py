"""Blocking people, and thread control, as far as one app needs it (M19, M28, M29)."""

from __future__ import annotations

from sandbox.errors import GraphError
from sandbox.graph.call import Call
from sandbox.graph.shapes import invalid
from sandbox.world import Json

ACTIONS = ("block_user", "unblock_user", "move_to_spam")


def moderate_conversations(call: Call) -> Json:
    """``POST /{page}/moderate_conversations``: at most ten people and two actions (M28)."""
    account = call.messaging_account()
    call.need("business_management", "instagram_business_manage_messages")
    people, actions = call.structure("user_ids"), call.structure("actions")
    if not isinstance(people, list) or not 1 <= len(people) <= 10:
        raise invalid("Param user_ids must have 1 to 10 elements")
    if not isinstance(actions, list) or not 1 <= len(actions) <= 2:
        raise invalid("Param actions must have 1 to 2 elements")
    if any(action not in ACTIONS for action in actions):
        raise invalid(f"Param actions must be one of {{{', '.join(ACTIONS)}}}")
    customers = []
    for person in people:
        igsid = str(person.get("id")) if isinstance(person, dict) else ""
        customer = call.box.world.customers.get(igsid)
        if customer is None or customer.igid != account.igid:
            raise GraphError(100, 2534014)
        customers.append(customer)
    for customer in customers:
        if "block_user" in actions or "unblock_user" in actions:
            customer.blocked_by_business = "block_user" in actions
    return {"success": "true"}


def thread_control(call: Call) -> Json:
    """Accept thread control: with one app there is nothing to take or pass (M19)."""
    account = call.messaging_account()
    recipient = call.structure("recipient")
    igsid = recipient.get("id") if isinstance(recipient, dict) else None
    customer = call.box.world.customers.get(str(igsid))
    if customer is None or customer.igid != account.igid:
        raise GraphError(100, 2534014)
    return {"success": True}
