"""Values of the settings an addon declares in its manifest.

:func:`get` returns the operator's, from the environment. :func:`workspace` and :func:`desk` return what
owners and admins filled in on the forms of ``[settings.workspace.<name>]`` and ``[settings.desk.<name>]``.
"""

from __future__ import annotations

from collections.abc import Mapping

from host.sdk._forms import values as _form_values
from host.sdk.errors import SdkError
from host.sdk.secrets import Secret

__all__ = ["desk", "get", "provide", "public_url", "workspace"]

_values: dict[str, Mapping[str, str]] = {}


def get(slug: str, name: str) -> str:
    """Return ``LOBBY_ADDON_<SLUG>_<NAME>``, or the default in the manifest.

    :raises SdkError: if the manifest does not declare *name*.
    """
    try:
        return _values[slug][name]
    except KeyError:
        raise SdkError(f"addon {slug!r} declares no setting {name!r}") from None


def provide(slug: str, values: Mapping[str, str]) -> None:
    """Set the values of *slug*; called by the host when a generation is built, and by tests."""
    _values[slug] = dict(values)


def public_url() -> str:
    """Return the public address of the desk, without a trailing slash."""
    return get("", "public_url")


def workspace(slug: str, workspace_id: int) -> Mapping[str, str | int | float | bool | Secret]:
    """Return what the owners of a workspace filled in, with the defaults of the manifest; no absent values.

    Kept in memory until any of them changes: this process notices immediately, others within 0.2 seconds. On
    the event loop it never blocks, as :meth:`host.sdk.db.Snapshot.get`.

    :raises SettingsMissingError: if required ones are not filled in. Its ``names`` has them.
    :raises SecretUnreadableError: if a secret cannot be decrypted.
    :raises SdkError: if the manifest declares no ``[settings.workspace.<name>]``.
    """
    if workspace_id <= 0:
        raise SdkError(f"{workspace_id} is not the id of a workspace")
    return _form_values.of(slug, workspace_id)


def desk(slug: str) -> Mapping[str, str | int | float | bool | Secret]:
    """Return what an admin filled in for the whole server, as :func:`workspace` does for a workspace.

    :raises SettingsMissingError: if required ones are not filled in.
    :raises SecretUnreadableError: if a secret cannot be decrypted.
    :raises SdkError: if the manifest declares no ``[settings.desk.<name>]``.
    """
    return _form_values.of(slug, _form_values.DESK)
