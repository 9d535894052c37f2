"""``POST /{phone_number_id}/messages``: sending, and marking as read (W1)."""

from __future__ import annotations

import json
from typing import Any

from sandbox import ids
from sandbox.graph.call import Call
from sandbox.whatsapp import checks, files, statuses, templates
from sandbox.whatsapp.errors import CloudError, cloud_error, invalid
from sandbox.whatsapp.world import Customer, Message, Number, Template, Waba
from sandbox.world import Json

PER_SECOND = 80
PAIR_BURST, PAIR_SECONDS = 45, 6.0
"""To one person: a message every six seconds, 45 in a burst (W10)."""


def send(call: Call) -> Json:
    """Send a message, or mark a received one as read."""
    number = call.box.whatsapp.numbers[call.node]
    waba = call.box.whatsapp.accounts[number.waba_id]
    permitted(call, waba, "whatsapp_business_messaging")
    if waba.blocked_for_policy:
        raise cloud_error(368)
    if not number.registered:
        raise cloud_error(133010)
    params = _body(call)
    if params.get("messaging_product") != "whatsapp":
        raise invalid("The parameter messaging_product is required.")
    if "status" in params:
        return _mark(call, number, params)
    return _send(call, waba, number, params)


def permitted(call: Call, waba: Waba, scope: str) -> None:
    """Raise 10 or 200 if the token was not granted the account or the permission."""
    token = call.token
    assert token is not None
    if token.waba_ids is None or waba.id not in token.waba_ids:
        raise cloud_error(10)
    if scope not in token.scopes:
        raise CloudError(
            200,
            None,
            "You do not have the necessary permissions required to send messages on behalf of this "
            "WhatsApp Business Account",
        )


def _body(call: Call) -> Json:
    """Return the parameters; objects may come as form text."""
    return {
        name: call.structure(name) if isinstance(value, str) and value[:1] in ("{", "[") else value
        for name, value in call.params.items()
    }


def recipient(call: Call, params: Json) -> tuple[Customer, str, bool]:
    """Return who gets a message, what the call named them, and whether that was a user id.

    A number counts more than an id that is named with it (W7).
    A number nobody has on WhatsApp is a customer as well: the message to it fails later (131026).
    """
    world = call.box.whatsapp
    to, user_id = params.get("to"), params.get("recipient")
    if isinstance(to, int) and not isinstance(to, bool):
        to = str(to)
    if not to and isinstance(user_id, str) and user_id:
        known = ((each, (each.user_id, each.parent_id)) for each in world.customers.values())
        found = next((each for each, ids_ in known if user_id in ids_), None)
        if found is None:
            raise cloud_error(131009, "Recipient is not a user id of this business portfolio.")
        return found, user_id, True
    if not isinstance(to, str) or not to:
        raise invalid("The parameter to is required.")
    digits = "".join(filter(str.isdigit, to))
    if not 5 <= len(digits) <= 15 or any(letter.isalpha() for letter in to):
        raise cloud_error(131009, "The phone number is malformed: Please use the format: +1234567890.")
    found = world.customer(digits)
    if found is None:
        stranger = Customer(digits, "", f"US.{ids.digits('1', 20)}", on_whatsapp=False)
        found = world.customers[digits] = stranger
    return found, to, False


def _send(call: Call, waba: Waba, number: Number, params: Json) -> Json:
    box = call.box
    customer, named, by_user_id = recipient(call, params)
    if customer.wa_id == number.digits:
        raise cloud_error(131021)
    if number.account_mode == "SANDBOX" and customer.wa_id not in number.allowed:
        raise cloud_error(131030)
    if params.get("recipient_type", "individual") != "individual":
        raise invalid("Param recipient_type must be one of {INDIVIDUAL}.")
    kind = params.get("type", "text")
    if kind in checks.RECEIVED_ONLY:
        raise cloud_error(131051)
    if kind not in checks.SENDABLE:
        listed = ", ".join(sorted(checks.SENDABLE)).upper()
        raise invalid(f'Param type must be one of {{{listed}}} - got "{kind}".')
    template: Template | None = None
    if kind == "template":
        template, content = _template(call, waba, number, params)
        if by_user_id and template.category == "AUTHENTICATION":
            raise cloud_error(131062)
    else:
        content = checks.check(box, number, kind, params)
    _within_rates(call, number, customer)
    message = Message(
        id=files.message_id(customer.wa_id, inbound=False),
        number_id=number.id,
        wa_id=customer.wa_id,
        inbound=False,
        at=box.clock.now(),
        kind=kind,
        body=content.body,
        text=content.text,
        context=_context(call, customer, params),
        status="accepted",
        pricing=statuses.price(box, customer, template),
        opaque=params.get("biz_opaque_callback_data"),
        to_user_id=by_user_id,
        buttons=content.buttons,
        media_id=content.media_id,
        link=content.link,
    )
    _converse(call, customer, message)
    problem = statuses.failure(box, customer, message)
    if problem is not None and box.whatsapp.settings.refuse_at_once:
        raise cloud_error(problem["code"], problem["error_data"]["details"])
    box.whatsapp.messages[message.id] = message
    customer.typing = False
    if template is None:
        customer.responder = ""  # a service message takes the conversation over
    _record(call, waba, number, message)
    return _answer(call, customer, message, named)


def _template(call: Call, waba: Waba, number: Number, params: Json) -> tuple[Template, checks.Content]:
    asked = checks.obj(params, "template")
    name = checks.text_of(asked, "template", "name", 512)
    language = checks.obj(asked, "language", "template['language']")
    code = checks.text_of(language, "template['language']", "code", 20)
    components = asked.get("components") or []
    if not isinstance(components, list) or not all(isinstance(each, dict) for each in components):
        raise invalid("Param template['components'] must be an array.")
    template = templates.find(waba, name, code)
    filled = templates.Filled(template, components)
    content = checks.Content(asked, filled.text, filled.buttons)
    if filled.header is not None:
        header = {key: value for key, value in filled.header.items() if key != "kind"}
        file = checks.media(call.box, number, filled.header["kind"], header)
        content.media_id, content.link = file.media_id, file.link
    return template, content


def _context(call: Call, customer: Customer, params: Json) -> Json | None:
    context = params.get("context")
    if context is None:
        return None
    if not isinstance(context, dict) or not isinstance(context.get("message_id"), str):
        raise invalid("The parameter context['message_id'] is required.")
    earlier = call.box.whatsapp.messages.get(context["message_id"])
    # An unknown message is no error: the customer just sees no quote.
    return {"id": earlier.id} if earlier is not None and earlier.wa_id == customer.wa_id else None


def _converse(call: Call, customer: Customer, message: Message) -> None:
    """Give a message its conversation, which statuses name (W11)."""
    free = message.pricing["type"] == "free_entry_point"
    until = customer.entry_point_until if free else call.box.clock.now() + 24 * 3600
    message.conversation = {
        "id": (free and customer.entry_point_id) or f"{abs(hash(message.id)):032x}"[:32],
        "expiration_timestamp": str(int(until)),
        "origin": {"type": message.pricing["category"]},
    }


def _within_rates(call: Call, number: Number, customer: Customer) -> None:
    """Raise 130429 or 131056 if there were too many messages; off unless ``enforce_rates`` is set."""
    box = call.box
    if not box.settings.enforce_rates:
        return
    now = box.clock.now()
    for key, most, seconds, code in (
        (f"whatsapp:{number.id}", PER_SECOND, 1.0, 130429),
        (f"whatsapp:{number.id}:{customer.wa_id}", PAIR_BURST, PAIR_BURST * PAIR_SECONDS, 131056),
    ):
        recent = box.calls[key]
        while recent and recent[0] <= now - seconds:
            recent.popleft()
        if len(recent) >= most:
            raise cloud_error(code)
        recent.append(now)


def _record(call: Call, waba: Waba, number: Number, message: Message) -> None:
    assert call.token is not None
    shown = {key: value for key, value in call.params.items() if key != "access_token"}
    call.facts["entry"] = call.box.ledger.add(
        "send",
        json.dumps(shown, ensure_ascii=False),
        account=waba.id,
        number=number.id,
        customer=message.wa_id,
        what=message.kind,
        mid=message.id,
        text=message.text,
        opaque=message.opaque,
        token=call.token.id,
        answered=None,
    )


def _answer(call: Call, customer: Customer, message: Message, named: str) -> Json:
    box = call.box
    ahead = box.faults.draw("status", ("ahead",), account=call.about["account"], customer=customer.wa_id)
    later = call.early if ahead else call.after
    later.append(lambda: statuses.progress(box, message, ahead=ahead is not None))
    person: Json = {"input": named}
    person["user_id" if message.to_user_id else "wa_id"] = (
        customer.user_id if message.to_user_id else customer.wa_id
    )
    sent: Json = {"id": message.id}
    if message.kind == "template":
        sent["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [person], "messages": [sent]}


def _mark(call: Call, number: Number, params: Json) -> Json:
    """Mark a received message and those before it as read; with ``typing_indicator`` show typing (W1)."""
    if params["status"] != "read":
        raise invalid("Param status must be one of {READ}.")
    world = call.box.whatsapp
    message_id: Any = params.get("message_id")
    if not isinstance(message_id, str) or not message_id:
        raise invalid("The parameter message_id is required.")
    message = world.messages.get(message_id)
    if message is None or not message.inbound or message.number_id != number.id:
        raise cloud_error(131009, "Message id is invalid.")
    indicator = params.get("typing_indicator")
    if indicator is not None and (not isinstance(indicator, dict) or indicator.get("type") != "text"):
        raise invalid("Param typing_indicator['type'] must be one of {TEXT}.")
    customer = world.customers[message.wa_id]
    for earlier in world.thread(customer):
        if earlier.inbound and earlier.at <= message.at:
            earlier.status = "read"
    customer.typing = indicator is not None
    call.box.ledger.add("read", account=number.waba_id, customer=customer.wa_id, mid=message.id)
    return {"success": True}
