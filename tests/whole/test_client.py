"""The calls of docs/api.md, line by line: a real desk, the client, and what arrives at the provider."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from lobby_client import Lobby, errors
from lobby_client.types import Message

from demo.processes import CHECKOUT
from tests.whole.guided import ADDRESS, GuidedDesk, guided_desk
from tests.whole.rig import until
from tests.whole.shops import POTTERY

GUIDE = (CHECKOUT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
CALLS = [block for block in BLOCKS if "client." in block and "import" not in block and "next(" not in block]


def snake_case(block: str) -> str:
    """Return a block with the names in its contents in snake_case."""

    def named(found: re.Match[str]) -> str:
        return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", found[0])

    return re.sub(r'"[a-z]+[A-Z]\w*":', named, block)


class ByHand:
    """Stands in for the client of a block, and sends the same as plain JSON, without the client."""

    def __init__(self, url: str, key: str) -> None:
        self.messages = self.instagram = self
        self._url = f"{url}/api/v1"
        self._headers = {"Authorization": f"Bearer {key}"}

    def send(self, *, channel_id: str, to: str, content: Any) -> None:
        body = {"channelId": channel_id, "to": to, "content": content}
        got = requests.post(f"{self._url}/messages", json=body, headers=self._headers, timeout=60)
        assert got.status_code == 201, got.text

    def set_ice_breakers(self, *, channel_id: str, ice_breakers: Any) -> None:
        url = f"{self._url}/accounts/{channel_id}/ice-breakers"
        body = {"locales": {"default": ice_breakers}}
        got = requests.put(url, json=body, headers=self._headers, timeout=60)
        assert got.status_code == 200, got.text


pytestmark = pytest.mark.slow  # the quick ones are clients/python/tests and tests/api


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Shop]:
    """A desk with a customer who wrote, and a server with the files the blocks name."""
    with (
        guided_desk(tmp_path_factory.mktemp("client"), addon_zip) as desk,
        Lobby(api_key=desk.key, base_url=desk.rig.url) as client,
    ):
        yield Shop(desk.rig, desk.key, desk.files, client)


@dataclass
class Shop(GuidedDesk):
    client: Lobby

    def run(self, block: str, client: object) -> None:
        """Run a block of the guide; example.com is the server with the files."""
        names: dict[str, Any] = {"client": self.client}
        (begin,) = [one for one in BLOCKS if "next(" in one]
        exec(begin, names)
        names["client"] = client
        exec(block.replace(ADDRESS, self.files), names)


def test_the_guide_begins_as_a_program_does(shop: Shop) -> None:
    (begin,) = [block for block in BLOCKS if "import" in block]
    names: dict[str, Any] = {}
    exec(begin.replace("lobby_...", shop.key).replace("https://desk.example.com", shop.rig.url), names)
    with names["client"] as client:
        assert [one.contact.external_id for one in client.conversations.list()] == [POTTERY.customer]


WAYS: dict[str, Callable[[Shop, str], None]] = {
    "as it stands": lambda shop, block: shop.run(block, shop.client),
    "in snake_case": lambda shop, block: shop.run(snake_case(block), shop.client),
    "without the client": lambda shop, block: shop.run(block, ByHand(shop.rig.url, shop.key)),
    "without it, in snake_case": lambda shop, block: shop.run(
        snake_case(block), ByHand(shop.rig.url, shop.key)
    ),
}
ARRIVES = [
    ["text"],
    ["text"],
    ["image", "video", "audio", "file"],
    ["like_heart"],
    ["generic template"],
]


@pytest.mark.parametrize(
    "way",
    [
        "as it stands",
        pytest.param("in snake_case", marks=pytest.mark.slow),
        pytest.param("without the client", marks=pytest.mark.slow),
        "without it, in snake_case",
    ],
)
def test_every_call_of_the_guide_reaches_the_customer(shop: Shop, way: str) -> None:
    assert len(CALLS) == len(ARRIVES) + 1
    for block, kinds in zip(CALLS, ARRIVES, strict=False):
        before = len(shop.sent())
        WAYS[way](shop, block)
        until(lambda: len(shop.sent()) >= before + len(kinds), f"the arrival of {kinds}")  # noqa: B023
        assert [one["what"] for one in shop.sent()[before:]] == kinds
    WAYS[way](shop, CALLS[-1])
    account = shop.client.accounts.list()[0]
    asked = shop.client.accounts.ice_breakers(account.id).locales["default"]
    assert [one.payload for one in asked] == ["GET_PRODUCTS", "TRACK_ORDER"]
    until(lambda: all(one.state in {"sent", "read"} for one in newest(shop, 8)), "all being sent")
    cards, *_others, asked_for, text = newest(shop, 8)
    assert text.text == "Thanks for reaching out! How can I help you today?"
    assert [one["payload"] for one in asked_for.content["quickReplies"]] == ["BROWSE_NEW", "TRACK_ORDER"]
    (card,) = cards.content["template"]["elements"]
    assert card["imageUrl"] == f"{shop.files}/summer.jpg"
    assert [one.get("url") or one["payload"] for one in card["buttons"]] == [
        f"{shop.files}/summer-collection",
        "SUMMER_INFO",
    ]
    shop.client.accounts.delete_ice_breakers(account.channel_id)


def newest(shop: Shop, count: int) -> list[Message]:
    conversation = next(shop.client.conversations.list())
    return list(itertools.islice(shop.client.messages.list(conversation.id), count))


def test_more_than_four_ice_breakers_are_refused(shop: Shop) -> None:
    channel = shop.client.accounts.list()[0].channel_id
    questions = [{"question": f"Question {number}", "payload": str(number)} for number in range(5)]
    with pytest.raises(errors.UnprocessableError) as caught:
        shop.client.instagram.set_ice_breakers(channel_id=channel, ice_breakers=questions)
    assert (caught.value.code, caught.value.limit) == ("invalid_ice_breakers", 4)


def test_a_customer_who_never_wrote_is_a_clear_error(shop: Shop) -> None:
    channel = shop.client.accounts.list()[0].channel_id
    with pytest.raises(errors.NotWrittenFirstError, match="has not written"):
        shop.client.messages.send(channel_id=channel, to="1026999", content={"type": "text", "text": "Hi"})
