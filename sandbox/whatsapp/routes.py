"""Which handler answers a call to the Cloud API, and the name faults use for it."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.errors import GraphError, missing_object
from sandbox.graph.call import Call
from sandbox.whatsapp import accounts, errors, media, responders, send
from sandbox.world import Json

Handler = Callable[[Call], Json]
Found = tuple[str, Handler, bool]

NUMBER: dict[tuple[str, str], tuple[str, Handler]] = {
    ("GET", ""): ("page", accounts.read_number),
    ("POST", ""): ("page", accounts.change_number),
    ("POST", "messages"): ("send", send.send),
    ("POST", "media"): ("upload", media.upload),
    ("POST", "thread_control"): ("other", responders.control),
    ("POST", "register"): ("other", accounts.register),
    ("POST", "deregister"): ("other", accounts.register),
}
ACCOUNT: dict[tuple[str, str], tuple[str, Handler]] = {
    ("GET", ""): ("page", accounts.read_waba),
    ("GET", "phone_numbers"): ("page", accounts.list_numbers),
    ("GET", "subscribed_apps"): ("subscribe", accounts.subscribed_apps),
    ("POST", "subscribed_apps"): ("subscribe", accounts.subscribed_apps),
    ("DELETE", "subscribed_apps"): ("subscribe", accounts.subscribed_apps),
    ("GET", "message_templates"): ("template", accounts.list_templates),
}
MEDIA: dict[tuple[str, str], tuple[str, Handler]] = {
    ("GET", ""): ("media", media.read),
    ("DELETE", ""): ("media", media.delete),
}


TEMPLATE: dict[tuple[str, str], tuple[str, Handler]] = {("GET", ""): ("template", accounts.read_template)}


def find(call: Call) -> Found | None:
    """Return name, handler and whether a token is needed, or None if the call is not for the Cloud API.

    Calls with a WhatsApp token are, whatever they name: such a token sees nothing else.
    """
    world, node = call.box.whatsapp, call.node
    table: dict[tuple[str, str], tuple[str, Handler]] = {}
    waba_id: str | None = None
    if node in world.numbers:
        table, waba_id = NUMBER, world.numbers[node].waba_id
    elif node in world.accounts:
        table, waba_id = ACCOUNT, node
    elif node in world.media:
        table, waba_id = MEDIA, world.numbers[world.media[node].number_id].waba_id
    elif accounts.is_template(call):
        table = TEMPLATE
    elif not _asked_with_its_token(call):
        return None
    call.answer_error = errors.answer
    call.about = {"account": waba_id, **_sent(call)}
    name, handler = table.get((call.method, call.edge), ("other", _unknown))
    if len(call.path) > 2:
        name, handler = "other", _unknown
    return name, handler, True


def _asked_with_its_token(call: Call) -> bool:
    token = call.box.world.tokens.get(call.raw_token() or "")
    return token is not None and token.waba_ids is not None and call.node.isdigit()


def _sent(call: Call) -> dict[str, str | None]:
    """Return customer and text of a message, for faults to match."""
    if call.edge != "messages":
        return {}
    to, text = call.params.get("to") or call.params.get("recipient"), call.structure("text")
    found = call.box.whatsapp.customer(str(to)) if to else None
    return {
        "customer": found.wa_id if found is not None else None,
        "text": str(text.get("body")) if isinstance(text, dict) else None,
    }


def _unknown(call: Call) -> Json:
    if len(call.path) > 1:
        raise GraphError(2500, None, f"Unknown path components: /{'/'.join(call.path[1:])}")
    raise missing_object(call.node)
