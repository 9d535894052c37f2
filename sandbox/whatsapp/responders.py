"""Other responders of a number: Meta's agent and another app, and who has a conversation."""

from __future__ import annotations

from sandbox.box import Emission, Sandbox
from sandbox.errors import GraphError
from sandbox.graph.call import Call
from sandbox.whatsapp import files, send, webhooks
from sandbox.whatsapp.errors import invalid
from sandbox.whatsapp.world import Customer, Number
from sandbox.world import Json

AGENT, ESCALATION = "ai_agent", "escalation"
NOT_ALLOWED = 2494191
"""Meta's code of a *take* by an app that is not the designated escalation partner."""


def says(box: Sandbox, number: Number, customer: Customer, data: Json) -> Emission:
    """Have the other responder write, which the app hears in ``standby``."""
    customer.responder = customer.responder or AGENT
    words = data.get("text") or "Yes, from ten to two. Would you like to book a place?"
    message: Json = {"recipient_type": "individual", "type": "text", "text": {"body": words}}
    message |= {"recipient": customer.user_id} if customer.hides_number else {"to": customer.wa_id}
    at = str(int(box.clock.now()))
    echo = {"id": files.message_id(customer.wa_id, inbound=False), "timestamp": at, "message": message}
    value = webhooks.held({**webhooks.metadata(number), "message_echoes": [echo]})
    return _emit(box, number, customer, "standby", value, "standby echo")


def passes(box: Sandbox, number: Number, customer: Customer, data: Json) -> Emission:
    """Have the other responder pass the conversation to the app."""
    before, customer.responder = customer.responder or AGENT, ""
    told: Json = {"previous_owner_role": before, "new_owner_role": ESCALATION}
    if before == AGENT:
        told["previous_owner_app_role"] = "meta_business_agent"
    if data.get("text"):
        told["metadata"] = data["text"]
    if data.get("summary"):
        told["conversation_context"] = {"type": "summary", "summary": {"text": data["summary"]}}
    value = webhooks.handover(number, customer, "control_passed", box.clock.now(), told)
    return _emit(box, number, customer, "messaging_handovers", value, "control passed")


def takes(box: Sandbox, number: Number, customer: Customer, data: Json) -> Emission:
    """Have the escalation partner take the conversation from the app."""
    customer.responder = ESCALATION
    told: Json = {"previous_owner_role": "customer_service", "new_owner_role": ESCALATION}
    if data.get("text"):
        told["metadata"] = data["text"]
    value = webhooks.handover(number, customer, "control_taken", box.clock.now(), told)
    return _emit(box, number, customer, "messaging_handovers", value, "control taken")


def _emit(box: Sandbox, number: Number, customer: Customer, field: str, value: Json, what: str) -> Emission:
    waba = box.whatsapp.accounts[number.waba_id]
    return webhooks.emit(box, waba, field, value, what, number=number, customer=customer.wa_id)


def control(call: Call) -> Json:
    """``POST /{phone_number_id}/thread_control``: take, pass or release a conversation.

    Only the owner may pass or release it. Meta tells nobody of a release.
    """
    if call.params.get("messaging_product") != "whatsapp":
        raise invalid("(#100) The parameter messaging_product is required.")
    customer, _named, _by_id = send.recipient(call, call.params)
    action = call.params.get("action")
    if action not in {"take", "pass", "release"}:
        raise invalid("Param action must be one of {PASS, RELEASE, TAKE}.")
    note = call.params.get("metadata", "")
    if not isinstance(note, str) or len(note) > 2000:
        raise invalid("Param metadata must have at most 2000 characters.")
    if action == "take" and customer.responder == ESCALATION:
        raise GraphError(NOT_ALLOWED, None, "Only the escalation partner may take this thread.")
    if action != "take" and customer.responder:
        raise invalid("This app does not own the thread.")
    role = ""
    if action == "pass":
        passed = call.structure("control_pass")
        role = passed.get("target_role", ESCALATION) if isinstance(passed, dict) else ESCALATION
        if role not in {AGENT, ESCALATION}:
            raise invalid("Param control_pass[target_role] must be one of {AI_AGENT}.")
    customer.responder = role if action == "pass" else AGENT if action == "release" else ""
    call.box.ledger.touch()
    return {"messaging_product": "whatsapp"}


OTHERS = {"agent": says, "pass_control": passes, "take_control": takes}
"""Acts of another responder, by kind."""
