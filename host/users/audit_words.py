"""The sentences of the audit log about people, workspaces and the desk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from babel import Locale
from flask_babel import get_locale, lazy_pgettext, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.users.roles import ROLE_NAMES

Words = Mapping[str, object] | Callable[[Any], object]
"""The words of a detail's values, or a function that returns them; values without any are names."""

SENTENCES: Mapping[str, LazyString] = {
    "desk.changed": _l("%(who)s changed desk settings: %(what)s"),
    "desk.restored_unverified": _l("The backup of %(what)s was restored without a valid signature"),
    "desk.set_up": _l("%(who)s set up Lobby"),
    "identity.joined": _l("%(what)s linked their account to %(as)s at the sign-in provider"),
    "identity.parted": _l("%(what)s unlinked their account from %(name)s at the sign-in provider"),
    "invitation.ended": _l("The invitation for %(what)s was withdrawn when %(of)s left the workspace"),
    "invitation.sent_again": _l("%(who)s resent the invitation for %(what)s"),
    "invitation.withdrawn": _l("%(who)s withdrew the invitation for %(what)s"),
    "member.access_changed": _l("%(who)s changed the accounts %(what)s can see: %(accounts)s"),
    "member.invited": _l("%(who)s invited %(what)s as %(role)s"),
    "member.joined": _l("%(what)s joined as %(role)s"),
    "member.removed": _l("%(who)s removed %(what)s from the workspace"),
    "member.role_changed": _l("%(who)s changed the role of %(what)s to %(role)s"),
    "password.changed": _l("%(who)s changed their password"),
    "password.link_made": _l("%(who)s created a password link for %(what)s"),
    "password.new_wanted": _l("%(who)s required %(what)s to choose a new password"),
    "password.set": _l("%(who)s set the password of %(what)s"),
    "second_factor.app_added": _l("%(who)s set up an authenticator app"),
    "second_factor.app_removed": _l("%(who)s removed their authenticator app"),
    "second_factor.code_used": _l("%(who)s used a recovery code; %(left)s left"),
    "second_factor.codes_made": _l("%(who)s created new recovery codes"),
    "second_factor.passkey_added": _l("%(who)s added the passkey %(name)s"),
    "second_factor.passkey_removed": _l("%(who)s removed the passkey %(name)s"),
    "second_factor.reset": _l("%(who)s removed the second factor of %(what)s"),
    "session.all_ended": _l("%(who)s signed %(what)s out everywhere"),
    "session.confirmed": _l("%(who)s confirmed their identity"),
    "session.ended": _l("%(who)s signed out"),
    "session.failed": _l("Failed passwords for %(what)s: %(times)s"),
    "session.not_confirmed": _l("Failed passwords or codes for %(what)s while signed in: %(times)s"),
    "session.others_ended": _l("%(who)s signed out all their other browsers"),
    "session.revoked": _l("%(who)s signed out another of their browsers"),
    "session.second_failed": _l("Failed codes for %(what)s after the correct password: %(times)s"),
    "session.started": _l("%(who)s signed in"),
    "sign_in.provider_changed": _l("%(who)s changed the sign-in provider: %(what)s"),
    "sign_in.second_factor_wanted": _l("%(who)s changed who needs a second factor: %(what)s"),
    "user.added": _l("%(who)s added %(what)s"),
    "user.came": _l("An account for %(what)s was created through %(by)s"),
    "user.deleted": _l("%(what)s deleted their account"),
    "user.disabled": _l("%(who)s locked %(what)s out"),
    "user.enabled": _l("%(who)s unlocked %(what)s"),
    "user.made_admin": _l("%(who)s made %(what)s a desk admin"),
    "user.no_longer_admin": _l("%(who)s removed %(what)s as a desk admin"),
    "workspace.archived": _l("%(who)s archived the workspace %(what)s"),
    "workspace.changed": _l("%(who)s changed the settings of the workspace %(what)s"),
    "workspace.created": _l("%(who)s created the workspace %(what)s"),
    "workspace.deleted": _l("%(who)s deleted the workspace %(what)s"),
    "workspace.deletion_asked": _l("%(who)s scheduled the workspace %(what)s for deletion"),
    "workspace.deletion_taken_back": _l("%(who)s canceled the deletion of the workspace %(what)s"),
    "workspace.removed": _l("The data of the deleted workspace %(what)s was erased completely"),
    "workspace.renamed": _l("%(who)s renamed the workspace to %(what)s"),
    "workspace.restored": _l("%(who)s restored the workspace %(what)s"),
}

_UNDO = {"0": _l("Not at all"), "5": _l("5 seconds"), "10": _l("10 seconds"), "20": _l("20 seconds")}
_OFFLINE = {
    "0": _l("None"),
    "10": _l("The first 10 of the list"),
    "25": _l("The first 25 of the list"),
    "50": _l("The first 50 of the list"),
}


def plain(value: object) -> str:
    """Return a code as words, where there are no better ones; a version as it is."""
    code = str(value)
    return code if re.match(r"\d+\.\d", code) else re.sub("[._-]+", " ", code)


def _days(value: object) -> str:
    """Return for how long something is kept."""
    if value == "desk":
        return str(_("Lobby's default"))
    days = int(str(value or 0)) if str(value or 0).isdigit() else -1
    if days < 0:
        return str(value)
    return str(ngettext("%(num)s day", "%(num)s days", days)) if days else str(_("forever"))


def _zone(value: object) -> str:
    return str(value or _("UTC")).replace("_", " ")


def _language(value: object) -> str:
    """Return a language by its name in the reader's."""
    if not value:
        return str(_("Desk default"))
    return Locale.parse(str(value)).get_display_name(get_locale() or "en") or str(value)


def _times(value: object) -> str:
    return str(ngettext("%(num)s time", "%(num)s times", int(str(value))))


_BOTH = {"removed": _l("removed"), "changed": _l("changed")}
_ROLES = {role.value: name for role, name in ROLE_NAMES.items()} | {"": _l("none")}

FIELDS: Mapping[str, LazyString | None] = {
    "accounts": _l("Accounts"),
    "admin": _l("Desk admin"),
    "as": _l("At the provider"),
    "before": _l("Before"),
    "by": lazy_pgettext("audit log", "Through"),
    "session.for": None,
    "had to wait": _l("Had to wait"),
    "identity.name": _l("At the provider"),
    "last": _l("Last attempt"),
    "left": _l("Recovery codes left"),
    "lobby": _l("Version"),
    "name": _l("Name"),
    "of": _l("Person"),
    "problem": _l("Problem"),
    "role": _l("Role"),
    "times": _l("Attempts"),
    "workspace_id": None,
    "conversations": _l("Conversations"),
    "contacts": _l("Contacts"),
    "messages": _l("Messages"),
    "files": _l("Files"),
    "keys": _l("API keys"),
    "endpoints": _l("Webhook endpoints"),
    "people": _l("People"),
    "timezone": _l("Time zone"),
    "language": _l("Language"),
    "assigns_on_reply": _l("Replying to an unassigned conversation"),
    "undo_seconds": _l("Undo a sent reply within"),
    "pushes_content": _l("Push notifications to phones"),
    "offline_conversations": _l("Conversations kept on phones for reading offline"),
    "shows_drafts": _l("Drafts of colleagues"),
    "joins_contacts": _l("New customers with a known phone number or email address"),
    "picture": _l("Picture"),
    "days": _l("Message retention"),
    "colour": _l("Color"),
    "logo": _l("Logo"),
    "public_url": _l("Public address"),
    "mail_server": _l("Mail server"),
    "mail_from": _l("Sender"),
    "retention_days": _l("Message retention"),
    "workspace_makers": _l("Who can create workspaces"),
    "raw_days": _l("Contents of received events"),
    "log_days": _l("Event log"),
}

WORDS: Mapping[str, Words] = {
    "role": _ROLES,
    "before": _ROLES,
    "by": {
        "password": _l("password"),
        "code": _l("a code"),
        "passkey": _l("a passkey"),
        "provider": _l("the sign-in provider"),
        "link": _l("a password link"),
        "mail": _l("email"),
        "hand": _l("a link to pass on"),
    },
    "member.accounts": {"all": _l("all"), "those of their teams": _l("those of their teams")},
    "language": _language,
    "timezone": _zone,
    "had to wait": _times,
    "assigns_on_reply": {
        "True": _l("Assigns it to the person who replies"),
        "False": _l("Leaves it unassigned"),
    },
    "undo_seconds": _UNDO | {"30": _l("30 seconds")},
    "pushes_content": {
        "True": _l("With names and text, for members who choose it"),
        "False": _l("Without names and text"),
    },
    "offline_conversations": _OFFLINE,
    "shows_drafts": {"True": _l("Show what it says"), "False": _l("Show that there is one")},
    "joins_contacts": {
        "True": _l("Join the existing contact"),
        "False": _l("Stay separate until someone merges them"),
    },
    "picture": _BOTH,
    "logo": _BOTH,
    "mail_server": _BOTH,
    "days": _days,
    "retention_days": _days,
    "raw_days": _days,
    "log_days": _days,
    "workspace_makers": {
        "": _l("Desk admins"),
        "default": _l("Desk admins"),
        "anybody": _l("Everyone who can sign in"),
    },
}

AFTER: Mapping[str, str] = {
    "member.role_changed.before": "role",
    "workspace.retention_changed.before": "days",
    "workspace.renamed.before": "name",
}
"""The details that a line's ``before`` was the value of; ``name``: of what was changed."""


def _settings(names: str) -> str:
    """Return the names of settings of the desk, as its page calls them."""
    return ", ".join(str(FIELDS.get(name) or name) for name in names.split(", "))


SUBJECTS: Mapping[str, Callable[[str], object]] = {"desk.changed": _settings}
"""Functions that return the name of what an action, or a kind of them, changed."""
