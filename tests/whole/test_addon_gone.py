"""Every page while the addon of a channel is active, inactive, uninstalled with its data kept, and purged.

An agent, an owner and an admin crawl from link to link, beginning with every address of the table of
``test_isolation``. No page fails, shows a picture that is not there or the raw key of a channel, or says that
something works that does not.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest

from demo.person import Person
from tests.whole.rig import until
from tests.whole.shops import ADMIN, POTTERY, POTTERY_AGENT, POTTERY_OWNER
from tests.whole.test_isolation import PLACE, TABLE, Scene, staged

pytestmark = pytest.mark.slow

STATES = ("active", "inactive", "uninstalled", "purged")
WALKERS = {"agent": POTTERY_AGENT, "owner": POTTERY_OWNER, "admin": ADMIN}
CAMPAIGN, RULE = "Tide mugs", "Greet on Instagram"
MOST_ALIKE = 4
"""How many addresses of one page are opened: those that differ in their ids and their query."""
SKIPPED = (".csv", "/export", "download=1", "/fixture", "/logout")
"""Parts of addresses that lead to files, and out."""
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
VOID |= {"path", "rect", "use", "circle", "line"}
SAID = ("alt", "aria-label", "placeholder", "title")
NOT_SAID = {"code", "pre", "script", "style", "template"}


class Page(HTMLParser):
    """What a page shows and where it leads.

    :ivar live: what is said to be live, by the last name before it.
    :ivar receiving: the ids of accounts that are said to receive.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.media: list[str] = []
        self.words: list[str] = []
        self.live: list[str] = []
        self.receiving: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._account = self._name = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in {"img", "source", "video", "audio"} and given.get("src"):
            self.media.append(given["src"])
        if "data-account" in given:
            self._account = given["data-account"]
            if given.get("data-state") == "receiving":
                self.receiving.append(self._account)
        if "is-live" in given.get("class", "").split():
            self.live.append(self._name)
        if not self._unsaid:
            self.words += [given[name] for name in SAID if given.get(name)]
        if tag not in VOID:
            self._open.append((tag, given.get("class", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not data.strip() or self._unsaid:
            return
        self.words.append(data)
        if self._open and self._open[-1][0] in {"b", "bdi", "h1"}:
            self._name = data.strip()

    @property
    def _unsaid(self) -> bool:
        return any(tag in NOT_SAID or "mono" in classes.split() for tag, classes in self._open)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


ABOUT_ADDONS = ("/admin/addons", "/admin/audit", "/admin/hooks", "/api/docs")
"""Pages for admins and programs, which name addons by their slugs and channels by their keys."""
RAW = re.compile(r"(?<![\w@./:-])(instagram-comments|instagram)(?![\w./:-])")
"""A channel by its key. A slug stands in addresses, names of tables and commands."""


WORKS = re.compile(r"@sample\.pottery (?:Shadow|Suggest|Answer)\b|Shop: (?:Shadow|Suggest|Answer)\b")
"""What an assistant is said to do on an account: at the list of assistants, and at that of accounts."""


@dataclass
class Walk:
    """One person's way over all pages of a desk."""

    person: Person
    about: str
    problems: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    pages: int = 0
    media: set[str] = field(default_factory=set)

    def go(self, starts: list[str]) -> None:
        alike: Counter[str] = Counter()
        waiting = deque((start, "the table") for start in starts)
        while waiting:
            address, origin = waiting.popleft()
            kind = re.sub(r"\d+", "#", urlsplit(address).path)
            if address in self.seen or alike[kind] >= MOST_ALIKE or any(one in address for one in SKIPPED):
                continue
            self.seen.add(address)
            alike[kind] += 1
            for link in self.open(address, origin):
                target = urldefrag(urljoin(self.person.desk + address, link)).url
                if target.startswith(self.person.desk + "/"):
                    waiting.append((target.removeprefix(self.person.desk), address))

    def open(self, address: str, origin: str) -> list[str]:
        """Open a page, note what is wrong with it, and return its links."""
        with self.person.session.get(self.person.desk + address, timeout=30, stream=True) as answer:
            kind = answer.headers.get("Content-Type", "")
            if kind.startswith("text/event-stream"):
                return []
            answer.content  # noqa: B018 - read before the connection goes back
        linked = origin != "the table"
        if answer.status_code >= (400 if linked else 500):
            self.note(address, f"answers {answer.status_code}, linked from {origin}")
        if not kind.startswith("text/html"):
            return []
        self.pages += 1
        page, arrived = Page(answer.text), urlsplit(answer.url).path
        for src in page.media:
            self.look(address, urljoin(self.person.desk + address, src))
        self.read(address, arrived, page)
        return page.links

    def look(self, address: str, src: str) -> None:
        """Fetch a picture, film or sound that a page shows."""
        if src in self.media or not src.startswith(self.person.desk + "/"):
            return
        self.media.add(src)
        with self.person.session.get(src, timeout=30, stream=True) as answer:
            if answer.status_code >= 400:
                self.note(address, f"shows {src.removeprefix(self.person.desk)}: {answer.status_code}")

    def read(self, address: str, arrived: str, page: Page) -> None:
        about_addons = arrived.startswith(ABOUT_ADDONS)
        for found in RAW.finditer(page.text):
            if not about_addons:
                around = page.text[max(0, found.start() - 50) : found.end() + 40]
                self.note(address, f"names a channel by its key: …{around}…")
        if "Instagram-comments" in page.text:
            self.note(address, "says Instagram-comments")
        told = [int(number) for number in re.findall(r"(\d+) receives?\b", page.text)]
        if told and sum(told) != len(page.receiving):
            self.note(address, f"says that {told} receive, and shows {len(page.receiving)}")
        if not self.about.startswith("active"):
            for name in {CAMPAIGN, RULE} & set(page.live):
                self.note(address, f"says that {name} is live")
            for found in WORKS.findall(page.text):
                self.note(address, f"says {found}")

    def note(self, address: str, what: str) -> None:
        self.problems.append(f"{self.about}: {address} {what}")


@dataclass
class Stage:
    """A desk, and what became of its addon."""

    scene: Scene
    zip: Path
    state: str = STATES[0]

    def advance(self, wanted: str) -> None:
        """Bring the addon into a state, through the pages of an admin."""
        admin = self.scene.rig.person(ADMIN)
        for state in STATES[STATES.index(self.state) + 1 : STATES.index(wanted) + 1]:
            if state == "inactive":
                admin.open("/admin/addons")
                admin.press("Deactivate", to="/instagram/")
            elif state == "uninstalled":
                admin.open("/admin/addons/instagram/uninstall")
                admin.press("Uninstall", {"what": "keep"})
            else:
                self.scene.rig.lobby("addon", "install", str(self.zip))
                admin.open("/admin/addons/instagram/uninstall")
                admin.press("Uninstall", {"what": "purge", "name": "instagram"})
            self.state = state


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Stage]:
    for scene in staged(tmp_path_factory.mktemp("gone"), addon_zip):
        furnish_channels(scene)
        yield Stage(scene, addon_zip)


def furnish_channels(scene: Scene) -> None:
    """Give the Pottery what depends on an addon: comments, a campaign, a rule, an assistant."""
    home, account = scene.pottery["workspace_id"], scene.pottery["account_id"]
    owner = scene.rig.person(POTTERY_OWNER)
    base = f"/w/{home}/settings"
    owner.open(f"{base}/channels")
    owner.press("Turn on: Comments")
    for kind, more in (("image", {}), ("audio", {}), ("comment", {"text": "tide, please"})):
        said = {"account": POTTERY.igid, "customer": POTTERY.customer, "kind": kind, **more}
        scene.rig.control("POST", "dm", said)
    until(lambda: scene.rig.rows("SELECT id FROM messages WHERE text = 'tide, please'"), "the comment")
    owner.open(f"{base}/rules/new?from=campaign")
    answers = {"answer": "Look into your messages", "text": "Here it is"}
    owner.press("Save", {"name": CAMPAIGN, "where": "any", "words": "tide", **answers, "state": "live"})
    owner.open(f"{base}/rules/new")
    owner.press("Save", {"name": RULE, "if": f"account:{account}", "then": "close", "state": "live"})
    owner.open(f"/w/{home}/assistants/{scene.pottery['assistant_id']}")
    form = next(one for one in owner.forms if one.action.endswith(f"/accounts/{account}"))
    owner.submit(form, {"mode": "suggest"})


def addresses(scene: Scene) -> list[str]:
    """Return every address of the table that is asked for by GET, with ids of what is there."""
    rules = [rule for method, _, rule in (route.partition(" ") for route in TABLE) if method == "GET"]
    return ["/", *(PLACE.sub(lambda place: str(scene.pottery[place.group(1)]), rule) for rule in rules)]


@pytest.mark.parametrize("state", STATES)
def test_every_page_holds_whatever_became_of_the_addon(stage: Stage, state: str) -> None:
    stage.advance(state)
    problems = []
    for role, email in WALKERS.items():
        walk = Walk(stage.scene.rig.person(email), f"{state}, {role}")
        walk.go(addresses(stage.scene))
        assert walk.pages > 40, walk.seen
        problems += walk.problems
    assert not problems, "\n".join(problems)


def test_the_walk_finds_what_is_wrong() -> None:
    walk = Walk(Person("http://desk.example"), "inactive, owner")
    page = """<h1>2 accounts, 1 receives.</h1><p>instagram, to all</p><h2>Instagram-comments</h2>
        <bdi>Tide mugs</bdi><span class="rule-state is-live">Live</span> @sample.pottery Suggest"""
    walk.read("/", "/", Page(page))
    found = " ".join(walk.problems)
    for said in ("by its key", "Instagram-comments", "[1] receive", "Tide mugs is live", "Suggest"):
        assert said in found
