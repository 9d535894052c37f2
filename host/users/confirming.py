"""The table of routes that ask people to confirm their identity, and the methods available to each person.

``tests/users/test_confirmed_routes.py`` fails for a route with side effects that is neither here nor in the
test's list of exempt routes.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy.orm import Session

from host.core import secrets
from host.core.config import Config
from host.users.sessions import CurrentUser
from host.users.signin import factors, identities, settings

ALWAYS = ""
"""Asks regardless of the form's values, unless the person confirmed recently."""
EACH_TIME = "in a form of its own, each time"

TABLE: Mapping[str, str] = {
    # The person's own account
    "accounts.add_passkey": ALWAYS,
    "accounts.change_password": EACH_TIME,
    "accounts.delete_account": EACH_TIME,
    "accounts.make_codes": ALWAYS,
    "accounts.new_passkey_options": ALWAYS,
    "accounts.new_password": EACH_TIME,
    "accounts.part_from_provider": ALWAYS,
    "accounts.remove_app": ALWAYS,
    "accounts.remove_passkey": ALWAYS,
    "accounts.set_up_app": ALWAYS,
    # The desk
    "accounts.add_person": "with a form that can be used",
    "accounts.desk_address": ALWAYS,
    "accounts.desk_data": ALWAYS,
    "accounts.desk_mail": ALWAYS,
    "accounts.desk_rules": ALWAYS,
    "accounts.disable_person": "if nothing keeps them here",
    "accounts.enable_person": ALWAYS,
    "accounts.force_new_password": ALWAYS,
    "accounts.make_password_link": ALWAYS,
    "accounts.many_people": "with people that are selected",
    "accounts.reset_second_factor": ALWAYS,
    "accounts.save_provider": ALWAYS,
    "accounts.save_second_factor": ALWAYS,
    "accounts.set_person_admin": ALWAYS,
    "accounts.sign_person_out": ALWAYS,
    "accounts.workspaces": "with a form that can be used",
    "addons.activate": ALWAYS,
    "addons.deactivate": ALWAYS,
    "addons.export": ALWAYS,
    "addons.install": ALWAYS,
    "addons.install_shipped": ALWAYS,
    "addons.remove": ALWAYS,
    "addons.roll_back": ALWAYS,
    "addons.save_desk_form": "in the form itself: it may hold a secret",
    "addons.switch_feature": ALWAYS,
    "addons.upload": ALWAYS,
    "start.install": ALWAYS,
    # A workspace
    "accounts.archive": ALWAYS,
    "accounts.delete_workspace": EACH_TIME,
    "accounts.invite_again": "an owner",
    "accounts.invite_person": "an owner",
    "accounts.keep_for": "a shorter time than before",
    "accounts.remove_member": ALWAYS,
    "accounts.set_member_role": "giving or taking the role of owner, and handing on keys that write",
    "addons.save_workspace_form": "in the form itself: it may hold a secret",
    "api_keys.create": "a key that writes",
    "api_keys.take_over": ALWAYS,
    "assistant_tools.add": "in the form itself: it holds a secret",
    "assistant_tools.change": "in the form itself: it holds a secret",
    "channels.disconnect": ALWAYS,
    "channels.edit": "credentials",
    "channels.files": "a shorter time than before",
    "channels.new": "an account that moves here from another workspace",
    "channels.workspace_settings": "with a form that can be used",
    "inbox.erase_now": ALWAYS,
    "integrations.edit": "another address",
    "integrations.new": ALWAYS,
    "integrations.rotate": ALWAYS,
    "models.add": "in the form itself: it holds a key",
    "models.change": "in the form itself: it holds a key",
    "sequences.replace_secret": ALWAYS,
    "sign_in.choose": "an account that moves here from another workspace",
}


class Ways(msgspec.Struct, frozen=True):
    """The ways in which a person can confirm their identity besides a password.

    :param provider: the name of the provider they sign in through; empty if they do not.
    :param provider_can: whether it can report when they signed in there; otherwise it confirms nothing.
    :param proof: proves to the provider's pages that the request is from this person.
    """

    has: factors.Factors
    provider: str
    provider_can: bool
    proof: str

    @property
    def any(self) -> bool:
        """Whether there is any other way."""
        return self.provider_can or self.has.any


def ways_of(session: Session, person: CurrentUser, configuration: Config) -> Ways:
    """Return the ways in which *person* can confirm their identity."""
    how = settings.read(session, configuration)
    joined = how.provider is not None and bool(identities.of(session, person.id))
    return Ways(
        has=factors.of(session, person.id),
        provider=how.provider_label if joined else "",
        provider_can=joined and how.tells_when,
        proof=secrets.keyring().sign("to the provider", person.session_id) if joined else "",
    )
