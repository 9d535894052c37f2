"""Below posts: an assistant is asked about comments it can answer in public, and about no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.assistants.models import Mode, TurnState
from host.core import clock, db
from host.sdk.messages import PostKind
from tests.assistants.assisting import Assisted
from tests.inbox import toys
from tests.inbox.boards import Board
from tests.inbox.desks import open_desk


@pytest.fixture
def assisted(database: db.Database, data: Path) -> Iterator[Assisted]:
    with Assisted(open_desk(data, toys.PUBLIC)).until_closed() as made:
        yield made


@pytest.mark.parametrize("mode", [Mode.SUGGEST, Mode.SHADOW, Mode.ANSWER])
def test_nothing_is_thought_about_comments_on_a_broadcast(assisted: Assisted, mode: Mode) -> None:
    assisted.attach(mode)
    board = Board(assisted.desk)
    board.post("live", kind=PostKind.LIVE)
    board.said("kit", "Kit L.", "Do you ship to Norway?", clock.now(), post="live")
    assert assisted.think() == []
    assert (assisted.turns(), assisted.model.asked) == ([], [])
    board.post("picture")
    board.said("kit", "Kit L.", "Do you ship to Norway?", clock.now(), post="picture")
    assert len(assisted.think()) == 1
    assert len(assisted.model.asked) == 1, "below a post that takes public replies it is asked"


def test_a_post_that_turns_out_to_be_a_broadcast_is_asked_about_no_more(assisted: Assisted) -> None:
    assisted.attach(Mode.ANSWER)
    board = Board(assisted.desk)
    board.post("p")
    board.said("kit", "Kit L.", "Do you ship to Norway?", clock.now(), post="p")
    assisted.read()
    board.post("p", kind=PostKind.LIVE)
    assert assisted.think() == [TurnState.DISCARDED]
    assert assisted.model.asked == []
    assert assisted.states() == [("discarded", "private_only")]
    assert assisted.automatic() == []
    # And what is thought about when it turns out is not shown.
    board.post("p", kind=PostKind.POST)
    board.said("kit", "Kit L.", "And to Sweden?", clock.now(), post="p")
    assisted.model.meanwhile = lambda: board.post("p", kind=PostKind.LIVE)
    assert assisted.think() == [TurnState.DISCARDED]
    assert assisted.states()[-1] == ("discarded", "private_only")
