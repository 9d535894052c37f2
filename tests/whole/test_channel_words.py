"""The words of the pages: a desk speaks only of what its channels can do.

A desk whose only connected channel is the toy shows no word of another provider's products, on any page of
the table of ``test_isolation``, in both languages. A desk with Instagram offers all of them.
"""

from __future__ import annotations

import hmac
import json
import re
import sqlite3
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests
from babel.support import Translations

from demo.processes import CHECKOUT
from host.addons.package.build import build_release
from tests.whole.rig import running, until
from tests.whole.shops import ADMIN, POTTERY_AGENT, POTTERY_OWNER, prepare
from tests.whole.test_isolation import PLACE, TABLE, Scene, endpoint, kept, staged, turn

TOY = Path(__file__).resolve().parent.parent / "toy"
SECRET = "a secret of the toy"
WHO = {"anonymous": "", "agent": POTTERY_AGENT, "owner": POTTERY_OWNER, "admin": ADMIN}

FOREIGN = {
    "en": re.compile(
        r"\b(stor(?:y|ies)|reels?|ice.?breakers?|comment(?:s|ed|ing)?|instagram|facebook|messenger|meta"
        r"|dms?|direct messages?|hearts?|ads?|advert\w*|broadcasts?|handover protocol"
        r"|(?-i:[Pp]osts?)|captions?|catalogs?|products?|followers?|hashtags?|quick repl(?:y|ies)"
        r"|menu items?)\b",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"\b(stor(?:y|ys|ies)|reels?|ice.?breakern?s?|gesprächseinstiegs?e?n?|kommentar\w*|kommentier\w*"
        r"|instagram|facebook|messenger|meta|dms?|direktnachricht\w*|herz(?:en|es)?|ads?|werbeanzeigen?|(?-i:Anzeigen?)"
        r"|livestream\w*|live-video\w*|beitr(?:ag|äge)\w*|bildunterschrift\w*|katalog\w*|produkt(?:en?|s)?|follower\w*"
        r"|hashtag\w*|schnellantwort\w*|menüpunkte?n?)\b",
        re.IGNORECASE,
    ),
}
"""Words of products of providers that a toy does not have."""

ALLOWED = {
    # A group of emoji in the picker.
    "Faces and hearts": "an emoji is no product of a provider",
    "Gesichter und Herzen": "an emoji is no product of a provider",
    # Other words by which the action "add a note" is found.
    "comment, internal": "a note is a comment in many other desks",
    "Kommentar, intern": "a note is a comment in many other desks",
    "Read also posts, labels": "a scope of the API, which grants it on every desk",
    "Lesen auch von Beiträgen, Labels": "a scope of the API, which grants it on every desk",
    " label post has ": "the operators of the search, for its script",
    "Zeit bis zur Anzeige": "how long a message takes until it is shown",
}
"""Texts in which such a word means something else, and why."""
OF_ADDONS = re.compile("/admin/addons|/settings/channels$")
"""Pages that list addons to activate, each in its own words."""
NOT_HERE = {
    "/api/docs": "the API is the same on every desk, with the words of every channel",
    "/emoji/de": "names of emoji, such as the hearts",
}
"""Pages without a claim about this desk's channels, and why."""
MORE = (
    "/w/<int:workspace_id>/settings/rules?show=campaigns",
    "/w/<int:workspace_id>/settings/rules/new?from=vip",
    "/w/<int:workspace_id>/sequences/<int:sequence_id>?part=starts",
    "/w/<int:workspace_id>/sequences/<int:sequence_id>?new=people",
    "/w/<int:workspace_id>/sequences?new=1",
)
"""Parts of pages that an address opens."""
SPOKEN = {"title", "alt", "aria-label", "aria-description", "placeholder", "label", "content", "value"}
SILENT = {"script", "style"}
READ = ("text/html", "application/json")


class Words(HTMLParser):
    """Collects the texts of a page that people read or hear, templates included."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in SILENT
        is_button = tag == "button" or ("type", "submit") in attrs
        for name, value in attrs:
            spoken = name in SPOKEN - {"value"} or name.startswith("data-") or (name == "value" and is_button)
            if spoken and value and not re.fullmatch(r"\S*[/_:#.=]\S*|[\w-]+", value):
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in SILENT

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.texts.append(data)


def texts(answer: requests.Response) -> list[str]:
    if answer.headers["Content-Type"].startswith("text/html"):
        return spoken(answer.text)
    return [text for value in strings(answer.json()) for text in spoken(value)]


def spoken(page: str) -> list[str]:
    words = Words()
    words.feed(page)
    return words.texts


def strings(value: Any) -> Iterator[str]:
    """Yield the texts of JSON, of which some are parts of pages."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings(one)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A desk whose only account is one of the toy's, with something of everything."""
    folder = tmp_path_factory.mktemp("words")
    path, _ = build_release(TOY, folder)
    people = [
        {"email": ADMIN, "name": "Ada Admin", "admin": True},
        {"email": POTTERY_OWNER, "name": "Ola Owner", "roles": {"Pottery": "owner"}},
        {"email": POTTERY_AGENT, "name": "Ari Agent", "roles": {"Pottery": "agent"}},
    ]
    values = {"handle": "shop", "secret": SECRET}
    account = {"channel": "toy", "workspace": "Pottery", "values": values}
    for rig in running(folder):
        wanted = {"migrate": True, "workspaces": ["Pottery"], "people": people, "zip": str(path)}
        made = prepare(rig, {**wanted, "connect": [account]})
        rig.start()
        scene = Scene(rig, [])
        for email in WHO.values():
            scene.sign_in(email)
        home = made["workspaces"]["Pottery"]
        message = write(scene)
        conversation = message["conversation_id"]
        scene.pottery = {
            "workspace_id": home,
            "conversation_id": conversation,
            "message_id": message["id"],
            "contact_id": message["contact_id"],
            "account_id": made["accounts"][0],
            "user_id": made["people"][POTTERY_AGENT],
            "slug": "toy",
            "channel": "toy",
            "name": "toy.numbers",
            "figure": "first-response",
            "number": "wrote",
            "language": "de",
            "release_id": rig.value("SELECT MAX(id) FROM addon_releases"),
            "event_id": rig.value("SELECT MIN(id) FROM inbound_events"),
            "endpoint_id": endpoint(scene, home),
            **kept(scene, home, conversation),
        }
        turn(rig, conversation)
        yield scene


def write(scene: Scene) -> sqlite3.Row:
    """Write to the toy's account as a customer; return the message."""
    rig = scene.rig
    uuid = rig.value("SELECT uuid FROM channel_accounts WHERE channel = 'toy'")
    at = int(rig.value("SELECT strftime('%s', 'now')")) * 1000
    event = {"from": "kim", "id": "m1", "text": "Where is my mug?", "name": "Kim", "at": at}
    body = json.dumps({"events": [event]}).encode()
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    address = f"{rig.url}/webhooks/toy/{uuid}"
    answer = requests.post(address, data=body, headers={"x-toy-signature": signature}, timeout=30)
    assert answer.status_code == 200, answer.text
    query = "SELECT m.id, m.conversation_id, c.contact_id FROM messages m "
    query += "JOIN conversations c ON c.id = m.conversation_id"
    return until(lambda: rig.rows(query), "a message")[0]


def addresses(ids: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield who may open a page, and its address, for each page of the table whose ids are known."""
    for route, line in TABLE.items():
        method, _, rule = route.partition(" ")
        who = next((one for one in WHO if line[one] in {200, 301, 302}), None)
        if method == "GET" and who is not None and set(PLACE.findall(rule)) <= ids.keys():
            yield who, PLACE.sub(lambda place: str(ids[place.group(1)]), rule)
    for rule in MORE:
        yield "owner", PLACE.sub(lambda place: str(ids[place.group(1)]), rule)


def allowed_on(path: str, language: str) -> list[str]:
    if not OF_ADDONS.search(path):
        return list(ALLOWED)
    found = [*ALLOWED]
    for place in CHECKOUT.glob("addons/*/addon.toml"):
        manifest = tomllib.loads(place.read_text())
        texts = [manifest["description"], manifest["name"]]
        for catalogue in place.parent.glob(f"translations/{language}/LC_MESSAGES/messages.mo"):
            with catalogue.open("rb") as file:
                said = Translations(file)
            texts += [str(said.gettext(text)) for text in texts]
        found += texts
    return found


def foreign(answer: requests.Response, path: str, language: str) -> Iterator[str]:
    """Yield the words of other providers in what a page answered, with the words around them."""
    allowed = allowed_on(path, language)
    for text in texts(answer):
        for meant_otherwise in allowed:
            text = text.replace(meant_otherwise, " ")  # noqa: PLW2901
        for match in FOREIGN[language].finditer(text):
            around = text[max(0, match.start() - 50) : match.end() + 50]
            yield f"{match.group()}: {' '.join(around.split())}"


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_desk_without_a_provider_has_none_of_its_words(toy: Scene, language: str) -> None:
    found, opened = [], 0
    for who, path in addresses(toy.pottery):
        if path in NOT_HERE or path.endswith(("/live", "/updates")):
            continue
        session = toy.people[WHO[who]]
        answer = session.get(toy.rig.url + path, headers={"Accept-Language": language}, timeout=60)
        if answer.status_code == 200 and answer.headers["Content-Type"].startswith(READ):
            opened += 1
            found += [f"{path}: {one}" for one in foreign(answer, path, language)]
    assert opened > 90
    assert not found, "\n".join(dict.fromkeys(found))


W = "/w/<int:workspace_id>"
OFFERED = {
    f"{W}/settings/rules/new": (
        "the customer sent: Mentioned you in a story",
        "the customer sent: Replied to your story",
        "the customer sent: Came through a link or an ad",
        "it's a comment on a post",
        "Answer publicly",
        "Reply privately",
        "Mentioned in a story",
        "Comment word to direct message",
    ),
    f"{W}/settings/rules?show=campaigns": ("When someone comments a keyword on a post",),
    f"{W}/settings/automation": ("Ice breakers and menu", "Customers who tap an entry without an answer"),
    f"{W}/settings/channels/accounts/<int:account_id>/automation": (
        "a story reply",
        "a tap on an ice breaker",
        "only a story mention",
        "replies to a story",
        "taps an ice breaker",
        "mentions you in a story",
    ),
    f"{W}/settings/channels/accounts/<int:account_id>/files": ("Stories, mentions and shared posts",),
    f"{W}/sequences/<int:sequence_id>?part=starts": (
        "Titles of ice breakers, menu items and buttons",
        "Starts when they come by a link or ad",
        "when they answer a story",
    ),
    f"{W}/sequences": ("Comment to DM with a question",),
    f"{W}/inbox": ("Reply to a comment privately", "Hide / unhide a comment"),
}
"""What a workspace with Instagram is offered, by page."""


@pytest.fixture(scope="module")
def instagram(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Scene]:
    yield from staged(tmp_path_factory.mktemp("offered"), addon_zip)


def test_a_desk_with_instagram_offers_all_of_it(instagram: Scene) -> None:
    missing = []
    for rule, words in OFFERED.items():
        path = PLACE.sub(lambda place: str(instagram.pottery[place.group(1)]), rule)
        answer = instagram.people[POTTERY_OWNER].get(instagram.rig.url + path, timeout=60)
        page = " ".join(" ".join(texts(answer)).split())
        missing += [f"{path}: {one}" for one in words if one not in page]
    assert not missing, "\n".join(missing)
