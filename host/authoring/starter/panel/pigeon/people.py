"""People at Pigeon, found by their email address."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from host.sdk import settings
from host.sdk.errors import SettingsMissingError
from host.sdk.http import FetchError
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret, SecretUnreadableError

from . import api


class UnavailableError(Exception):
    """Nothing can be shown now. The message is a sentence for the person who looks at the panel."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person at Pigeon."""

    id: str
    plan: str
    city: str


def find(workspace_id: int, email: str) -> Person | None:
    """Return the person with this address, or None if Pigeon does not know it.

    It uses the network: call it outside any transaction.

    :raises UnavailableError: if the key is missing or refused, or Pigeon cannot be reached.
    """
    try:
        found = api.call(_key(workspace_id), "GET", f"/people/{quote(email, safe='')}")
    except api.RefusedError as error:
        if error.status == 404:
            return None
        raise UnavailableError(_("Pigeon refuses the API key. Tell an owner.")) from error
    except FetchError as error:
        raise UnavailableError(_("Pigeon cannot be reached: %(why)s.", why=error.reason)) from error
    return Person(str(found.get("id", "")), str(found.get("plan", "")), str(found.get("city", "")))


def _key(workspace_id: int) -> Secret:
    try:
        key = settings.workspace("pigeon", workspace_id)["key"]
    except SettingsMissingError as error:
        raise UnavailableError(_("Ask an owner to enter the API key in the addon's settings.")) from error
    except SecretUnreadableError as error:
        raise UnavailableError(_("The API key cannot be read. Ask an owner to enter it again.")) from error
    assert isinstance(key, Secret)
    return key
