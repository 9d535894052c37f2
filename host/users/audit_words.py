"""The sentences of the audit log about people, workspaces and the desk."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.users.roles import ROLE_NAMES

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

WORDS: Mapping[str, Mapping[str, LazyString]] = {
    "role": {role.value: name for role, name in ROLE_NAMES.items()},
}
