"""The operator's values of the settings an addon declares in its manifest."""

from __future__ import annotations

from collections.abc import Mapping

from host.sdk.errors import SdkError

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
