"""The sentences of the audit log about accounts and channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_babel.speaklater import LazyString

from host.channels.directory import current_directory
from host.users.audit_words import Words
from host.web.formats import round_length
from host.web.languages import gettext as _

SENTENCES: Mapping[str, LazyString] = {
    "account.action": _l("%(who)s ran “%(action)s” on the account %(what)s"),
    "account.asked_for": _l("%(who)s requested the address %(what)s"),
    "account.caught_up": _l("%(who)s started a catch-up for the account %(what)s"),
    "account.changed": _l("%(who)s changed the account %(what)s"),
    "account.connected": _l("%(who)s connected the account %(what)s"),
    "account.confirmed": _l("%(who)s released the address %(what)s to another workspace"),
    "account.declined": _l("%(who)s declined the request for %(what)s"),
    "account.automation_changed": _l("%(who)s changed the automation of %(what)s"),
    "account.disconnected": _l("%(who)s disconnected the account %(what)s"),
    "account.files_changed": _l("%(who)s changed the file settings of %(what)s"),
    "account.ice_breakers_changed": _l("%(who)s changed the ice breakers of %(what)s"),
    "account.menu_changed": _l("%(who)s changed the menu of %(what)s"),
    "account.moved_away": _l("%(who)s moved the account %(what)s to another workspace"),
    "account.moved_here": _l("%(who)s moved the account %(what)s here from another workspace"),
    "account.messages_changed": _l("%(who)s changed the message settings of %(what)s"),
    "account.permission_back": _l("%(what)s may send again. Before: %(reason)s"),
    "account.permission_lost": _l("%(what)s lost a permission at its provider: %(reason)s"),
    "account.withdrawn": _l("%(who)s withdrew the request for %(what)s"),
    "channel.settings_changed": _l("%(who)s changed the settings of the channel %(what)s"),
    "domain.given": _l("%(who)s released mail of %(what)s to another workspace"),
    "domain.key_made": _l("%(who)s created a key to sign mail from %(what)s"),
    "domain.released": _l("%(who)s released the domain %(what)s"),
}


def _channel(key: object) -> str:
    return current_directory().label(str(key))


def _minutes(value: object) -> str:
    return str(_("none")) if value is None else round_length(int(str(value)))


def _action(name: object) -> str:
    """Return what the card of a channel calls one of its buttons."""
    directory = current_directory()
    found = (card.actions for card in map(directory.card, directory.keys) if card is not None)
    labels = {one.name: str(one.label) for actions in found for one in actions}
    return labels.get(str(name), str(name).replace("_", " ").replace("-", " "))


def _kept(value: object) -> str:
    if value in {"keep", None}:
        return str(_("as long as their message"))
    days = int(str(value)) if str(value).isdigit() else 0
    return str(ngettext("%(num)s day", "%(num)s days", days)) if days else str(_("only linked"))


_SHOWN = {"True": _l("On"), "False": _l("Off")}

FIELDS: Mapping[str, LazyString | None] = {
    "channel": _l("Channel"),
    "account.action": _l("Action"),
    "account.name": _l("Name"),
    "account.way": None,
    "account.reason": _l("Reason"),
    "reply_target": _l("Response time"),
    "mark_seen": _l("Show customers when we have read their messages"),
    "show_seen": _l("Show when customers have read our messages"),
    "typing": _l("Show customers when someone is typing"),
    "overflow": _l("Text that is too long"),
    "account.days": _l("Files"),
    "greeting": _l("Greeting"),
    "away": _l("Away"),
    "routing": _l("Routing"),
    "greeting_text": _l("Greeting text"),
    "away_text": _l("Away message text"),
}

WORDS: Mapping[str, Words] = {
    "channel": _channel,
    "account.action": _action,
    "account.reason": _,
    "reply_target": _minutes,
    "greeting": _SHOWN,
    "away": _SHOWN,
    "routing": _SHOWN,
    "greeting_text": {"changed": _l("changed")},
    "away_text": {"changed": _l("changed")},
    "mark_seen": _SHOWN | {"None": _l("Off")},
    "show_seen": _SHOWN | {"None": _l("On")},
    "typing": _SHOWN | {"None": _l("On")},
    "overflow": {
        "split": _l("Send as several messages"),
        "truncate": _l("Shorten"),
        "None": _l("Send as several messages"),
    },
    "account.days": _kept,
}

SUBJECTS: Mapping[str, Callable[[str], object]] = {"channel": _channel, "webhook": _channel}
