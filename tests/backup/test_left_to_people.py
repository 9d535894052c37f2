"""A restored desk begins anew: what it was about to say by itself, its original may have said since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.assistants.models import Mode, TurnState
from host.automation.consuming import Automating
from host.backup import archive, restoring
from host.backup.restoring import Waiting
from host.core import clock, db, secrets
from host.core.config import Config
from host.delivery import deadlines
from host.events.reading import BEGINNING
from host.inbox.drafts import Draft
from host.inbox.outcome import RESTORED
from host.inbox.reply import Hold, queue_parts
from host.inbox.unsent import resending, scheduled
from host.models.automation import RunState
from host.models.channels import ChannelAccount
from host.models.inbox import DeliveryState, Message
from host.models.notifications import Notification
from host.models.queue import OutboxEntry
from tests import helpers
from tests.assistants.assisting import Assisted
from tests.automation.automated import GREETING
from tests.backup import test_backup as plain
from tests.conftest import fresh_server_database
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import open_desk
from tests.rules.ruled import add_rule, ran
from tests.upgrade.loading import SERVERS

_nobody_tries_passphrases = plain._nobody_tries_passphrases
file = plain.file
HOUR = timedelta(hours=1)
QUIET = (Waiting.CHECK, Waiting.DROP)


@pytest.fixture
def settings(database: db.Database, data: Path) -> Config:
    return helpers.make_config(data, session_key="")


@pytest.fixture
def desk(settings: Config, data: Path) -> Iterator[Assisted]:
    """A desk with keys of its own, whose account does things by itself as soon as a test says what."""
    with Assisted(open_desk(data)).until_closed() as made:
        secrets.use(secrets.load_keyring(settings))
        yield made


Restore = Callable[[Waiting], None]


@pytest.fixture
def restore(desk: Assisted, settings: Config, file: Path, tmp_path: Path) -> Restore:
    """Back the desk up and restore it elsewhere; the process that reads for it then is another one."""

    def restore(waiting: Waiting) -> None:
        plain.make(settings, file)
        plain.restore(file, tmp_path / "elsewhere", waiting)
        desk.consumer = Automating(lambda: desk.desk.generation.directory)
        desk.position = BEGINNING

    return restore


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("kind", SERVERS)
def test_it_begins_anew_on_a_server_too(
    kind: str, desk: Assisted, settings: Config, file: Path, tmp_path: Path
) -> None:
    desk.set(greets=True, greeting=GREETING)
    add_rule(desk, {"do": "say", "text": "Sorry!"}, when="conversation.unanswered", hours=1)
    desk.attach(Mode.ANSWER)
    desk.said()
    desk.read()
    (message,) = planned(desk, HOUR)
    desk.said("bob")
    plain.make(settings, file)
    for url in fresh_server_database(SERVERS[kind]):
        there = helpers.make_config(tmp_path / kind, session_key="", database_url=url)
        with archive.reading(file) as source:
            restoring.restore(
                there, source, waiting=Waiting.CHECK, passphrase=plain.PASSPHRASE, tell=plain.silent
            )
        db.connect(url)
        desk.consumer, desk.position = Automating(lambda: desk.desk.generation.directory), BEGINNING
        with clock.travel(2 * HOUR):
            desk.run()
            assert scheduled.release_due() == 0
        assert desk.automatic() == desk.automatic("bob") == []
        assert {reason for _kind, _state, _outcome, reason in desk.runs()} == {"restored"}
        assert desk.states() == [(TurnState.DISCARDED, "restored")]
        assert (entry(message).waiting or {})["sentence"] == RESTORED
        db.current().dispose()


@pytest.mark.parametrize("read_before", [True, False], ids=["noted", "recorded"])
@pytest.mark.parametrize("waiting", QUIET)
def test_a_greeting_that_had_not_gone_out_is_not_said(
    desk: Assisted, restore: Restore, waiting: Waiting, read_before: bool
) -> None:
    desk.set(greets=True, greeting=GREETING)
    desk.said()
    if read_before:
        desk.read()
    restore(waiting)
    desk.run()
    assert desk.automatic() == []
    assert {(state, reason) for _kind, state, _outcome, reason in desk.runs()} <= {
        (RunState.SKIPPED, "restored")
    }


def test_it_is_said_where_the_operator_says_that_nothing_happened_since(
    desk: Assisted, restore: Restore
) -> None:
    desk.set(greets=True, greeting=GREETING)
    desk.said()
    restore(Waiting.SEND)
    desk.run()
    assert len(desk.automatic()) == 1


def test_what_customers_wrote_before_is_left_to_people_and_what_comes_then_is_not(
    desk: Assisted, restore: Restore
) -> None:
    """It was journalled and not applied, lay in the spool, or comes from the provider's history."""
    desk.set(greets=True, greeting=GREETING)
    rule = add_rule(desk, {"do": "say", "text": "We look at it."})
    wrote = clock.now()
    desk.said("ana")
    desk.run()
    restore(Waiting.CHECK)
    desk.said("bob", at=wrote)
    desk.run()
    assert desk.automatic("bob") == []
    desk.said("cem")
    desk.run()
    assert len(desk.automatic("cem")) == 2
    assert len([one for one in ran(rule) if one.outcome == "did"]) == 2  # of ana before, and of cem


@pytest.mark.parametrize("waiting", [Waiting.CHECK, Waiting.SEND])
def test_a_rule_that_waits_for_an_answer_waits_no_more(
    desk: Assisted, restore: Restore, waiting: Waiting
) -> None:
    add_rule(desk, {"do": "say", "text": "Sorry!"}, when="conversation.unanswered", hours=1)
    desk.said()
    desk.run()
    restore(waiting)
    with clock.travel(2 * HOUR):
        desk.run()
    assert desk.automatic() == ([] if waiting in QUIET else ["Sorry!"])


@pytest.mark.parametrize("waiting", [Waiting.CHECK, Waiting.SEND])
@pytest.mark.slow
def test_nobody_who_waited_before_is_told_that_their_answer_is_late(
    desk: Assisted, restore: Restore, waiting: Waiting
) -> None:
    """Somebody may have answered them since."""
    add_rule(desk, {"do": "say", "text": "Soon!"}, when="conversation.reply_due")
    desk.said()
    desk.run()
    restore(waiting)
    toys.change_row(ChannelAccount, desk.desk.account.id, reply_target=60)
    with clock.travel(timedelta(minutes=58)):
        deadlines.watch(desk.desk.generation.directory)
        desk.run()
    assert desk.automatic() == ([] if waiting in QUIET else ["Soon!"])


def test_what_an_assistant_thought_about_is_left_to_people(desk: Assisted, restore: Restore) -> None:
    desk.attach(Mode.ANSWER)
    desk.said()
    desk.read()
    restore(Waiting.CHECK)
    assert desk.think() == []
    assert desk.states() == [(TurnState.DISCARDED, "restored")]
    assert desk.texts() == []


def test_a_reply_for_later_stays_until_somebody_sends_it(desk: Assisted, restore: Restore) -> None:
    """Somebody may have sent it at once, changed it, or taken it back since."""
    desk.said()
    (message,) = planned(desk, HOUR)
    restore(Waiting.CHECK)
    talk = desk.talk()
    assert talk.scheduled_at is None
    with clock.travel(2 * HOUR):
        assert scheduled.release_due() == 0
        assert entry(message).open is False
        assert (entry(message).waiting or {})["sentence"] == RESTORED
        db.write(resending.send_anyway, message)
    assert entry(message).open is True


@pytest.mark.slow
def test_one_whose_time_has_come_meanwhile_is_looked_for(
    desk: Assisted, settings: Config, restore: Restore
) -> None:
    desk.said()
    (message,) = planned(desk, HOUR)
    with clock.travel(2 * HOUR):
        restore(Waiting.CHECK)
        assert desk.talk().scheduled_at is None
    with db.read() as session:
        state = session.scalar(sa.select(Message.state).where(Message.id == message))
    assert state == DeliveryState.UNKNOWN


def test_it_is_counted_before_anything_is_restored(desk: Assisted, settings: Config, file: Path) -> None:
    desk.said()
    planned(desk, HOUR)
    plain.make(settings, file)
    with archive.reading(file) as source:
        assert restoring.open_replies(source) == 1


def planned(desk: Assisted, by: timedelta) -> list[int]:
    """Write a reply for later; return the ids of its messages."""
    now = clock.now()
    messages = do(
        queue_parts,
        desk.desk.workspace,
        desk.talk().id,
        [Draft(text="Is it well?")],
        reply_key="for-later",
        adapter=desk.desk.generation.directory.adapters[0],
        hold=Hold(at=now + by),
        actor=desk.desk.mia.id,
        now=now,
    )
    return [message.id for message in messages]


def entry(message_id: int) -> OutboxEntry:
    with db.read() as session:
        return session.scalars(sa.select(OutboxEntry).where(OutboxEntry.message_id == message_id)).one()


def test_a_warning_that_waited_to_be_mailed_is_in_the_desk_alone(desk: Assisted, restore: Restore) -> None:
    def warn(session: db.Session) -> None:
        now = clock.now()
        row = Notification(user_id=desk.desk.mia.id, tone="bad", title="Shop", sentence="It is stopped.")
        row.next_step, row.details, row.path, row.created_at, row.mail_due_at = "", {}, "/", now, now
        session.add(row)

    db.write(warn)
    restore(Waiting.CHECK)
    with db.read() as session:
        assert session.scalars(sa.select(Notification.mail_due_at)).all() == [None]
