"""Blocking people, and thread control between several apps (M19, M28, M29)."""

from __future__ import annotations

from sandbox import events
from sandbox.errors import GraphError
from sandbox.graph import fields
from sandbox.graph.call import Call
from sandbox.graph.shapes import invalid
from sandbox.world import Account, Conversation, Json

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


def take_thread_control(call: Call) -> Json:
    """Take a thread from the app that has it, which is notified (M19, M29)."""
    account, thread = _thread(call)
    before, thread.owner = thread.owner, call.app().id
    if before not in (None, thread.owner):
        _tell(call, account, thread, "take_thread_control", before)
    return {"success": True}


def pass_thread_control(call: Call) -> Json:
    """Pass a thread to another app, which is notified; only the app that has it may do so."""
    account, thread = _thread(call)
    target = call.text("target_app_id")
    if thread.owner not in (None, call.app().id):
        raise GraphError(100, 2534037)
    before, thread.owner = thread.owner or call.app().id, target
    _tell(call, account, thread, "pass_thread_control", before)
    return {"success": True}


def request_thread_control(call: Call) -> Json:
    """Request a thread from the app that has it, which is notified."""
    account, thread = _thread(call)
    _tell(call, account, thread, "request_thread_control", thread.owner)
    return {"success": True}


def thread_owner(call: Call) -> Json:
    """``GET /{page}/thread_owner?recipient=IGSID``: the app that has a thread, if any (M29)."""
    _account, thread = _thread(call)
    owner = {} if thread.owner is None else {"thread_owner": {"app_id": thread.owner}}
    return {"data": [owner] if owner else []}


def secondary_receivers(call: Call) -> Json:
    """``GET /{page}/secondary_receivers``: the other apps subscribed to the account (M29)."""
    account = call.messaging_account()
    call.need("instagram_manage_messages", "instagram_business_manage_messages")
    others = [app for app, _road in call.box.world.subscribers(account) if app.id != call.app().id]
    wanted = fields.parse(call.text("fields", "id,name"))
    return {
        "data": [fields.select({"id": app.id, "name": app.name}, wanted, "Application") for app in others]
    }


def _thread(call: Call) -> tuple[Account, Conversation]:
    account = call.messaging_account()
    call.need("instagram_manage_messages", "instagram_business_manage_messages")
    recipient = call.structure("recipient")
    igsid = str(recipient.get("id") if isinstance(recipient, dict) else recipient)
    customer = call.box.world.customers.get(igsid)
    if customer is None or customer.igid != account.igid:
        raise GraphError(100, 2534014)
    return account, call.box.conversation(account.igid, igsid)


def _tell(call: Call, account: Account, thread: Conversation, what: str, before: str | None) -> None:
    """Notify the apps of an account that a thread was passed or requested."""
    facts: Json = {"previous_owner_app_id": before, "new_owner_app_id": thread.owner}
    if what == "request_thread_control":
        facts = {"requested_owner_app_id": call.app().id}
    if call.params.get("metadata"):
        facts["metadata"] = call.text("metadata")
    data = events.inbound(thread.igsid, account.igid, call.box.clock.now_ms(), **{what: facts})
    call.after.append(
        lambda: call.box.emit(account, thread.igsid, what.replace("_", " "), data, field="messaging_handover")
    )
