"""What the toy would ask a workspace's shop, with the settings its owners filled in."""

from __future__ import annotations

from host.sdk import settings
from host.sdk.cards import Problems, SettingsCheck
from host.sdk.errors import SettingsMissingError
from host.sdk.i18n import gettext
from host.sdk.secrets import Secret


def order_address(workspace_id: int, number: str) -> str:
    """Return the address of an order, or what is left to do."""
    try:
        shop = settings.workspace("toy", workspace_id)
    except SettingsMissingError:
        return gettext("Ask an owner to fill in Settings → Settings of addons → Toy channel.")
    return f"{shop['shop_url']}/{shop['region']}/orders/{number}"


def credentials(workspace_id: int) -> dict[str, str]:
    """Return the header that the shop asks for; none without a key."""
    key = settings.workspace("toy", workspace_id).get("api_key")
    return {"Authorization": f"Bearer {key.reveal()}"} if isinstance(key, Secret) else {}


def check(workspace_id: int) -> str | Problems:
    """Return what the settings are good for, or which of them is wrong, and what to do."""
    header = credentials(workspace_id)
    if header and not header["Authorization"].startswith("Bearer sk-"):
        return Problems(
            {"api_key": gettext("This is no API key of the toy: it begins with sk-. Copy it again.")}
        )
    return gettext("The shop can be asked.") if header else gettext("The shop only tells what is public.")


CHECK = SettingsCheck(check, seconds=2)
