"""What was asked and not answered, and what the team answers again and again: read, never copied."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unicodedata import normalize

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from host.assistants import assistants
from host.assistants.knowledge import learning, similarity
from host.assistants.knowledge.learning import Draft, Gap
from host.assistants.models import DismissedAnswer, KnowledgeEntry, TurnState
from host.core import clock, db
from host.models.inbox import DeliveryState, Direction, Message, Origin
from host.sdk.channel import AccountRef
from tests import helpers
from tests.assistants import making
from tests.helpers import do
from tests.inbox import toys

SINCE = toys.START - timedelta(days=30)


@pytest.fixture
def workspace(database: db.Database) -> int:
    return helpers.make_workspace("Sample Pottery")


@pytest.fixture
def account(workspace: int) -> AccountRef:
    return toys.make_account(workspace)


@pytest.fixture
def assistant(workspace: int) -> int:
    return making.assistant(workspace)


@pytest.fixture
def mia(workspace: int) -> int:
    return toys.make_user(workspace)


def said(account: AccountRef, text: str, contact: str = "ana", **given: Any) -> int:
    """Have a customer write *text*; return the id of the message."""
    toys.apply(account, toys.received(text, contact=contact, **given))
    with db.read() as session:
        return session.scalars(sa.select(sa.func.max(Message.id))).one()


def answered(
    to: int, text: str, author: int | None, *, origin: str = Origin.AGENT, at: float = 60, **given: Any
) -> int:
    """Store an answer to the message *to*; return its id."""

    def use_case(session: Any) -> int:
        message = session.get_one(Message, to)
        row = Message(
            **{
                "workspace_id": message.workspace_id,
                "conversation_id": message.conversation_id,
                "account_id": message.account_id,
                "direction": Direction.OUTBOUND,
                "origin": origin,
                "kind": "text",
                "text": text,
                "content": {},
                "author_id": author,
                "state": DeliveryState.SENT,
                "sent_at": message.sent_at + timedelta(seconds=at),
                "created_at": clock.now(),
                **given,
            }
        )
        session.add(row)
        session.flush()
        return int(row.id)

    return db.write(use_case)


def gaps(assistant: int, accounts: frozenset[int] | None = None) -> list[Gap]:
    with db.read() as session:
        return learning.gaps(session, assistant, SINCE, accounts)


def drafts(account: AccountRef, assistant: int | None = None) -> list[Draft]:
    with db.read() as session:
        return learning.past_answers(
            session, account.workspace_id, [account.id], since=SINCE, assistant_id=assistant
        )


# ---- groups --------------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(st.lists(st.text(max_size=30), max_size=40), st.booleans())
def test_each_text_is_in_one_group(texts: list[str], weighted: bool) -> None:
    groups = similarity.grouped(texts, least=0.5, weighted=weighted)
    assert sorted(place for group in groups for place in group) == list(range(len(texts)))
    assert [len(group) for group in groups] == sorted((len(group) for group in groups), reverse=True)
    for group in groups:
        first = texts[group[0]]
        assert all(texts.index(first) == group[0] for _one in group[:1])


def test_the_same_text_is_one_group_in_any_script() -> None:
    texts = [
        "Wo kann ich parken?",
        "駐車場はありますか",
        "👍",
        "👍",
        "wo kann ich PARKEN",
        "駐車場はありますか？",
        "Kiln",
    ]
    assert similarity.grouped(texts, least=0.6) == [[0, 4], [1, 5], [2, 3], [6]]


# ---- asked and not answered ----------------------------------------------------------------------------


def test_questions_without_an_answer_are_put_together(account: AccountRef, assistant: int) -> None:
    for number, text in enumerate(
        [
            "Is there parking at the studio?",
            "where is the parking at the studio",
            "parking at your studio?",
            "Do you fire other people's pots?",
            "can you fire other pots",
            "Do you sell candles?",
        ]
    ):
        making.turn(assistant, said(account, text, f"c{number}"))
    found = gaps(assistant)
    assert [one.count for one in found] == [3, 2, 1]
    assert found[0].question == "parking at your studio?"
    assert set(found[0].examples) == {"Is there parking at the studio?", "where is the parking at the studio"}
    assert found[1].question == "Do you fire other people's pots?"
    assert {one.reason for one in found} == {"no_source"}


def test_only_what_has_no_answer_is_shown(account: AccountRef, assistant: int) -> None:
    for values in (
        {"state": TurnState.SENT, "reason": None},
        {"reason": "asked_for_person"},
        {"state": TurnState.FAILED, "reason": "model_timeout"},
        {"created_at": SINCE - timedelta(days=1)},
    ):
        making.turn(assistant, said(account, "Do you sell candles?", str(values)), **values)
    assert gaps(assistant) == []
    making.turn(assistant, said(account, "Any lamps?", "c"), state=TurnState.FAILED, reason="no_topics")
    assert [one.question for one in gaps(assistant)] == ["Any lamps?"]
    assert gaps(assistant + 1) == []


def test_a_turn_reads_as_many_messages_as_it_did(account: AccountRef, assistant: int) -> None:
    said(account, "An older question?")
    said(account, "hello", at=1)
    last = said(account, "do you have lamps?", at=2)
    said(account, "a newer one", at=3)
    making.turn(assistant, last, messages=2)
    assert gaps(assistant)[0].question == "hello do you have lamps?"


def test_what_was_taken_back_is_gone(account: AccountRef, assistant: int) -> None:
    message = said(account, "my number is 0171 1234567, where do I park?")
    turn = making.turn(assistant, message)
    assert len(gaps(assistant)) == 1
    external = toys.thread()[0].external_id
    assert external is not None
    toys.apply(account, toys.unsent(external, at=5))
    assert gaps(assistant) == []
    with db.read() as session:
        assert learning.question_of(session, assistant, turn, None) is None


def test_questions_of_accounts_that_somebody_does_not_see_are_not_shown(
    workspace: int, account: AccountRef, assistant: int
) -> None:
    other = toys.make_account(workspace)
    making.turn(assistant, said(account, "Do you sell candles?"))
    turn = making.turn(assistant, said(other, "Is there parking?"))
    assert [one.question for one in gaps(assistant, frozenset({account.id}))] == ["Do you sell candles?"]
    assert gaps(assistant, frozenset()) == []
    with db.read() as session:
        assert learning.question_of(session, assistant, turn, frozenset({account.id})) is None
        found = learning.question_of(session, assistant, turn, frozenset({other.id}))
    assert found is not None
    assert found[0] == "Is there parking?"


def test_alike_answers_of_the_team_are_named(account: AccountRef, assistant: int, mia: int) -> None:
    for number in range(3):
        message = said(account, "Is there parking at the studio?", f"c{number}")
        making.turn(assistant, message)
        answered(message, "There are three places in the yard, behind the house.", mia)
        answered(message, "Anything else?", mia, at=90)
    (found,) = gaps(assistant)
    assert (found.answers, found.by) == (3, ("Mia R.",))
    assert found.answer.startswith("There are three places")


def test_gaps_take_three_statements(database: db.Database, account: AccountRef, assistant: int) -> None:
    for number in range(6):
        making.turn(assistant, said(account, f"Do you sell lamp {number}?", f"c{number}"))
    with db.read() as session, toys.Statements(database) as asked:
        learning.gaps(session, assistant, SINCE, None)
    assert len(asked.seen) == 3


# ---- past answers --------------------------------------------------------------------------------------

YARD = "Hi {}, there are three places in the yard behind the house, and the tram 4 stops nearby."


def test_alike_answers_become_a_draft(account: AccountRef, mia: int) -> None:
    bo = toys.make_user(account.workspace_id, "Bo T.")
    for number, (question, name) in enumerate(
        [
            ("Is there parking?", "Ana"),
            ("where can we park at your studio on saturday", "Bea"),
            ("Parkplatz?", "Cleo"),
            ("Can I park?", "Dora"),
        ]
    ):
        message = said(account, question, f"c{number}", at=number)
        answered(message, YARD.format(name), bo if number else mia)
    answered(said(account, "thanks!", "e"), "You are welcome, have a lovely day and see you soon!", mia)
    (draft,) = drafts(account)
    assert draft.times == 4
    assert draft.by == ("Bo T.", "Mia R.")
    assert draft.text == YARD.format("Dora")
    assert draft.title == "Parkplatz?"
    assert draft.questions[:3] == ("Parkplatz?", "Can I park?", "Is there parking?")
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(KnowledgeEntry)) == 0


@pytest.mark.parametrize(
    "given",
    [
        {"origin": Origin.SYSTEM},
        {"origin": Origin.API},
        {"state": DeliveryState.FAILED},
        {"kind": "image"},
        {"unsent_at": toys.START},
        {"text": "Thanks!"},
        {"at": -86_400 * 60},
    ],
)
def test_what_no_person_said_is_no_answer(account: AccountRef, mia: int, given: dict[str, Any]) -> None:
    for number in range(4):
        message = said(account, "Is there parking?", f"c{number}")
        values = {"text": YARD.format("you"), **given}
        author = mia if "origin" not in given else None
        answered(message, values.pop("text"), author, **values)
    assert drafts(account) == []


def test_answers_from_the_app_of_the_channel_count(account: AccountRef) -> None:
    for number in range(3):
        message = said(account, "Is there parking?", f"c{number}")
        answered(message, YARD.format("you"), None, origin=Origin.PROVIDER)
    (draft,) = drafts(account)
    assert (draft.times, draft.by) == (3, ())


def test_two_answers_are_not_enough_and_other_accounts_do_not_count(
    workspace: int, account: AccountRef, mia: int
) -> None:
    other = toys.make_account(workspace)
    for number in range(3):
        message = said(account if number else other, "Is there parking?", f"c{number}")
        answered(message, YARD.format("you"), mia)
    assert drafts(account) == []


def test_what_is_known_already_is_not_offered(account: AccountRef, assistant: int, mia: int) -> None:
    for number in range(3):
        answered(said(account, "Is there parking?", f"c{number}"), YARD.format("you"), mia)
    making.entry(account.workspace_id, assistant, "Returns", "Within 30 days.")
    (draft,) = drafts(account, assistant)
    making.entry(account.workspace_id, assistant, draft.title, draft.text)
    assert drafts(account, assistant) == []


@pytest.mark.parametrize(
    ("text", "names", "found"),
    [
        ("Hi Ana, welcome", ["Ana"], [("Ana", "name")]),
        ("Banana and analysis", ["Ana", "Ana"], []),
        ("Write to ana.q+x@mail.example.com.", [], [("ana.q+x@mail.example.com", "mail")]),
        (
            "Call +49 171 123 45 67 or 0171/1234567",
            [],
            [("+49 171 123 45 67", "phone"), ("0171/1234567", "phone")],
        ),
        ("Order #10482 and SP-20991 left", [], [("#10482", "number"), ("SP-20991", "number")]),
        ("10482 is on its way", [], [("10482", "number")]),
        ("14 € in 2026, 4 to 6 days, 10-14, 220 °C", [], []),
        ("Grüße an Jörg.Ж, Жанна", ["Жанна"], [("Жанна", "name")]),
        ("a.*b (x", ["a.*b (x"], [("a.*b (x", "name")]),
    ],
)
def test_what_is_somebodys_is_marked(text: str, names: list[str], found: list[tuple[str, str]]) -> None:
    parts = learning.marked(text, names)
    assert "".join(one.text for one in parts) == text
    assert [(one.text, one.kind) for one in parts if one.kind] == found


@settings(max_examples=200)
@given(st.text(max_size=200), st.lists(st.text(max_size=5), max_size=4))
def test_marking_keeps_the_text(text: str, names: list[str]) -> None:
    assert "".join(one.text for one in learning.marked(text, names)) == text


def test_past_answers_take_five_statements(database: db.Database, account: AccountRef, mia: int) -> None:
    for number in range(5):
        answered(said(account, "Is there parking?", f"c{number}"), YARD.format("you"), mia)
    with db.read() as session, toys.Statements(database) as asked:
        learning.past_answers(session, account.workspace_id, [account.id], since=SINCE)
    assert len(asked.seen) == 3


# ---- what is not offered again -------------------------------------------------------------------------

PLACES = "There are three places in the yard behind the house, next to the tram stop at Mill Street."
VOUCHER = "A voucher is valid for three years and can be had for any sum from twenty euros on."


def dismiss(account: AccountRef, assistant: int, text: str) -> int:
    return do(learning.dismiss, account.workspace_id, assistant, text).id


def offered(account: AccountRef, assistant: int) -> list[tuple[str, bool]]:
    return [(one.text, bool(one.dismissed)) for one in drafts(account, assistant)]


def answer_thrice(account: AccountRef, mia: int, text: str, name: str) -> None:
    for number in range(3):
        answered(said(account, f"{name} no. {number}?", f"{name}{number}"), text, mia)


def test_a_dismissed_answer_is_offered_again_only_once_it_is_brought_back(
    account: AccountRef, assistant: int, mia: int
) -> None:
    answer_thrice(account, mia, PLACES, "Parking")
    answer_thrice(account, mia, VOUCHER, "Vouchers")
    assert {text for text, _ in offered(account, assistant)} == {PLACES, VOUCHER}
    id_ = dismiss(account, assistant, PLACES)
    assert dismiss(account, assistant, PLACES.upper()) == id_, "twice is once"
    assert offered(account, assistant) == [(VOUCHER, False), (PLACES, True)]
    other = making.assistant(account.workspace_id, "Other")
    assert all(not dismissed for _text, dismissed in offered(account, other)), "each has its own"
    nearly = PLACES.replace("three", "two")
    answer_thrice(account, mia, nearly, "More parking")
    assert [one for one in offered(account, assistant) if not one[1]] == [(VOUCHER, False)], (
        "alike is the same"
    )
    do(learning.bring_back, account.workspace_id, assistant, id_)
    assert not any(dismissed for _text, dismissed in offered(account, assistant))
    with pytest.raises(learning.NotDismissedError):
        do(learning.bring_back, account.workspace_id, assistant, id_)


def test_an_answer_of_other_words_is_offered_although_one_is_dismissed(
    account: AccountRef, assistant: int, mia: int
) -> None:
    dismiss(account, assistant, PLACES)
    answer_thrice(account, mia, "There are no places in the house, and none at the tram stop either.", "Park")
    assert [dismissed for _text, dismissed in offered(account, assistant)] == [False]


def test_nothing_it_says_is_kept_and_too_little_is_refused(
    account: AccountRef, assistant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dismiss(account, assistant, "Your order 10482 is on its way to Ana Quist in Oslo.")
    with db.read() as session:
        (row,) = session.scalars(sa.select(DismissedAnswer))
        assert all(isinstance(one, int) and 0 <= one < 2**16 for one in row.sketch)
    for text in ("", "Thanks!", " ".join(["thanks"] * 50)):
        with pytest.raises(learning.DismissedError):
            dismiss(account, assistant, text)
    monkeypatch.setattr(learning, "MOST_DISMISSED", 1)
    with pytest.raises(learning.DismissedError, match="500"):
        dismiss(account, assistant, PLACES)
    other = making.assistant(account.workspace_id, "Other")
    with pytest.raises(learning.NotDismissedError):
        do(learning.bring_back, account.workspace_id, other, row.id)


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_sketch_is_of_the_words_alone(one: str, other: str) -> None:
    assert learning.sketch(f"{one}\n{other}") == learning.sketch(f"{other} {one}")
    # Text without spaces gives its signs and its pairs of signs.
    assert len(learning.sketch(one)) <= 2 * len(normalize("NFKC", one.casefold()))


def test_dismissed_answers_work_on_each_database(any_database: db.Database) -> None:
    workspace = helpers.make_workspace("Sample Pottery")
    assistant = making.assistant(workspace)
    id_ = do(learning.dismiss, workspace, assistant, PLACES).id
    with db.read() as session:
        assert learning.dismissals(session, assistant) == (1, id_)
    do(assistants.delete, workspace, assistant)
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(DismissedAnswer)) == 0
