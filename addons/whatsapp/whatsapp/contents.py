"""Locations, contact cards, orders and advertisements of received messages, in the host's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.sdk.messages import MessageKind

from .values import identifier, items, mapping, number, text

Found = tuple[MessageKind, str, dict[str, Any]]
"""Kind, text and content of a message."""
MOST = 50
"""Most cards, or lines of an order, that are kept of one message."""


def location_of(found: Mapping[str, Any]) -> Found | None:
    """Return a location; None if it has no valid coordinates."""
    latitude, longitude = number(found.get("latitude")), number(found.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    place: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    for key in ("name", "address"):
        if words := text(found.get(key), 500):
            place[key] = words
    said = "\n".join(place[key] for key in ("name", "address") if key in place)
    return MessageKind.LOCATION, said, {"location": place}


def contacts_of(found: object) -> Found | None:
    """Return contact cards; None if there are none."""
    cards = []
    for one in list(items(found))[:MOST]:
        card: dict[str, Any] = {"name": text(mapping(one.get("name")).get("formatted_name"), 200)}
        phones = [text(each.get("phone") or each.get("wa_id"), 60) for each in items(one.get("phones"))]
        emails = [text(each.get("email"), 254) for each in items(one.get("emails"))]
        card |= {
            "phones": [each for each in phones if each][:10],
            "emails": [each for each in emails if each][:10],
        }
        if company := text(mapping(one.get("org")).get("company"), 200):
            card["company"] = company
        if card["name"] or card["phones"] or card["emails"]:
            cards.append(card)
    if not cards:
        return None
    said = "\n".join(", ".join(filter(None, (one["name"], *one["phones"], *one["emails"]))) for one in cards)
    return MessageKind.CONTACTS, said, {"contacts": cards}


def order_of(found: Mapping[str, Any]) -> Found | None:
    """Return an order of products of a catalogue; None if it has none."""
    lines = []
    for one in list(items(found.get("product_items")))[:MOST]:
        product, quantity = identifier(one.get("product_retailer_id")), number(one.get("quantity"))
        if not product:
            continue
        line: dict[str, Any] = {"product": product, "quantity": int(quantity or 1)}
        price, currency = number(one.get("item_price")), text(one.get("currency"), 3)
        if price is not None and currency:
            line |= {"price": f"{price:.2f}", "currency": currency}
        lines.append(line)
    if not lines:
        return None
    return MessageKind.ORDER, text(found.get("text"), 4096), {"order": {"items": lines}}


def referral_of(found: object) -> dict[str, Any]:
    """Return the advertisement or post that a customer came from, as ``content`` has it; empty: none."""
    told = mapping(found)
    kept = {
        "source": "ADS" if told.get("source_type") == "ad" else text(told.get("source_type"), 40).upper(),
        "ad_id": identifier(told.get("source_id")),
        "ref": identifier(told.get("ctwa_clid")),
        "title": text(told.get("headline"), 300),
        "url": text(told.get("source_url"), 1000),
    }
    kept = {key: value for key, value in kept.items() if value}
    return {"referral": kept} if kept else {}
