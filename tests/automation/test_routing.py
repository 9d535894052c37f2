"""Who gets a conversation: in turn, by who is on duty, with a reason, and once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.automation import routing, running
from host.automation.deciding import A_FEW
from host.core import clock, db
from host.events.models import DomainEvent
from host.inbox.conversation_actions import set_fields
from host.inbox.teams import teams
from host.models.automation import AutomationRun
from host.models.inbox import Conversation
from host.models.notifications import Notification
from host.models.users import Membership, Role
from tests import helpers
from tests.automation.automated import Automated, shut
from tests.helpers import do
from tests.notifications.telling import tell, told

HOUR = timedelta(hours=1)


def route(desk: Automated, *people: int, **values: object) -> int:
    team = desk.team(*people)
    desk.set(routes=True, team_id=team, **values)
    return team


def has(desk: Automated, contact: str) -> tuple[int | None, int | None]:
    talk = desk.talk(contact)
    return talk.team_id, talk.assignee_id


def arrive(desk: Automated, *contacts: str) -> None:
    """Let each write, one after the other."""
    for contact in contacts:
        desk.said(contact)
        desk.run()


def test_new_conversations_go_round(any_desk: Automated) -> None:
    desk = any_desk
    ana, bo, off = desk.person("Ana"), desk.person("Bo"), desk.person("Cy", on=False)
    team = route(desk, ana, bo, off)
    arrive(desk, "a", "b", "c", "d")
    assert [has(desk, one) for one in "abcd"] == [(team, ana), (team, bo)] * 2
    assert desk.lines("a") == [("team_assigned", "Shop", "account"), ("assigned", "Ana", "waited_longest")]
    desk.read(again=True)
    desk.run()
    assert len(desk.runs()) == 4
    assert len(desk.lines("a")) == 2


def test_whoever_waited_longest_is_next(automated: Automated) -> None:
    desk = automated
    ana = desk.person("Ana")
    route(desk, ana, bo := desk.person("Bo", on=False))
    arrive(desk, "a")
    desk.duty(bo, True)
    arrive(desk, "b")
    assert [has(desk, one)[1] for one in "ab"] == [ana, ana], "Ana was given one before Bo came"
    arrive(desk, "c")
    assert has(desk, "c")[1] == bo


def test_nobody_on_duty_it_waits_with_the_team_and_the_oldest_goes_first(any_desk: Automated) -> None:
    desk = any_desk
    ana = desk.person("Ana", on=False)
    team = route(desk, ana)
    contacts = [f"c{number}" for number in range(A_FEW + 2)]
    arrive(desk, *contacts)
    assert {has(desk, one) for one in contacts} == {(team, None)}
    assert desk.runs()[0] == ("routing", "waiting", "team", "nobody_on_duty")
    desk.duty(ana, True)
    desk.run()
    assert [has(desk, one)[1] for one in contacts] == [ana] * A_FEW + [None, None]
    assert desk.lines("c0")[-1] == ("assigned", "Ana", "waited_its_turn")
    # Whoever answers gets the next that waits.
    desk.scene.reply("c0", "Here.", clock.now(), by=ana)
    desk.run()
    assert [has(desk, one)[1] for one in contacts[-2:]] == [ana, None]


def test_outside_the_hours_nobody_is_on_duty(automated: Automated) -> None:
    desk = automated
    ana = desk.person("Ana")
    team = route(desk, ana)
    with shut(clock.now() + HOUR):
        arrive(desk, "a")
        assert has(desk, "a") == (team, None)
        assert desk.runs() == [("routing", "waiting", "team", "team_closed")]
    desk.run()
    assert has(desk, "a") == (team, ana), "the hours begin"


def test_what_waits_is_left_to_who_took_it(automated: Automated) -> None:
    desk = automated
    ana, bo = desk.person("Ana", on=False), desk.person("Bo", on=False)
    route(desk, ana)
    arrive(desk, "a")
    desk.scene.assign("a", bo, bo, clock.now())
    desk.duty(ana, True)
    desk.run()
    assert has(desk, "a")[1] == bo
    assert desk.runs() == [("routing", "done", "team", "assigned")]


def test_a_customer_who_returns_goes_to_the_last_person(automated: Automated) -> None:
    desk = automated
    ana, bo = desk.person("Ana"), desk.person("Bo")
    team = route(desk, ana)
    arrive(desk, "a")
    desk.scene.reply("a", "Hello.", clock.now(), by=bo)
    _leave(desk, "a")
    arrive(desk, "a")
    assert has(desk, "a") == (team, bo), "who is not in the team"
    assert desk.lines("a")[-1] == ("assigned", "Bo", "last_person")
    desk.duty(bo, False)
    _leave(desk, "a")
    arrive(desk, "a")
    assert has(desk, "a") == (team, ana)


def _leave(desk: Automated, contact: str) -> None:
    """Close a conversation and leave it to nobody."""
    do(
        set_fields,
        desk.desk.workspace,
        desk.scene.conversation(contact),
        {"assignee_id": None},
        actor=desk.desk.mia.id,
    )
    desk.scene.close(contact, desk.desk.mia.id, clock.now())


def test_who_opens_one_again_keeps_it(automated: Automated) -> None:
    desk = automated
    ana, bo = desk.person("Ana"), desk.person("Bo")
    arrive(desk, "a", "b")
    desk.scene.assign("a", bo, bo, clock.now())
    for contact in "ab":
        desk.scene.close(contact, bo, clock.now())
    team = route(desk, ana)
    arrive(desk, "a", "b")
    assert has(desk, "a") == (None, bo)
    assert has(desk, "b") == (team, ana), "nobody had it"


def test_a_team_alone_gets_it_where_nobody_is_to_be_chosen(automated: Automated) -> None:
    desk = automated
    team = route(desk, desk.person("Ana"), to_person=False)
    arrive(desk, "a")
    assert has(desk, "a") == (team, None)
    assert desk.runs() == [("routing", "done", "team", "team")]


def test_who_may_not_answer_there_gets_nothing(automated: Automated) -> None:
    desk = automated
    ana, bo = desk.person("Ana"), desk.person("Bo")
    team = route(desk, ana, bo)

    def use_case(session: db.Session) -> None:  # type: ignore[name-defined]
        session.get_one(Membership, (ana, desk.desk.workspace)).limited = True
        session.get_one(Membership, (bo, desk.desk.workspace)).role = Role.AUDITOR

    db.write(use_case)
    arrive(desk, "a")
    assert has(desk, "a") == (team, None)
    assert desk.runs() == [("routing", "waiting", "team", "nobody_in_team")]


def test_a_team_that_is_gone_is_said(automated: Automated) -> None:
    desk = automated
    ana = desk.person("Ana", on=False)
    team = route(desk, ana)
    arrive(desk, "a")
    helpers.do(teams.delete, desk.desk.workspace, team)
    arrive(desk, "b")
    assert has(desk, "b") == (None, None)
    assert [run[1:] for run in desk.runs()] == [("done", "team", "off"), ("skipped", None, "no_team")]


@pytest.mark.parametrize("contact", ["spam"])
def test_spam_goes_to_nobody(automated: Automated, contact: str) -> None:
    desk = automated
    route(desk, desk.person("Ana"))
    desk.said(contact)
    desk.read()
    do(
        set_fields,
        desk.desk.workspace,
        desk.scene.conversation(contact),
        {"spam": True},
        actor=desk.desk.mia.id,
    )
    desk.run()
    assert has(desk, contact) == (None, None)
    assert desk.runs() == [("routing", "skipped", None, "spam")]


def test_whoever_is_given_one_is_told(automated: Automated) -> None:
    desk = automated
    ana = desk.person("Ana")
    route(desk, ana)
    arrive(desk, "a")
    tell()
    assert told(ana) == [("assigned", 1)]
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Notification)) == 1
        given = session.scalars(sa.select(DomainEvent).where(DomainEvent.cause_id.is_not(None))).all()
        kinds = {one.kind for one in given if one.kind}
        assert kinds == {"conversation.assigned", "conversation.team_assigned"}
        assert {one.depth for one in given} == {1}
        assert {one.actor_kind for one in given if one.kind} == {"system"}
    before = desk.runs()
    desk.run()
    assert desk.runs() == before, "what the desk did itself begins nothing"


def test_two_workers_at_once_give_each_conversation_to_one_person(any_desk: Automated) -> None:
    desk = any_desk
    people = [desk.person(name) for name in ("Ana", "Bo", "Cy", "Di")]
    route(desk, *people)
    contacts = [f"c{number}" for number in range(12)]
    for contact in contacts:
        desk.said(contact)
    desk.read()
    directory = desk.desk.generation.directory
    with db.read() as session:
        ids = list(session.scalars(sa.select(AutomationRun.id)))
    errors: list[BaseException] = []

    def work(turn: int) -> None:
        try:
            for id_ in ids if turn % 2 else reversed(ids):
                db.write(running.do, id_, directory, clock.now())
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's
            errors.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    given = [has(desk, contact)[1] for contact in contacts]
    assert sorted(given.count(one) for one in people) == [3, 3, 3, 3]
    assert all(len(desk.lines(contact)) == 2 for contact in contacts)


def test_a_worker_that_dies_while_it_gives_one_out(any_desk: Automated) -> None:
    desk = any_desk
    ana = desk.person("Ana", on=False)
    route(desk, ana)
    arrive(desk, "a")
    desk.duty(ana, True)
    with db.read() as session:
        (run,) = session.scalars(sa.select(AutomationRun.id))

    def killed(session: db.Session) -> None:  # type: ignore[name-defined]
        assert routing.give_next(session, run, clock.now())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.write(killed)
    assert has(desk, "a")[1] is None
    desk.run()
    desk.run()
    assert has(desk, "a")[1] == ana
    assert desk.lines("a")[-1] == ("assigned", "Ana", "waited_its_turn")
    assert len(desk.lines("a")) == 2
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Conversation)) == 1
