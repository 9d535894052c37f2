"""Pages beside the inbox that show something of a customer follow when they are erased, and say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from host.assistants.models import TurnState
from host.core import clock, db
from host.core.db import Database
from host.events import catalogue, reading
from host.events.reading import BEGINNING
from host.inbox import erasure
from host.models.inbox import Conversation, Message
from host.models.users import Role
from host.sequences.body import Ask, End
from host.webhooks import consumer, endpoints
from host.webhooks.endpoints import EndpointSettings
from tests import helpers
from tests.assistants import making
from tests.helpers import do
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.inbox.test_erased_browser import SOON, TOLD, followed, says
from tests.live.served import serve, until
from tests.reports.test_figures import span, store
from tests.rules.below import open_below
from tests.rules.ruled import Ruled
from tests.search.desk import build_all
from tests.sequences.sequenced import Sequenced

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAME, SECRET = "Zoe Quist", "My card is 4711"


class Place(NamedTuple):
    """A page that shows *shown* of a contact's conversation."""

    desk: Desk
    path: str
    shown: str
    conversation: int
    told: str = "was erased"


def _talk(data: Path) -> tuple[Desk, Scene, int]:
    desk = open_desk(data)
    scene = Scene(desk)
    scene.said("zoe", NAME, SECRET, scene.ago(minutes=9))
    return desk, scene, scene.conversation("zoe")


def _below(desk: Desk, rest: str) -> str:
    return f"/w/{desk.workspace}/{rest}"


def _contact(conversation: int) -> int:
    with db.read() as session:
        return session.get_one(Conversation, conversation).contact_id


def merge(data: Path) -> Place:
    desk, _scene, talk = _talk(data)
    return Place(desk, _below(desk, f"contacts/{_contact(talk)}/merge"), NAME, talk)


def merge_with(data: Path) -> Place:
    desk, scene, talk = _talk(data)
    scene.said("jon", "Jon B.", "Hello", scene.ago(minutes=5))
    other = _contact(scene.conversation("jon"))
    return Place(desk, _below(desk, f"contacts/{other}/merge?with={_contact(talk)}"), NAME, talk)


def search(data: Path) -> Place:
    desk, _scene, talk = _talk(data)
    build_all()
    return Place(desk, _below(desk, "search?q=4711"), NAME, talk)


def erasing(data: Path) -> Place:
    desk, _scene, talk = _talk(data)
    return Place(desk, _below(desk, f"inbox/{talk}/erase"), NAME, talk)


def macros(data: Path) -> Place:
    desk, _scene, talk = _talk(data)
    return Place(desk, _below(desk, f"inbox/{talk}/macros"), NAME, talk)


def report(data: Path) -> Place:
    desk, _scene, talk = _talk(data)
    begun = clock.now() - timedelta(days=1)
    values = {"conversation_id": talk, "account_id": desk.account.id}
    store(desk.workspace, [span("first", begun, begun + timedelta(minutes=7), **values)])
    return Place(desk, _below(desk, "reports/first-response"), NAME, talk)


def sequence(data: Path) -> Place:
    desk = Sequenced(open_desk(data))
    asks = Ask(id="number", text="Which?", kind="number", digits=5, variable="order", again="?")
    id_ = desk.sequence(asks, End(id="end"))
    desk.scene.said("zoe", NAME, "order", clock.now())
    desk.run()
    path = _below(desk.desk, f"sequences/{id_}/people")
    return Place(desk.desk, path, NAME, desk.scene.conversation("zoe"))


def rule(data: Path) -> Place:
    desk = Ruled(open_desk(data))
    id_ = desk.rule({"do": "close"}, conditions=[{"if": "words", "words": ["card"]}])
    desk.scene.said("zoe", NAME, SECRET, clock.now())
    desk.run()
    path = _below(desk.desk, f"settings/rules/{id_}")
    return Place(desk.desk, path, NAME, desk.scene.conversation("zoe"), "no longer shown")


def campaign(data: Path) -> Place:
    desk = open_below(data)
    id_ = desk.campaign()
    desk.comments("zoe", "tide 4711")
    desk.run()
    with db.read() as session:
        talk = session.scalars(sa.select(Message.conversation_id).where(Message.text == "tide 4711")).one()
    return Place(desk.desk, _below(desk.desk, f"settings/rules/{id_}/people"), "tide 4711", talk)


def webhook(data: Path) -> Place:
    desk, _scene, talk = _talk(data)
    wanted = EndpointSettings("https://other.example/hook", ("message.received",))
    row, _secret = do(endpoints.create, desk.workspace, wanted, frozenset(catalogue.KINDS))
    reading.number_all()
    with db.read() as session:
        events = reading.after(session, BEGINNING, 100).events
    db.write(consumer.tell, events, [row], desk.generation.directory, "https://desk.example")
    return Place(desk, _below(desk, f"settings/integrations/{row.id}"), SECRET, talk)


def _turn(data: Path, **values: Any) -> tuple[Desk, int, int]:
    desk, _scene, talk = _talk(data)
    assistant = making.assistant(desk.workspace)
    with db.read() as session:
        message = session.scalars(sa.select(Message.id).where(Message.text == SECRET)).one()
    making.turn(assistant, message, **values)
    return desk, assistant, talk


def said(data: Path) -> Place:
    desk, assistant, talk = _turn(data, state=TurnState.HANDED_OVER)
    return Place(desk, _below(desk, f"assistants/{assistant}/said"), NAME, talk)


def gaps(data: Path) -> Place:
    desk, assistant, talk = _turn(data)
    return Place(desk, _below(desk, f"assistants/{assistant}/not-answered"), SECRET, talk)


PLACES: list[Callable[[Path], Place]] = [
    merge,
    merge_with,
    search,
    erasing,
    macros,
    report,
    sequence,
    rule,
    campaign,
    webhook,
    said,
    gaps,
]


@pytest.mark.parametrize("place", PLACES, ids=[one.__name__ for one in PLACES])
def test_an_open_page_follows(
    database: Database, data: Path, chromium: Any, place: Callable[[Path], Place]
) -> None:
    found = place(data)
    desk = found.desk
    owner = helpers.make_user("owner@example.com", "Olu O.", workspace=desk.workspace, role=Role.OWNER)
    cookie = helpers.client_for(desk.app, owner).get_cookie("lobby")
    assert cookie is not None
    with serve(desk) as port:
        base = f"http://127.0.0.1:{port}"
        context = chromium.new_context(base_url=base)
        context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])
        page = context.new_page()
        page.goto(found.path)
        assert says(page, found.shown)
        followed(desk)
        contact = _contact(found.conversation)
        do(erasure.erase, desk.workspace, contact)
        page.wait_for_selector(f"{TOLD} >> text={found.told}", timeout=SOON)
        until(lambda: not says(page, found.shown))
        context.close()
