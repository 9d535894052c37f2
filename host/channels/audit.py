"""The sentences of the audit log about accounts and channels."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

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
    "account.messages_changed": _l("%(who)s changed the message settings of %(what)s"),
    "account.permission_back": _l("%(what)s may send again. Before: %(reason)s"),
    "account.permission_lost": _l("%(what)s lost a permission at its provider: %(reason)s"),
    "account.withdrawn": _l("%(who)s withdrew the request for %(what)s"),
    "channel.settings_changed": _l("%(who)s changed the settings of the channel %(what)s"),
    "domain.given": _l("%(who)s released mail of %(what)s to another workspace"),
    "domain.key_made": _l("%(who)s created a key to sign mail from %(what)s"),
    "domain.released": _l("%(who)s released the domain %(what)s"),
}
