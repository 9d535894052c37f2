"""Events about a whole WhatsApp Business Account or number, for the people responsible for it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from host.sdk.i18n import noop
from host.sdk.messages import AccountNoticed, Ignored, InboundChange

from .values import mapping, text


class Meaning(NamedTuple):
    """The warning that an event of ``account_update`` begins or ends.

    :ivar kind: the warning it is about. Those of one kind replace each other.
    :ivar sentence: empty: the problem is over.
    """

    kind: str
    sentence: str = ""
    next_step: str = ""


_RESTRICTED, _CONNECTION = "restricted", "connection"
_MANAGER = noop("The reason is in WhatsApp Manager.")
_AGAIN = noop("Connect the number again in Settings. Nothing arrives and nothing is sent until then.")
_APPEAL = noop("The reason, and how to ask for a review, is in WhatsApp Manager.")
_BANNED = {
    "DISABLE": Meaning(_RESTRICTED, noop("Meta has disabled this WhatsApp Business Account."), _APPEAL),
    "SCHEDULE_FOR_DISABLE": Meaning(
        _RESTRICTED, noop("Meta is going to disable this WhatsApp Business Account: %(day)s."), _APPEAL
    ),
    "REINSTATE": Meaning(_RESTRICTED),
}
_LIMITED = Meaning(_RESTRICTED, noop("Meta has restricted this WhatsApp Business Account."), _MANAGER)
_UPDATES = {
    "ACCOUNT_RESTRICTION": _LIMITED,
    "ACCOUNT_VIOLATION": _LIMITED,
    "ACCOUNT_REINSTATED": Meaning(_RESTRICTED),
    "ACCOUNT_RESTRICTION_LIFTED": Meaning(_RESTRICTED),
    "ACCOUNT_DELETED": Meaning(
        _CONNECTION, noop("This WhatsApp Business Account was deleted at Meta."), _AGAIN
    ),
    "PARTNER_REMOVED": Meaning(
        _CONNECTION, noop("This WhatsApp Business Account is not shared with the Meta app any more."), _AGAIN
    ),
    "PARTNER_APP_UNINSTALLED": Meaning(
        _CONNECTION,
        noop("The Meta app lost its permissions for this WhatsApp Business Account."),
        _AGAIN,
    ),
    "ACCOUNT_OFFBOARDED": Meaning(
        _CONNECTION,
        noop("Meta has disconnected this number, because its phone was replaced or set up again."),
        noop("Meta usually connects it again within minutes. If it doesn't, connect it again in Settings."),
    ),
    "ACCOUNT_RECONNECTED": Meaning(_CONNECTION),
    "PARTNER_ADDED": Meaning(_CONNECTION),
    "PARTNER_APP_INSTALLED": Meaning(_CONNECTION),
}
_MARKETING = noop("Meta now counts the template “%(name)s” as marketing.")
_MARKETING_COSTS = noop("It costs more, and customers who stopped marketing messages don't get it.")
_TEMPLATE = {
    "REJECTED": noop("Meta rejected the template “%(name)s”."),
    "PAUSED": noop("Meta paused the template “%(name)s”, because customers disliked it."),
    "DISABLED": noop("Meta disabled the template “%(name)s”."),
}


def read(field: str, value: Mapping[str, Any], at: datetime | None) -> InboundChange:
    """Return what an event of *field* says; fields without words of their own are ignored by name."""
    event = text(value.get("event"), 60)
    if at is None:
        return Ignored("says nothing of when it happened")
    ban = mapping(value.get("ban_info"))
    if field == "account_update" and (told := _update(event, ban)) is not None:
        if not told.sentence:
            return AccountNoticed(told.kind, at, over=True)
        day = text(ban.get("waba_ban_date"), 60)
        details = {"day": day} if "%(day)s" in told.sentence else {}
        return AccountNoticed(told.kind, at, told.sentence, told.next_step, details, bad=True)
    if field == "phone_number_quality_update" and event in {"FLAGGED", "DOWNGRADE"}:
        said = noop("Customers blocked this number or reported its messages, so its quality went down.")
        return AccountNoticed("quality", at, said, _MANAGER)
    if field == "message_template_status_update" and event in _TEMPLATE:
        name = text(value.get("message_template_name"), 100)
        return AccountNoticed("template", at, _TEMPLATE[event], _MANAGER, {"name": name})
    if field == "template_category_update" and text(value.get("new_category"), 40) == "MARKETING":
        name = text(value.get("message_template_name"), 100)
        return AccountNoticed("template", at, _MARKETING, _MARKETING_COSTS, {"name": name})
    return Ignored(f"{field}: {event}".removesuffix(": ")[:100])


def _update(event: str, ban: Mapping[str, Any]) -> Meaning | None:
    if event != "DISABLED_UPDATE":
        return _UPDATES.get(event)
    # Meta's reference gives it as a text, its example as a list.
    state = ban.get("waba_ban_state")
    state = next((one for one in state if isinstance(one, str)), "") if isinstance(state, list) else state
    return _BANNED.get(text(state, 60), _LIMITED)
