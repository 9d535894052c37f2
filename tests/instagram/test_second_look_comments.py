"""A comment no webhook brought is found below the newest posts, and put in once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db
from host.delivery import look_interval, second_look
from host.models.inbox import ContactIdentity, Conversation
from host.models.posts import Post
from host.models.queue import SecondLookThread
from host.models.users import Role
from host.sdk.channel import AccountRef
from host.sdk.history import HistoryTrouble, NewestPage
from tests import helpers
from tests.instagram import world
from tests.instagram.looking import MINUTE, Lookout, advance, marked, missed, texts
from tests.instagram.world import ANA, KIT, POTTERY, Addon, Meta


@pytest.fixture
def lookout(comments: AccountRef, ig: Addon, meta: Meta) -> Iterator[Lookout]:
    made = Lookout(ig, meta, comments, ig.comments.channel.CommentsAdapter())
    with clock.travel(timedelta()):
        made.look()
        advance(MINUTE)
        yield made


def later(lookout: Lookout) -> None:
    """Let a whole interval pass, and the time a webhook may still come."""
    lookout.pass_time(lookout.row().interval / 60 + 3, every=1)


def test_a_comment_no_webhook_brought_is_put_in_and_marked(lookout: Lookout) -> None:
    came, lost = lookout.comment("How much?"), lookout.comment("And in blue?", KIT)
    lookout.deliver(lookout.change(came))
    later(lookout)
    assert sorted(texts()) == ["And in blue?", "How much?"]
    assert (marked(), missed()) == (["And in blue?"], [lost.id])
    with db.read() as session:
        talks = session.scalars(sa.select(Conversation)).all()
        (post,) = session.scalars(sa.select(Post)).all()
    assert {one.post_id for one in talks} == {post.id}, "both stand below the one post"
    assert [one.unread_count for one in talks] == [1, 1]
    lookout.deliver(lookout.change(lost))
    later(lookout)
    assert (len(texts()), missed()) == (2, [lost.id]), "the webhook that comes after all is known"


def test_it_is_found_on_every_kind_of_server(any_desk: db.Database, ig: Addon, meta: Meta) -> None:
    account = world.connect(ig)
    ig.connect.comments_switch.switch(account, {"on": "1"})
    below = ig.connect.comments_switch.of(account)
    lookout = Lookout(ig, meta, below, ig.comments.channel.CommentsAdapter())
    with clock.travel(timedelta()):
        lost = lookout.comment("How much?")
        later(lookout)
        assert (texts(), marked(), missed()) == (["How much?"], ["How much?"], [lost.id])


def test_an_answer_to_a_comment_is_found_below_it(lookout: Lookout) -> None:
    above = lookout.comment("How much?")
    lookout.deliver(lookout.change(above))
    lost = lookout.comment("I wonder, too", KIT, kind="comment_reply")
    assert lost.parent_id == above.id
    later(lookout)
    assert missed() == [lost.id]


def test_our_own_comments_are_not_missing(lookout: Lookout) -> None:
    lookout.deliver(lookout.change(lookout.comment("How much?")))
    lookout.comment("It is 24 euro.", kind="own_comment")
    calls = len(lookout.meta.calls("comment"))
    later(lookout)
    later(lookout)
    assert (texts(), missed()) == (["How much?"], [])
    assert len(lookout.meta.calls("comment")) == calls, "nothing was read because of it"


def test_a_comment_in_flight_is_waited_for(lookout: Lookout) -> None:
    lookout.pass_time(lookout.row().interval / 60 - 1, every=1)
    said = lookout.comment("On its way")
    lookout.pass_time(2, every=0.5)
    lookout.deliver(lookout.change(said), work=False)
    lookout.pass_time(3, every=0.5)
    assert (texts(), marked(), missed()) == (["On its way"], [], [])


@pytest.mark.slow
def test_a_comment_that_waits_to_be_applied_is_not_missing(lookout: Lookout) -> None:
    said = lookout.comment("Waits")
    lookout.deliver(lookout.change(said), work=False)
    for _ in range(8 * 60):
        advance(MINUTE)
        while second_look.step_due(lookout.directory, pace=timedelta(0)):
            pass
    assert missed() == []
    lookout.work()
    assert texts() == ["Waits"]


def test_one_that_was_edited_before_it_was_found_is_there_once(lookout: Lookout) -> None:
    said = lookout.comment("How mcuh?")
    first = lookout.change(said)
    said.text = "How much?"
    later(lookout)
    assert (texts(), missed()) == (["How much?"], [said.id])
    lookout.deliver(first)
    lookout.deliver(lookout.change(said))
    assert len(texts()) == 1


def test_who_was_erased_stays_erased(lookout: Lookout) -> None:
    lookout.deliver(lookout.change(lookout.comment("Forget this")))
    lookout.comment("And this")
    kept = lookout.comment("Keep this", KIT)
    advance(MINUTE)
    of_ana = ContactIdentity.external_id == ANA
    erased = sa.update(ContactIdentity).where(of_ana).values(erased_at=clock.now())
    db.write(lambda session: session.execute(erased) and None)
    advance(MINUTE)
    later(lookout)
    assert missed() == [kept.id]


def test_one_that_was_deleted_is_not_put_back(lookout: Lookout) -> None:
    said = lookout.comment("Never mind")
    lookout.meta.box.world.comments.pop(said.id)
    later(lookout)
    assert (texts(), missed()) == ([], [])


def test_many_below_one_post_cost_one_reading(lookout: Lookout) -> None:
    later(lookout)
    lost = lookout.comment("First")
    for number in range(30):
        advance(timedelta(seconds=1))
        lookout.deliver(lookout.change(lookout.comment(f"More {number}", KIT)), work=False)
    lookout.work()
    calls = len(lookout.meta.calls("comment"))
    later(lookout)
    later(lookout)
    assert missed() == [lost.id], "it is found where the list does not reach"
    assert len(lookout.meta.calls("comment")) - calls == 1


def test_history_from_before_comments_were_switched_on_was_not_missed(lookout: Lookout) -> None:
    lookout.comment("Long ago").at -= 3 * 86400
    later(lookout)
    assert (texts(), missed()) == ([], [])


def test_the_list_of_posts_is_read_on_only_while_posts_are_recent(lookout: Lookout) -> None:
    page = lookout.adapter.newest(lookout.account, "")
    assert isinstance(page, NewestPage)
    assert (list(page.threads), page.after) == ([], ""), "one a day: the 25th is older than a week"


def test_an_author_without_an_id_goes_by_the_name(lookout: Lookout) -> None:
    found = lookout.ig.accounts.credentials(lookout.account.id)
    told = [{"username": "sample.pottery"}, {"username": "ana"}, {"from": {"id": POTTERY}}, {}]
    named = [lookout.ig.comments.second_look._named({"id": "1", **one}, found) for one in told]
    assert [one.ours for one in named] == [True, False, True, None]


def test_a_list_that_cannot_be_read_is_asked_for_again(lookout: Lookout) -> None:
    lost = lookout.comment("How much?")
    lookout.meta.fault("media", "error", code=1)
    later(lookout)
    assert lookout.row().problem is not None
    assert isinstance(lookout.adapter.newest(lookout.account, ""), HistoryTrouble)
    lookout.meta.box.faults.remove()
    later(lookout)
    assert (lookout.row().problem, missed()) == (None, [lost.id])
    with db.read() as session:
        assert [row.due_at for row in session.scalars(sa.select(SecondLookThread))] == [None]


def test_comments_are_checked_every_quarter_of_an_hour_at_most(ig: Addon) -> None:
    rules = ig.comments.capabilities.SECOND_LOOK
    found = {n: look_interval.choose(rules, n, 1, 0) for n in (0, 1, 5000)}
    assert {n: int(interval / MINUTE) for n, (interval, _) in found.items()} == {0: 360, 1: 15, 5000: 15}
    assert [found[n][1] for n in found] == ["quiet", "", ""]
    assert look_interval.choose(rules, 5, 1, 90) == (timedelta(hours=1), "limit")


def test_the_row_of_a_comments_account_says_how_it_is_checked(
    lookout: Lookout, ig: Addon, data: Path
) -> None:
    directory = Directory(
        [ig.channel.InstagramAdapter(), lookout.adapter], [ig.card.CARD, ig.comments.card.CARD]
    )
    app = helpers.build_app(data, generation=helpers.StandInGeneration(directory=directory))
    workspace = lookout.account.workspace_id
    owner = helpers.client_for(app, helpers.make_user(workspace=workspace, role=Role.OWNER))

    def said() -> str:
        page = owner.get(f"/w/{workspace}/settings/channels").get_data(as_text=True)
        row = page.partition(f'id="account-{lookout.account.id}"')[2].partition("</article>")[0]
        return " ".join(re.sub(r"<[^>]+>", "", row.partition("data-look>")[2].partition("</p>")[0]).split())

    assert "Not checked for undelivered messages" in said()
    later(lookout)
    assert ": nothing missing." in said()
    lookout.comment("How much?")
    later(lookout)
    assert ": 1 message missed in 7 days." in said()
