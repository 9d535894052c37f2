"""How many private replies went out within the last hour is said beside the comment, as workers sent them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from host.core import clock, db
from host.core.backports.values import replace
from host.delivery.worker import drain
from host.inbox.comments import private_reply
from host.inbox.comments.private_reply import OfHour
from host.sdk.channel import (
    Capabilities,
    PrivateReplyLimits,
    ProviderProblem,
    Rejected,
    SendLimit,
    SendRequest,
    SendResult,
    Sent,
)
from host.sdk.messages import PostKind
from tests.inbox import desks, toys
from tests.inbox.boards import Board
from tests.inbox.desks import Desk
from tests.inbox.test_comments import page, words

LIMITS = PrivateReplyLimits(100, per_hour=750, uncounted=frozenset({PostKind.LIVE}))


class Counted(toys.Public):
    """Takes three private replies in an hour, although it says 750."""

    capabilities: ClassVar[Capabilities] = replace(toys.Public.capabilities, private_replies=LIMITS)

    def limits(self, request: object) -> list[SendLimit]:
        private = isinstance(request, SendRequest) and request.part.private
        return [SendLimit("private", 3, 3600, "Wait.")] if private else []

    def send(self, request: SendRequest) -> SendResult:
        if request.part.text == "Refused":
            return Rejected(ProviderProblem("1", "The provider says no.", "Reply publicly."))
        return Sent(f"sent-{request.part.reply_to}-{request.part.private}")


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, Counted())


@pytest.fixture
def board(desk: Desk) -> Board:
    made = Board(desk)
    made.post()
    made.post("live", "Rim plates, live", kind=PostKind.LIVE)
    return made


def used(desk: Desk) -> OfHour | None:
    with db.read() as session:
        return private_reply.of_hour(session, desk.account.id, LIMITS, clock.now())


def asked(board: Board, *people: str, text: str = "Here", post: str = "p1") -> None:
    for name in people:
        board.private(board.said(name, name, "TIDE", board.ago(minutes=5), post=post), text, board.now)


def test_what_was_handed_over_counts_for_an_hour(desk: Desk, board: Board) -> None:
    asked(board, "kit")
    assert used(desk) == OfHour(0, 750), "what waits is not used"
    drain(desk.generation)
    asked(board, "hal", text="Refused")
    asked(board, "dee", post="live")
    drain(desk.generation)
    talk = board.conversation("kit")
    assert used(desk) == OfHour(2, 750), "refused ones count at the provider, those on broadcasts do not"
    aside = words(page(desk, f"/{talk}").split('id="contact"')[1])
    assert "Limits Private replies in the last hour: 2 of 750" in aside
    assert "Private replies in the last hour" not in words(page(desk, f"/{board.conversation('dee')}"))
    direct = board.wrote("kit", "Kit L.", "Hi", board.now)
    assert "Private replies in the last hour" not in words(page(desk, f"/{direct}"))
    with clock.travel(timedelta(minutes=59)):
        assert used(desk) == OfHour(2, 750)
    with clock.travel(timedelta(minutes=61)):
        assert used(desk) == OfHour(0, 750)


def test_each_database_counts_them(any_database: db.Database, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    desk = desks.open_desk(tmp_path / "data", Counted())
    board = Board(desk)
    board.post()
    board.post("live", "Rim plates, live", kind=PostKind.LIVE)
    asked(board, "kit", "olu")
    asked(board, "dee", post="live")
    drain(desk.generation)
    assert used(desk) == OfHour(2, 750)


def test_what_waits_for_the_limit_is_not_used(desk: Desk, board: Board) -> None:
    asked(board, "ana", "bob", "cat", "dan", "eve")
    drain(desk.generation)
    assert used(desk) == OfHour(3, 750)
    board.said("zoe", "Zoe", "Hi", board.ago(minutes=1))
    other = toys.make_account(desk.workspace)
    with db.read() as session:
        assert private_reply.of_hour(session, other.id, LIMITS, clock.now()) == OfHour(0, 750)
        assert private_reply.of_hour(session, desk.account.id, None, clock.now()) is None
        assert (
            private_reply.of_hour(session, desk.account.id, replace(LIMITS, per_hour=None), clock.now())
            is None
        )


def test_the_share_is_a_length() -> None:
    assert [OfHour(n, 750).share for n in (0, 75, 750, 900)] == [0, 10, 100, 100]
