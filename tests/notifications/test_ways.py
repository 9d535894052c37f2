"""Every kind by every way once: the bell, what browsers are given, and mail over a real connection."""

from __future__ import annotations

import email
import email.policy
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events.consuming import Consumers
from host.events.kinds.conversations import CONVERSATION_REPLY_DUE, CONVERSATION_WINDOW_CLOSING
from host.events.models import Consumer
from host.models.notifications import Notification
from host.models.users import User
from host.notifications import mail, rules
from host.notifications.delivery import MAIL_WAITS, Notifier
from host.notifications.rules import KINDS, Kind, Quiet, Way
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene
from tests.live.served import until
from tests.notifications.telling import choose, mention, tell, told
from tests.notifications.test_telling import by_rule, due, failed


class Server:
    """Takes mail."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@pytest.fixture
def smtp(tmp_path: Path) -> Iterator[Server]:
    handler = Server()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings = {"mail_server": f"smtp://127.0.0.1:{port}", "public_url": "https://desk.example.com"}
    mail.use(helpers.make_config(tmp_path, **settings))
    yield handler
    mail.use(helpers.make_config(tmp_path))
    controller.stop()


@pytest.fixture
def bo(desk: Desk) -> User:
    return helpers.make_user(name="Bo T.", workspace=desk.workspace)


NAMES = {"who": "Mia R.", "rule": "Wholesale"}


def everything(scene: Scene, bo: int, wholesale: int) -> None:
    """Have each kind of thing happen to Bo once."""
    mia, ana = scene.desk.mia.id, scene.conversation("ana")
    due(scene.desk, ana, CONVERSATION_WINDOW_CLOSING)
    scene.said("ana", "", "For whoever has time: sesame", clock.now())
    tell()
    scene.assign("ana", bo, mia, clock.now())
    scene.said("ana", "", "And now for Bo: sesame", clock.now())
    mention(scene, "ana", "@Bo T. sesame?", mia)
    due(scene.desk, ana, CONVERSATION_WINDOW_CLOSING)
    due(scene.desk, ana, CONVERSATION_REPLY_DUE)
    by_rule(scene.desk, ana, wholesale, person=bo)
    tell()
    failed(scene, bo)
    tell()


def test_every_kind_goes_every_way(desk: Desk, scene: Scene, bo: User, smtp: Server, wholesale: int) -> None:
    tell()
    choose(bo.id, {kind: tuple(Way) for kind in Kind})
    everything(scene, bo.id, wholesale)
    assert sorted(kind for kind, _times in told(bo.id)) == sorted(Kind)
    browser = helpers.client_for(desk.app, bo)
    page = browser.get("/notifications").text
    shown = browser.get("/notifications/news").get_json()
    assert shown["unread"] == len(Kind)
    assert {one["text"] for one in shown["show"]} == {KINDS[kind].sentence % NAMES for kind in Kind}
    assert all(one["show"] and one["sound"] and one["title"] == "Ana Q." for one in shown["show"])
    assert [one["own"] for one in shown["show"]].count(False) == 2
    assert mail.send_due() == 0, "who reads it in the desk needs no mail"
    with clock.travel(MAIL_WAITS):
        assert mail.send_due() == 1, "what comes together is one mail"
        assert mail.send_due() == 0
    (sent,) = smtp.taken
    text = sent.get_content()
    assert sent["To"] == bo.email
    assert sent["Subject"] == "9 notifications in Sample Pottery"
    for kind in Kind:
        sentence = KINDS[kind].sentence % NAMES
        assert f"Ana Q.: {sentence}" in text
        assert sentence in page
    assert f"https://desk.example.com{desk.path()}/{scene.conversation('ana')}" in text
    assert "https://desk.example.com/notifications/settings" in text
    assert "sesame" not in sent.as_string(), "nothing of what anybody wrote"


Happens = Callable[[Scene, int, int], object]
"""Has one thing happen in Ana's conversation, to the person of an id, by a rule of an id."""

ALONE: dict[Kind, Happens] = {
    Kind.MENTION: lambda scene, bo, _rule: mention(scene, "ana", "@Bo T. sesame?", scene.desk.mia.id),
    Kind.ASSIGNED: lambda scene, bo, _rule: scene.assign("ana", bo, scene.desk.mia.id, clock.now()),
    Kind.RULE: lambda scene, bo, rule: by_rule(scene.desk, scene.conversation("ana"), rule, person=bo),
    Kind.REPLY: lambda scene, bo, _rule: scene.said("ana", "", "sesame", clock.now()),
    Kind.FAILED: lambda scene, bo, _rule: failed(scene, bo),
    Kind.WINDOW: lambda scene, bo, _rule: due(
        scene.desk, scene.conversation("ana"), CONVERSATION_WINDOW_CLOSING
    ),
    Kind.DUE: lambda scene, bo, _rule: due(scene.desk, scene.conversation("ana"), CONVERSATION_REPLY_DUE),
    Kind.NEW: lambda scene, bo, _rule: scene.said("ana", "", "sesame", clock.now()),
    Kind.NEW_LATE: lambda scene, bo, _rule: due(
        scene.desk, scene.conversation("ana"), CONVERSATION_WINDOW_CLOSING
    ),
}
IN_MINE = {Kind.REPLY, Kind.WINDOW, Kind.DUE}


@pytest.mark.parametrize("kind", Kind)
def test_each_thing_is_one_notice_by_every_way_and_one_mail(
    desk: Desk, scene: Scene, bo: User, smtp: Server, wholesale: int, kind: Kind
) -> None:
    tell()
    choose(bo.id, {one: tuple(Way) if one is kind else () for one in Kind})
    if kind in IN_MINE:
        scene.assign("ana", bo.id, desk.mia.id, clock.now())
    tell()
    ALONE[kind](scene, bo.id, wholesale)
    tell()
    assert told(bo.id) == [(kind, 1)]
    browser = helpers.client_for(desk.app, bo)
    news = browser.get("/notifications/news").get_json()
    sentence = KINDS[kind].sentence % NAMES
    assert [(one["text"], one["show"], one["sound"]) for one in news["show"]] == [(sentence, True, True)]
    with clock.travel(MAIL_WAITS):
        assert [mail.send_due(), mail.send_due()] == [1, 0]
    (sent,) = smtp.taken
    assert (sent["To"], sent["Subject"]) == (bo.email, f"Ana Q.: {sentence}")
    assert "sesame" not in sent.as_string()


def test_one_thing_is_the_subject_in_their_language(desk: Desk, scene: Scene, bo: User, smtp: Server) -> None:
    toys.change_row(User, bo.id, locale="de")
    mention(scene, "ana", "@bo t. sesame?", desk.mia.id)
    tell()
    with clock.travel(MAIL_WAITS):
        assert mail.send_due() == 1
    assert smtp.taken[0]["Subject"] == "Ana Q.: Mia R. hat Sie in einer Notiz erwähnt."


def test_what_is_read_or_out_of_sight_by_then_is_not_mailed(
    desk: Desk, scene: Scene, bo: User, smtp: Server
) -> None:
    browser = helpers.client_for(desk.app, bo)
    mention(scene, "ana", "@Bo T. sesame?", desk.mia.id)
    tell()
    with db.read() as session:
        notice = session.scalars(sa.select(Notification.id)).one()
    stranger = helpers.client_for(desk.app, desk.mia)
    stranger.post_form(f"/notifications/{notice}/read")
    assert told(bo.id) == [("mention", 1)], "somebody else's is theirs"
    browser.post_form(f"/notifications/{notice}/read")
    assert told(bo.id) == []
    mention(scene, "ana", "@Bo T. once more", desk.mia.id)
    tell()

    def leave(session: Session) -> None:
        session.execute(sa.text("DELETE FROM memberships WHERE user_id = :id"), {"id": bo.id})

    db.write(leave)
    with clock.travel(MAIL_WAITS):
        assert mail.send_due() == 0
    assert browser.get("/notifications/news").get_json() == {"unread": 0, "own": 0, "show": []}


def test_in_quiet_hours_the_bell_goes_on_and_the_rest_waits(
    desk: Desk, scene: Scene, bo: User, smtp: Server
) -> None:
    now = clock.now()
    ends = now + timedelta(hours=3)
    minutes = [(one.hour * 60 + one.minute) for one in (now - timedelta(hours=1), ends)]
    quiet = Quiet(minutes[0], minutes[1], frozenset(range(7)), frozenset(), "UTC")
    db.write(rules.set_quiet_hours, bo.id, quiet)
    choose(bo.id, {Kind.MENTION: tuple(Way)})
    browser = helpers.client_for(desk.app, bo)
    mention(scene, "ana", "@Bo T. sesame?", desk.mia.id)
    tell()
    assert browser.get("/notifications/news").get_json() == {"unread": 1, "own": 1, "show": []}
    with clock.travel(timedelta(minutes=5)):
        assert mail.send_due() == 0
    with clock.travel(timedelta(hours=2, minutes=30)):
        assert mail.send_due() == 0
    with clock.travel(timedelta(hours=3)):
        assert mail.send_due() == 1
    assert len(smtp.taken) == 1


class Dying(Notifier):
    """Dies once, after the notices were written and before the position was."""

    def __init__(self) -> None:
        self.died = 0

    def consume(self, session: Session, events: Any) -> None:
        super().consume(session, events)
        if not self.died:
            self.died += 1
            raise SystemExit


def test_who_dies_between_notice_and_position_tells_once(scene: Scene, bo: User) -> None:
    consumer = Dying()
    reading = Consumers([consumer])
    reading.start()
    try:
        scene.assign("ana", bo.id, scene.desk.mia.id, clock.now())
        until(lambda: told(bo.id))
    finally:
        reading.stop()
    assert consumer.died == 1
    assert told(bo.id) == [("assigned", 1)]
    with db.read() as session:
        place = session.get_one(Consumer, Notifier.name)
        assert place.event_id > 0
    tell()
    assert told(bo.id) == [("assigned", 1)]
