"""A desk without any optional feature: every page opens, every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.exceptions import HTTPException

from host.core import db
from host.features import registry
from host.live.hub import Hub
from host.models.users import User
from tests import helpers
from tests.pins.filled import FilledDesk, filled_desk
from tests.pins.pinning import shipped_generation

NAMED = re.compile(
    r"\b(rules?|campaigns?|assistants?|language models?|webhooks?|reports?|sequences?)\b", re.IGNORECASE
)
NAMES = {"owner": "Ola O.", "agent": "Ari A.", "admin": "Ada D."}
MAY_NAME = re.compile(r"/admin/(addons|hooks)|/audit\b")
"""Pages that may: where they are switched on, what addons bring, and what was done while they were on."""
RECEIVED = re.compile(
    "Webhook URL|Webhook response time|the original webhooks|App webhooks|under Webhooks, Instagram"
    "|the webhooks that brought it|Webhooks answered"
)
"""Webhooks of providers, which are received."""
STARTS = {"owner": ("/", "/account"), "agent": ("/", "/account"), "admin": ("/", "/account", "/admin/desk")}
PAGES = {"owner": 70, "agent": 30, "admin": 15}
"""How many pages each finds at least."""


class Page(HTMLParser):
    """What a page says, and where it leads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: set[str] = set()
        self.sends: set[str] = set()
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._silent += tag in {"script", "style"}
        self.links.update(value for name in ("href", "src") if (value := given.get(name)))
        self.sends.update(value for name in ("action", "formaction") if (value := given.get(name)))
        self.said += [value for name in ("title", "placeholder", "aria-label") if (value := given.get(name))]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.said.append(" ".join(data.split()))


class Crawl:
    """Opens every page that pages lead to."""

    def __init__(self, app: Flask, browser: helpers.Browser) -> None:
        self.browser = browser
        self.routes = app.url_map.bind("localhost")
        self.opened: dict[str, Page] = {}
        self.wrong: list[str] = []
        self._met: set[tuple[str, str]] = set()

    def all_from(self, *addresses: str) -> None:
        waiting = [(one, "the start") for one in addresses]
        while waiting:
            address, found_on = waiting.pop()
            parts = urlsplit(address)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            is_here = parts.netloc in {"", "localhost"} and parts.scheme in {"", "http"}
            if path and is_here and self._is_new(parts.path, parts.query):
                waiting += [(urljoin(path, link), path) for link in self._open(path, found_on)]

    def _is_new(self, path: str, query: str) -> bool:
        """Tell whether a kind of page, or a name in its query, is met for the first time."""
        try:
            endpoint, _ids = self.routes.match(path, "GET")
        except HTTPException:
            endpoint = path
        names = {(endpoint if endpoint != "static" else path, name) for name in ("", *parse_qs(query))}
        is_new = not names <= self._met
        self._met |= names
        return is_new

    def _open(self, path: str, found_on: str) -> set[str]:
        answer = self.browser.get(path)
        if answer.status_code in {302, 303}:
            return {answer.location}
        if answer.status_code != 200:
            self.wrong.append(f"{path}, linked on {found_on}: {answer.status_code}")
        if answer.mimetype != "text/html" or answer.status_code != 200:
            return set()
        page = self.opened[path] = Page(answer.text)
        for action in page.sends:
            where = urlsplit(urljoin(path, action)).path
            try:
                self.routes.match(where, "POST")
            except HTTPException as error:
                if "GET" not in self.routes.allowed_methods(where):
                    self.wrong.append(f"{path} sends to {where}: {error.code}")
        return page.links


@pytest.fixture(scope="module")
def filled(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledDesk]:
    """A desk that had one of everything before all that can be was switched off."""
    with filled_desk(migrated_file, tmp_path_factory.mktemp("filled")) as desk:
        registry.switch_off(registry.optional())
        config = desk.app.extensions["lobby.config"]
        app = shipped_generation(config, SimpleNamespace(hub=Hub())).app
        with db.read() as session:
            users = {user.name: user for user in session.scalars(sa.select(User))}
        people = {who: helpers.client_for(app, users[name]) for who, name in NAMES.items()}
        yield FilledDesk(app, desk.database, desk.ids, people)


@pytest.fixture(autouse=True)
def _all_off(_on_again: None) -> None:
    registry.switch_off(registry.optional())


@pytest.mark.parametrize("who", NAMES)
def test_every_page_opens_every_link_leads_somewhere_and_no_page_names_what_is_off(
    filled: FilledDesk, who: str
) -> None:
    crawl = Crawl(filled.app, filled.people[who])
    crawl.all_from(*STARTS[who])
    assert crawl.wrong == []
    named = [
        f"{path}: {said[:200]}"
        for path, page in crawl.opened.items()
        if not MAY_NAME.search(path)
        for said in page.said
        if NAMED.search(RECEIVED.sub("", said))
    ]
    assert named == []
    assert len(crawl.opened) > PAGES[who]
