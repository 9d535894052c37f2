"""Products of the shop: name, price and picture, where the token may read the catalogue.

A message, the customer's or ours, names a product by its id. Its name, price and picture come with its
picture file, which is looked up after the message is shown. The permission is ``catalog_management``, which a
token may have but connecting does not request. Meta's page: docs/marketing-api/reference/product-item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from host.sdk.channel import Located
from host.sdk.errors import FetchError, FileEndedError
from host.sdk.messages import InboundAttachment, MessageKind

from ..accounts import Credentials
from ..config import Flavour, graph_url
from ..errors import Outcome, classify
from ..graph import GraphError
from ..values import clean, identifier, mapping, text

MOST = 10
_FIELDS = "name,price,image_url"


class _Product(msgspec.Struct, frozen=True):
    name: str | None = None
    price: str | None = None
    image_url: str | None = None


def ids(content: Mapping[str, Any]) -> list[str]:
    """Return the ids of the products in *content*: from the message's origin, a template, or our message."""
    found = [identifier(one.get("id")) for one in _named(content)]
    found += map(identifier, content.get("products") or ())
    return [one for one in dict.fromkeys(found) if one.isascii() and one.isdigit()][:MOST]


def shown(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the details of each product of :func:`ids`, with the keys that webhooks use."""
    wanted = ids(content)
    found: dict[str, dict[str, str]] = {}
    for one in _named(content):
        told = {"id": identifier(one.get("id")), "name": text(one.get("title") or one.get("name"))}
        told |= {"price": text(one.get("price")), "imageUrl": text(one.get("image_url"))}
        told |= {"productUrl": text(one.get("url") or one.get("product_url"))}
        if told["id"] in wanted:
            found.setdefault(told["id"], {}).update((name, value) for name, value in told.items() if value)
    return list(found.values())


def _named(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield mapping(mapping(content.get("referral")).get("product"))
    for one in content.get("shared") or ():
        yield from _elements(mapping(one).get("payload"))


def _elements(payload: object) -> Iterator[Mapping[str, Any]]:
    product = mapping(mapping(payload).get("product"))
    elements = product.get("elements")
    yield from map(mapping, elements if isinstance(elements, list) else ())


def files(content: Mapping[str, Any]) -> tuple[InboundAttachment, ...]:
    """Return a file to look up for each product of a message."""
    return tuple(InboundAttachment(MessageKind.TEMPLATE, f"{_start()}{one}") for one in ids(content))


def is_one(url: str) -> bool:
    """Return whether *url* is one of :func:`files`."""
    return url.startswith(_start()) and url.removeprefix(_start()).isdigit()


def _start() -> str:
    return f"{graph_url(Flavour.PAGE)}/"


def locate(found: Credentials | None, url: str) -> Located:
    """Return the address of a product's picture, with the product's name and price as its name.

    :raises FetchError: if Meta cannot be reached now; ``FileEndedError`` if Meta has no picture.
    """
    if found is None:
        raise FetchError("the account's credentials cannot be read")
    try:
        answer = found.graph().call("GET", url.removeprefix(_start()), _Product, params={"fields": _FIELDS})
    except GraphError as error:
        if classify(error).outcome is Outcome.WAIT:
            raise FetchError(error.quote) from None
        raise FileEndedError(error.quote) from None
    told = (clean(one).strip() for one in (answer.name, answer.price) if one)
    return Located(answer.image_url or "", ", ".join(filter(None, told)))
