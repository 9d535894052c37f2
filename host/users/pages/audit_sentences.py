"""Lines of the audit journal as sentences: who did what, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from markupsafe import Markup, escape

from host.models.assistants import Mode
from host.models.automation import RuleState
from host.models.signing_in import Wanted
from host.users.audit import AuditRow
from host.users.failed_tries import NOBODY
from host.users.roles import ROLE_NAMES

KINDS: Mapping[str, tuple[LazyString, tuple[str, ...]]] = {
    "sign-ins": (
        _l("Sign-ins and passwords"),
        ("session", "password", "second_factor", "sign_in", "identity"),
    ),
    "people": (_l("People"), ("member", "invitation", "user", "team", "hours")),
    "accounts": (_l("Accounts and channels"), ("account", "channel", "domain", "webhook")),
    "keys": (_l("API keys and endpoints"), ("api_key", "endpoint")),
    "labels": (_l("Labels and views"), ("label", "view")),
    "replies": (_l("Canned replies and macros"), ("canned_reply", "macro")),
    "knowledge": (_l("What assistants know, and their cases"), ("knowledge", "case", "past_answer")),
    "rules": (_l("Rules"), ("rule",)),
    "assistants": (_l("Assistants"), ("assistant", "assistant_tool", "language_model")),
    "customers": (_l("Customers and received events"), ("contact", "attribute", "event", "events")),
    "addons": (_l("Addons"), ("addon",)),
    "desk": (_l("Desk and workspaces"), ("desk", "workspace")),
}
"""What the journal can be narrowed to, and what the actions of each begin with."""

SENTENCES: Mapping[str, LazyString] = {
    "account.action": _l("%(who)s did “%(action)s” with the account %(what)s"),
    "account.asked_for": _l("%(who)s asked for the address %(what)s"),
    "account.caught_up": _l("%(who)s had the account %(what)s catch up"),
    "account.changed": _l("%(who)s changed the account %(what)s"),
    "account.connected": _l("%(who)s connected the account %(what)s"),
    "account.confirmed": _l("%(who)s let another workspace have the address %(what)s"),
    "account.declined": _l("%(who)s declined the request for %(what)s"),
    "account.automation_changed": _l("%(who)s changed what %(what)s says and does by itself"),
    "account.disconnected": _l("%(who)s disconnected the account %(what)s"),
    "account.files_changed": _l("%(who)s changed what becomes of the files of %(what)s"),
    "account.messages_changed": _l("%(who)s changed how messages of %(what)s are handled"),
    "account.withdrawn": _l("%(who)s withdrew the request for %(what)s"),
    "addon.activated": _l("%(who)s activated the addon %(what)s"),
    "addon.activation_failed": _l("The addon %(what)s could not be activated"),
    "addon.activation_started": _l("%(who)s began to activate the addon %(what)s"),
    "addon.deactivated": _l("%(who)s deactivated the addon %(what)s"),
    "addon.disabled_offline": _l("The addon %(what)s was switched off on the command line"),
    "addon.exported": _l("%(who)s exported the data of the addon %(what)s"),
    "addon.install_started": _l("%(who)s began to install the addon %(what)s"),
    "addon.installed": _l("%(who)s installed the addon %(what)s"),
    "addon.process_replaced": _l("Lobby restarted a process because the addon %(what)s hung in it"),
    "addon.purge_started": _l("%(who)s began to remove the data of the addon %(what)s"),
    "addon.purged": _l("%(who)s removed the addon %(what)s with its data"),
    "addon.quarantined": _l("Lobby set the addon %(what)s aside"),
    "addon.removed": _l("%(who)s removed the addon %(what)s and kept its data"),
    "addon.retried": _l("%(who)s let the addon %(what)s try again"),
    "addon.roll_back_started": _l("%(who)s began to roll the addon %(what)s back"),
    "addon.rolled_back": _l("%(who)s rolled the addon %(what)s back"),
    "addon.switched_off": _l("%(who)s switched the addon %(what)s off"),
    "addon.upload_refused": _l("The upload of %(what)s was refused"),
    "addon.upload_started": _l("%(who)s began to upload %(what)s"),
    "addon.uploaded": _l("%(who)s uploaded the addon %(what)s"),
    "api_key.created": _l("%(who)s made the API key %(what)s"),
    "api_key.ended": _l("The API key %(what)s ended with the place of %(of)s"),
    "api_key.handed_over": _l("%(who)s handed the API key %(what)s of %(of)s over"),
    "api_key.revoked": _l("%(who)s revoked the API key %(what)s"),
    "api_key.taken_over": _l("%(who)s took the API key %(what)s over"),
    "assistant.added": _l("%(who)s added the assistant %(what)s"),
    "assistant.changed": _l("%(who)s changed what the assistant %(what)s says: version %(version)s"),
    "assistant.deleted": _l("%(who)s deleted the assistant %(what)s"),
    "assistant.mode": _l("%(who)s chose what the assistant %(what)s does on %(account)s: %(mode)s"),
    "assistant.model": _l("%(who)s chose the model that the assistant %(what)s asks: %(model)s"),
    "assistant.opened": _l("%(who)s let the assistant %(what)s answer on %(account)s before it earned that"),
    "assistant.renamed": _l("%(who)s gave the assistant %(before)s another name: %(what)s"),
    "assistant.resumed": _l("%(who)s let the assistant %(what)s go on"),
    "assistant.stopped": _l("%(who)s stopped the assistant %(what)s at once"),
    "assistant_tool.added": _l("%(who)s gave the assistant %(of)s the tool %(what)s"),
    "assistant_tool.chosen": _l("%(who)s chose the built-in tools of the assistant %(of)s: %(what)s"),
    "assistant_tool.changed": _l("%(who)s changed the tool %(what)s of the assistant %(of)s"),
    "assistant_tool.deleted": _l("%(who)s took the tool %(what)s away from the assistant %(of)s"),
    "attribute.added": _l("%(who)s added the attribute %(what)s"),
    "attribute.changed": _l("%(who)s changed the attribute %(what)s"),
    "attribute.deleted": _l("%(who)s deleted the attribute %(what)s"),
    "canned_reply.added": _l("%(who)s added the canned reply %(what)s"),
    "canned_reply.changed": _l("%(who)s changed the canned reply %(what)s"),
    "canned_reply.deleted": _l("%(who)s deleted the canned reply %(what)s"),
    "case.added": _l("%(who)s added a case to the assistant %(what)s"),
    "case.changed": _l("%(who)s changed a case of the assistant %(what)s"),
    "case.deleted": _l("%(who)s deleted a case of the assistant %(what)s"),
    "channel.settings_changed": _l("%(who)s changed the settings of the channel %(what)s"),
    "contact.exported": _l("%(who)s exported everything about a customer: %(what)s"),
    "contact.erased": _l("%(who)s erased the data of a customer: %(what)s"),
    "desk.changed": _l("%(who)s changed settings of the desk: %(what)s"),
    "desk.restored_unverified": _l("The backup of %(what)s was restored without a valid signature"),
    "desk.set_up": _l("%(who)s set the desk up"),
    "domain.given": _l("%(who)s let another workspace have mail of %(what)s"),
    "domain.key_made": _l("%(who)s made a key to sign mails of %(what)s"),
    "domain.released": _l("%(who)s gave the domain %(what)s free"),
    "endpoint.added": _l("%(who)s has what happens told to %(what)s"),
    "endpoint.changed": _l("%(who)s changed what is told to %(what)s"),
    "endpoint.deleted": _l("%(who)s tells %(what)s nothing any more"),
    "endpoint.paused": _l("%(who)s paused what is told to %(what)s"),
    "endpoint.replayed": _l("%(who)s had events sent to %(what)s again"),
    "endpoint.resumed": _l("%(who)s went on telling %(what)s what happens"),
    "endpoint.rotated": _l("%(who)s made a new secret for %(what)s"),
    "endpoint.tested": _l("%(who)s sent a test to %(what)s"),
    "event.replayed": _l("%(who)s had a received event applied again: %(what)s"),
    "events.replayed": _l("%(who)s had received events applied again: %(what)s"),
    "hours.changed": _l("%(who)s changed the business hours of %(what)s"),
    "identity.joined": _l("%(what)s joined their account with %(as)s at the sign-in provider"),
    "identity.parted": _l("%(what)s parted from %(name)s at the sign-in provider"),
    "invitation.ended": _l("The invitation for %(what)s ended with the place of %(of)s"),
    "invitation.sent_again": _l("%(who)s sent the invitation for %(what)s again"),
    "invitation.withdrawn": _l("%(who)s withdrew the invitation for %(what)s"),
    "knowledge.added": _l("%(who)s gave the assistant %(of)s something to know: %(what)s"),
    "knowledge.changed": _l("%(who)s changed what the assistant %(of)s knows: %(what)s"),
    "past_answer.brought_back": _l("%(who)s has a past answer offered to the assistant %(what)s again"),
    "past_answer.dismissed": _l("%(who)s has a past answer not offered to the assistant %(what)s any more"),
    "knowledge.checked": _l("%(who)s saw that it still holds what the assistant %(of)s knows: %(what)s"),
    "knowledge.deleted": _l("%(who)s deleted what the assistant %(of)s knew: %(what)s"),
    "label.added": _l("%(who)s added the label %(what)s"),
    "label.changed": _l("%(who)s changed the label %(what)s"),
    "label.deleted": _l("%(who)s deleted the label %(what)s"),
    "label.merged": _l("%(who)s merged the label %(what)s into %(into)s"),
    "language_model.added": _l("%(who)s added the language model %(what)s at %(host)s"),
    "language_model.changed": _l("%(who)s changed the language model %(what)s at %(host)s"),
    "language_model.deleted": _l("%(who)s deleted the language model %(what)s"),
    "macro.added": _l("%(who)s added the shared macro %(what)s"),
    "macro.changed": _l("%(who)s changed the shared macro %(what)s"),
    "macro.deleted": _l("%(who)s deleted the shared macro %(what)s"),
    "member.access_changed": _l("%(who)s changed what %(what)s may see: %(accounts)s"),
    "member.invited": _l("%(who)s invited %(what)s as %(role)s"),
    "member.joined": _l("%(what)s joined as %(role)s"),
    "member.removed": _l("%(who)s took %(what)s out of the workspace"),
    "member.role_changed": _l("%(who)s made %(what)s %(role)s"),
    "password.changed": _l("%(who)s chose a new password"),
    "password.link_made": _l("%(who)s made a link for %(what)s to choose a password"),
    "password.new_wanted": _l("%(who)s asked %(what)s to choose a new password"),
    "password.set": _l("%(who)s set the password of %(what)s"),
    "rule.added": _l("%(who)s added the rule %(what)s: %(state)s"),
    "rule.changed": _l("%(who)s changed the rule %(what)s: version %(version)s"),
    "rule.deleted": _l("%(who)s deleted the rule %(what)s"),
    "rule.moved": _l("%(who)s moved the rule %(what)s to place %(place)s"),
    "rule.state": _l("%(who)s put the rule %(what)s into another state: %(state)s"),
    "second_factor.app_added": _l("%(who)s set up an app with codes"),
    "second_factor.app_removed": _l("%(who)s removed their app with codes"),
    "second_factor.code_used": _l("%(who)s used a recovery code; left: %(left)s"),
    "second_factor.codes_made": _l("%(who)s made new recovery codes"),
    "second_factor.passkey_added": _l("%(who)s added the passkey %(name)s"),
    "second_factor.passkey_removed": _l("%(who)s removed the passkey %(name)s"),
    "second_factor.reset": _l("%(who)s took the second factor of %(what)s away"),
    "session.all_ended": _l("%(who)s signed %(what)s out everywhere"),
    "session.confirmed": _l("%(who)s confirmed that it is them"),
    "session.ended": _l("%(who)s signed out"),
    "session.failed": _l("Wrong passwords for %(what)s: %(times)s"),
    "session.not_confirmed": _l("Wrong passwords or codes of %(what)s, who was signed in: %(times)s"),
    "session.others_ended": _l("%(who)s signed out all other browsers of theirs"),
    "session.revoked": _l("%(who)s signed another browser of theirs out"),
    "session.second_failed": _l("Wrong codes for %(what)s, whose password was right: %(times)s"),
    "session.started": _l("%(who)s signed in"),
    "sign_in.provider_changed": _l("%(who)s changed the sign-in provider: %(what)s"),
    "sign_in.second_factor_wanted": _l("%(who)s changed who has to have a second factor: %(what)s"),
    "team.added": _l("%(who)s added the team %(what)s"),
    "team.changed": _l("%(who)s changed the team %(what)s"),
    "team.deleted": _l("%(who)s deleted the team %(what)s"),
    "user.added": _l("%(who)s added %(what)s"),
    "user.came": _l("%(what)s got an account through %(by)s"),
    "user.deleted": _l("%(what)s deleted their account"),
    "user.disabled": _l("%(who)s locked %(what)s out"),
    "user.enabled": _l("%(who)s let %(what)s in again"),
    "user.made_admin": _l("%(who)s made %(what)s an admin of the desk"),
    "user.no_longer_admin": _l("%(who)s took the rights of an admin from %(what)s"),
    "view.added": _l("%(who)s saved the shared view %(what)s"),
    "view.changed": _l("%(who)s changed the shared view %(what)s"),
    "view.deleted": _l("%(who)s deleted the shared view %(what)s"),
    "webhook.refused": _l("Lobby refused webhooks of %(what)s"),
    "workspace.archived": _l("%(who)s archived the workspace %(what)s"),
    "workspace.changed": _l("%(who)s changed the settings of the workspace %(what)s"),
    "workspace.created": _l("%(who)s made the workspace %(what)s"),
    "workspace.deleted": _l("%(who)s deleted the workspace %(what)s"),
    "workspace.deletion_asked": _l("%(who)s asked for the workspace %(what)s to be deleted"),
    "workspace.deletion_taken_back": _l("%(who)s took back that the workspace %(what)s is deleted"),
    "workspace.messages_erased": _l("Messages of %(what)s were kept long enough and erased: %(messages)s"),
    "workspace.removed": _l("The last rows of the deleted workspace %(what)s are gone"),
    "workspace.renamed": _l("%(who)s named the workspace %(what)s"),
    "workspace.restored": _l("%(who)s brought the workspace %(what)s back"),
    "workspace.retention_changed": _l("%(who)s changed how long messages of %(what)s are kept: %(days)s"),
}
"""The sentence of each action. ``%(who)s`` did it to ``%(what)s``; other names are details of the line."""

_OTHER = _l("%(who)s changed %(what)s")

WORDS: Mapping[str, Mapping[str, LazyString]] = {
    "mode": {
        Mode.OFF: _l("Off"),
        Mode.SHADOW: _l("Shadow"),
        Mode.SUGGEST: _l("Suggest"),
        Mode.ANSWER: _l("Answer"),
    },
    "state": {
        RuleState.DRAFT: _l("Draft"),
        RuleState.SHADOW: _l("Shadow"),
        RuleState.LIVE: _l("Live"),
        RuleState.OFF: _l("Off"),
    },
    "role": {role.value: name for role, name in ROLE_NAMES.items()},
}
"""Details whose values are shown in words; a value that is not here is shown as it was stored."""
WHO_NEEDS_TWO: Mapping[str, LazyString] = {
    Wanted.NOBODY: _l("nobody"),
    Wanted.ADMINS: _l("admins of the desk"),
    Wanted.EVERYBODY: _l("everybody"),
}
"""Who has to have a second factor: the subject of a line."""


def sentence(row: AuditRow) -> Markup:
    """Return what *row* says, names in bold."""
    words = str(SENTENCES.get(row.action, _OTHER))
    return Markup(escape(words)) % _Values(row)  # noqa: S704 - escaped


class _Values(dict[str, Markup]):
    """The values of a sentence; one that the line does not have is a dash."""

    def __init__(self, row: AuditRow) -> None:
        super().__init__(
            {name: _bold(WORDS.get(name, {}).get(str(value), value)) for name, value in row.details.items()}
        )
        self["who"] = _bold(row.person or _("Lobby"))
        self["what"] = _bold(_subject(row))

    def __missing__(self, name: str) -> Markup:
        return Markup("–")


def _subject(row: AuditRow) -> LazyString | str:
    if row.action == "sign_in.second_factor_wanted":
        return WHO_NEEDS_TWO.get(row.subject, row.subject)
    return _("an unknown address") if row.subject == NOBODY else row.subject or "–"


def _bold(value: Any) -> Markup:
    return Markup('<b translate="no">{}</b>').format(value)


def icon_of(row: AuditRow) -> str:
    """Return the icon of a line that no person stands for."""
    if row.action in {"session.failed", "session.not_confirmed", "session.second_failed"}:
        return "lock"
    return (
        "alert"
        if row.action
        in {"webhook.refused", "addon.activation_failed", "addon.process_replaced", "addon.quarantined"}
        else "gear"
    )
