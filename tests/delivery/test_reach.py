"""A customer the provider says cannot be reached: the conversation closes, saying why, until they write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from host.core import clock, db
from host.inbox import queries
from host.inbox.errors import ContactUnreachableError
from host.inbox.pages import reply_window
from host.inbox.queries import Row
from host.inbox.unsent import resending
from host.models.inbox import DeliveryState
from host.sdk.channel import Found, NotSent, Rejected, Unknown
from tests.delivery.desk import PROBLEM, Desk
from tests.helpers import do, queue_reply

Travel = Callable[[timedelta], None]
GONE = Rejected(PROBLEM, whole_contact=True)


def row(desk: Desk, conversation_id: int) -> Row:
    with db.read() as session:
        found = queries.get_row(session, desk.workspace_id, conversation_id, accounts=None)
    assert found is not None
    return found


def write(desk: Desk, conversation_id: int) -> None:
    do(queue_reply, desk.workspace_id, conversation_id, "hi", reply_key="0123456789", adapter=desk.toy)


def test_a_rejection_of_the_customer_closes_the_conversation_with_its_sentence(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    other = any_desk.customer_wrote("bert")
    any_desk.toy.script = [GONE]
    message = any_desk.reply("hi", talk)
    any_desk.drain()
    assert any_desk.state(message) == DeliveryState.FAILED
    now = clock.now()
    found = row(any_desk, talk).out_of_reach(now)
    assert found is not None
    assert (found.sentence, found.next_step, found.until) == ("The toy is broken.", "Mend it.", None)
    assert row(any_desk, other).out_of_reach(now) is None
    with pytest.raises(ContactUnreachableError, match="The toy is broken"):
        write(any_desk, talk)


def test_an_ordinary_rejection_closes_nothing(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Rejected(PROBLEM)]
    desk.reply("hi", talk)
    desk.drain()
    assert row(desk, talk).out_of_reach(clock.now()) is None


def test_it_opens_again_when_they_write(any_desk: Desk, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [GONE]
    any_desk.reply("hi", talk)
    any_desk.drain()
    travel(timedelta(seconds=1))
    any_desk.customer_wrote()
    assert row(any_desk, talk).out_of_reach(clock.now()) is None
    write(any_desk, talk)


def test_an_echo_or_a_message_from_before_opens_nothing(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [GONE]
    desk.reply("hi", talk)
    desk.drain()
    travel(timedelta(seconds=1))
    desk.echo("from-the-app", "something else")
    with clock.travel(timedelta(minutes=-5)):
        desk.customer_wrote()
    assert row(desk, talk).out_of_reach(clock.now()) is not None


def test_it_opens_again_at_the_time_the_provider_named(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    until = clock.now() + timedelta(hours=1)
    desk.toy.script = [Rejected(PROBLEM, whole_contact=True, until=until)]
    desk.reply("hi", talk)
    desk.drain()
    assert row(desk, talk).out_of_reach(clock.now()) is not None
    travel(timedelta(hours=1, seconds=1))
    assert row(desk, talk).out_of_reach(clock.now()) is None
    write(desk, talk)


def test_retry_is_allowed_and_what_arrives_after_all_opens_it(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [GONE, GONE]
    message = any_desk.reply("hi", talk)
    any_desk.drain()
    db.write(resending.retry, message)
    any_desk.drain()
    assert row(any_desk, talk).out_of_reach(clock.now()) is not None
    db.write(resending.retry, message)
    any_desk.drain()
    assert any_desk.state(message) == DeliveryState.SENT
    assert row(any_desk, talk).out_of_reach(clock.now()) is None


def test_what_was_found_at_the_provider_says_nothing_about_now(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [GONE, Unknown(PROBLEM)]
    desk.toy.searches = [Found("there")]
    first = desk.reply("one", talk)
    desk.drain()
    second = desk.reply("two", talk)
    desk.drain()
    travel(timedelta(seconds=91))
    desk.drain()
    assert desk.states(first, second) == [DeliveryState.FAILED, DeliveryState.SENT]


def test_the_composer_and_the_list_say_so(desk: Desk) -> None:
    from flask import Flask
    from flask_babel import Babel

    talk = desk.customer_wrote()
    desk.toy.script = [GONE]
    desk.reply("hi", talk)
    desk.drain()
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        found = reply_window.composing(desk.toy, row(desk, talk), "Anna", clock.now())
        chip = reply_window.chip(desk.toy, row(desk, talk), clock.now())
    assert (found.can_reply, found.reason, found.sentence) == (False, "The toy is broken.", "Mend it.")
    assert chip is not None
    assert chip.state == "unreachable"


def test_every_composer_of_a_limited_account_says_until_when_replies_wait(desk: Desk) -> None:
    from flask import Flask
    from flask_babel import Babel

    talks = [desk.customer_wrote(), desk.customer_wrote("ben")]
    until = clock.now() + timedelta(minutes=10)
    app = Flask(__name__)
    Babel(app)

    def composers() -> list[reply_window.Composing]:
        with app.test_request_context():
            return [reply_window.composing(desk.toy, row(desk, talk), "A", clock.now()) for talk in talks]

    before = {found.signature for found in composers()}
    desk.set_account(blocked_until=until, blocked_reason="The toy is tired.")
    for found in composers():
        assert (found.can_reply, found.reason, found.waits_until) == (True, "Replies are on hold.", until)
        assert found.sentence.startswith("The toy is tired. Your replies are sent after ")
        assert found.signature in before, "what somebody is writing stays"
    desk.set_account(blocked_until=clock.now() - timedelta(seconds=1))
    assert {found.reason for found in composers()} == {""}


def test_a_limit_shared_by_accounts_holds_all_of_them_back(any_desk: Desk) -> None:
    second, third = any_desk.connect("200"), any_desk.connect("300")
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [
        NotSent(PROBLEM, retry_after=60, whole_account=True, other_accounts=(second.id, 10**6))
    ]
    any_desk.reply("one", talk)
    any_desk.drain()
    blocked = [any_desk.account_row(one.id).blocked_until for one in (any_desk.account, second, third)]
    assert blocked[0] == blocked[1] is not None
    assert blocked[2] is None
