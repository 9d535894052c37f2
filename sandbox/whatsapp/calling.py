"""Calls that customers make to a number, which no app takes unless told so.

The shapes are those of Meta's page calling/user-initiated-calls (24 Jun 2026).
"""

from __future__ import annotations

from sandbox.box import Emission, Sandbox
from sandbox.whatsapp import files, webhooks
from sandbox.whatsapp.world import Customer, Number
from sandbox.world import Json

RINGS_FOR = 30
"""Seconds until WhatsApp tells the caller that nobody answered."""


def calls(box: Sandbox, number: Number, customer: Customer, data: Json) -> Emission:
    """Have a customer call: the events that it rings, and that it is over.

    ``taken`` has somebody take it for so many seconds; ``twice`` tells its end twice, ``first`` before its
    beginning. Calls begin the 24 hours anew. They don't change who answers the conversation.
    """
    began = box.clock.now()
    call: Json = {
        "id": files.message_id(customer.wa_id, inbound=True).replace("wamid.", "wacid.", 1),
        "to": number.digits,
    }
    if not customer.hides_number:
        call["from"] = customer.wa_id
    call |= {"from_user_id": customer.user_id, "direction": "USER_INITIATED"}
    session = {"sdp_type": "offer", "sdp": "v=0\r\no=- 0 0 IN IP4 192.0.2.17\r\n"}
    rings: Json = {**call, "event": "connect", "timestamp": _at(began), "session": session}
    taken = int(data.get("taken") or 0)
    ended = began + (taken or RINGS_FOR)
    over: Json = {**call, "event": "terminate", "timestamp": _at(ended), "status": "COMPLETED"}
    if taken:
        over |= {"start_time": _at(began), "end_time": _at(ended), "duration": taken}
    customer.last_message_at = began
    told = [
        {**webhooks.metadata(number), "contacts": [webhooks.contact(customer)], "calls": [rings]},
        *({**webhooks.metadata(number), "calls": [over]} for _ in range(2 if data.get("twice") else 1)),
    ]
    if data.get("first"):
        told.reverse()
    waba, name = box.whatsapp.accounts[number.waba_id], customer.wa_id
    for value in told:
        what = f"call: {value['calls'][0]['event']}"
        emission = webhooks.emit(box, waba, "calls", value, what, number=number, customer=name)
    return emission


def _at(seconds: float) -> str:
    return str(int(seconds))
