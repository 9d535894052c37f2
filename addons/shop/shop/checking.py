"""Whether the shop answers at the address, is a WooCommerce shop and takes the key: one small question."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from host.sdk.cards import Problems, SettingsCheck
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.http import Response
from host.sdk.i18n import gettext as _

from .shops import Shop, shop_of, webhook_secret_of
from .woocommerce import API, ask, client_of

_NOT_A_SHOP = frozenset({"rest_no_route", "rest_disabled"})


def check(workspace_id: int) -> str | Problems:
    """Return that orders can be read, or what to change."""
    shop = shop_of(workspace_id)
    if swapped := _swapped(shop):
        return Problems(swapped)
    if not client_of(shop).allows(shop.url):
        return Problems({"url": _not_allowed(shop)})
    try:
        answer = ask(shop, "/orders", {"per_page": "1", "_fields": "id"})
    except FetchError as error:
        return Problems({"url": _unreachable(shop, error)})
    found = _json(answer)
    if answer.status == 200 and isinstance(found, list):
        if webhook_secret_of(workspace_id):
            return str(_("The shop answered, and Lobby can read its orders."))
        return str(
            _(
                "The shop answered, and Lobby can read its orders. Without a webhook secret, rules can't "
                "check for open orders."
            )
        )
    code = str(found.get("code", "")) if isinstance(found, Mapping) else ""
    words = str(found.get("message", "")) if isinstance(found, Mapping) else ""
    return Problems(_refused(shop, answer, code, words.lower()))


def _swapped(shop: Shop) -> dict[str, str]:
    problems = {}
    if shop.key.startswith("cs_"):
        problems["key"] = _("This is the consumer secret. Enter the consumer key, which begins with ck_.")
    elif not shop.key.startswith("ck_"):
        problems["key"] = _("This is no consumer key, which begins with ck_. Copy it again from WooCommerce.")
    if shop.secret.startswith("ck_"):
        problems["secret"] = _("This is the consumer key. Enter the consumer secret, which begins with cs_.")
    elif not shop.secret.startswith("cs_"):
        problems["secret"] = _(
            "This is no consumer secret, which begins with cs_. Copy it again from WooCommerce."
        )
    return problems


def _not_allowed(shop: Shop) -> str:
    if urlsplit(shop.url).scheme != "https":
        return str(_("Enter the address with https://. Lobby sends the key over encrypted connections only."))
    return str(_("Enter the shop's public name, without a port, such as https://shop.example.com."))


def _unreachable(shop: Shop, error: FetchError) -> str:
    host = urlsplit(shop.url).hostname or ""
    if isinstance(error, ForbiddenAddressError):
        return str(
            _(
                "%(host)s is a private address, which Lobby may not reach. Enter the shop's public address.",
                host=host,
            )
        )
    if "name server" in error.reason:
        return str(_("There is no server named %(host)s. Check the address for typing errors.", host=host))
    if "in time" in error.reason:
        return str(
            _(
                "%(host)s did not answer in time. Open the shop in a browser: if it works there, try again "
                "later.",
                host=host,
            )
        )
    if "secure connection" in error.reason:
        return str(
            _(
                "%(host)s has no valid certificate, so there is no secure connection. Have the shop's "
                "hosting renew it.",
                host=host,
            )
        )
    return str(
        _(
            "%(host)s could not be reached. Check the address, and that the shop can be opened in a browser.",
            host=host,
        )
    )


def _refused(shop: Shop, answer: Response, code: str, words: str) -> dict[str, str]:
    """Return the problem that an answer shows, by setting.

    :param code: WordPress's, if it answered; *words* in lower case.
    """
    if answer.status in {301, 302, 303, 307, 308}:
        return {"url": _moved(shop, answer)}
    if code in _NOT_A_SHOP:
        return {
            "url": _("This is a WordPress site, but it has no WooCommerce. Check that it is active there.")
        }
    if answer.status in {401, 403} and code.startswith("woocommerce_"):
        return _key_refused(answer.status, code, words)
    if answer.status in {401, 403}:
        return {
            "url": _(
                "The site refused the request (%(status)s) before WooCommerce saw it. Allow %(path)s in its "
                "firewall, security plugin or password protection.",
                status=answer.status,
                path=API,
            )
        }
    if answer.status == 429 or answer.status >= 500:
        return {
            "url": _(
                "The shop answered with the error %(status)s. Try again later, or look into its log.",
                status=answer.status,
            )
        }
    return {
        "url": _(
            "No WooCommerce shop answers at this address. Enter the address of its home page, without "
            "/shop or /wp-admin. In WordPress, Settings > Permalinks must not be Plain."
        )
    }


def _key_refused(status: int, code: str, words: str) -> dict[str, str]:
    """Return which part of the key is wrong, as far as the code and the words in the shop's language tell."""
    if status == 403:
        return {"key": _("The user of this key may not see orders. Create the key for a shop manager.")}
    if code == "woocommerce_rest_cannot_view" or "consumer key" in words:
        return {
            "key": _(
                "The shop doesn't know this key. Copy it again, or create one with the permission Read. If "
                "it is right, the shop's web server drops the header Authorization: ask its hosting."
            )
        }
    if "permission" in words:
        return {"key": _("This key may not read. Create one with the permission Read.")}
    return {
        "secret": _(
            "The shop knows the key, but not with this secret. Copy the secret again, or create a new key "
            "with the permission Read."
        )
    }


def _moved(shop: Shop, answer: Response) -> str:
    try:
        to = urlsplit(urljoin(shop.url, answer.headers.get("location", "")))
        place = f"{to.scheme}://{to.netloc}" if to.hostname and "@" not in to.netloc else ""
    except ValueError:
        place = ""
    here = urlsplit(shop.url)
    if place and place != f"{here.scheme}://{here.netloc}":
        return str(_("This address leads to %(address)s. Enter that one.", address=place[:200]))
    return str(_("This address leads to another page. Enter the one that the browser shows for the shop."))


def _json(answer: Response) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


CHECK = SettingsCheck(check, seconds=9.0)
