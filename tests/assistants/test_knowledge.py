"""What fits a question is found in any script; the index follows what people write."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from host.assistants.knowledge import retrieval
from host.assistants.models import EntryState
from host.core import clock, db
from host.models.inbox import Message
from tests import helpers
from tests.assistants import making, pottery
from tests.inbox import toys


@pytest.fixture
def workspace(database: db.Database) -> int:
    return helpers.make_workspace("Sample Pottery")


@pytest.fixture
def assistant(workspace: int) -> int:
    return making.assistant(workspace)


@pytest.fixture
def known(workspace: int, assistant: int) -> dict[int, str]:
    """What the pottery knows: the keys of its entries by their ids."""
    return {
        making.entry(workspace, assistant, title, text, *asked): key
        for key, (title, text, asked) in pottery.ENTRIES.items()
    }


def found(assistant: int, question: str, **given: int) -> list[str]:
    with db.read() as session:
        return [one.title for one in retrieval.matching(session, assistant, question, **given)]


def test_the_right_topic_is_among_three(assistant: int, known: dict[int, str]) -> None:
    """28 of 30 when this was written, 27 of them first, with 39 topics offered in all."""
    among = first = offered = 0
    with db.read() as session:
        for question, wanted in pottery.ASKED:
            keys = [known[one.entry] for one in retrieval.topics(session, assistant, question)]
            assert len(keys) <= 3
            assert len(set(keys)) == len(keys)
            among += wanted in keys
            first += keys[:1] == [wanted]
            offered += len(keys)
        quiet = sum(not retrieval.topics(session, assistant, one) for one in pottery.NO_ANSWER)
    assert among >= 0.9 * len(pottery.ASKED)
    assert first >= 0.85 * len(pottery.ASKED)
    assert offered <= 1.5 * len(pottery.ASKED)
    assert quiet >= 0.5 * len(pottery.NO_ANSWER)


def test_a_model_is_given_what_answers(assistant: int, known: dict[int, str]) -> None:
    """It is given more than is offered: it can tell what answers."""
    with db.read() as session:
        given = [
            (wanted, [known[one.entry_id] for one in retrieval.matching(session, assistant, question)])
            for question, wanted in pottery.ASKED
        ]
    assert sum(wanted in keys for wanted, keys in given) >= 0.95 * len(given)
    assert all(len(keys) <= 8 for _wanted, keys in given)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Der Versand nach Österreich kostet 14 €.", "was kostet der VERSAND nach osterreich"),
        ("Доставка в Норвегию занимает неделю.", "сколько идёт доставка?"),
        ("التوصيل إلى النرويج يستغرق أسبوعا", "كم يستغرق التوصيل"),
        ("ノルウェーへの配送は一週間かかります。", "配送は何日ですか"),
        ("运送到挪威需要一周。", "运送要多久"),
        ("การจัดส่งไปนอร์เวย์ใช้เวลาหนึ่งสัปดาห์", "จัดส่งกี่วัน"),
        ("노르웨이까지 배송은 일주일 걸립니다.", "배송 얼마나 걸려요"),
        ("משלוח לנורווגיה לוקח שבוע", "כמה זמן לוקח משלוח"),
    ],
)
def test_words_are_found_in_any_script(workspace: int, assistant: int, text: str, question: str) -> None:
    making.entry(workspace, assistant, "Wanted", text)
    making.entry(workspace, assistant, "Other", "Glazes are free of lead.")
    assert found(assistant, question)[:1] == ["Wanted"]
    assert found(assistant, "!?") == []


def test_sources_are_numbered_and_say_where_they_stand(workspace: int, assistant: int) -> None:
    making.entry(workspace, assistant, "Prices", "Mugs cost 20 €.\fBowls cost 30 €, large bowls 40 €.")
    making.entry(workspace, assistant, "Bowls", "All bowls hold half a litre.")
    with db.read() as session:
        sources = retrieval.matching(session, assistant, "what do bowls cost?")
    assert [one.number for one in sources] == [1, 2, 3]
    assert [one.score for one in sources] == sorted((one.score for one in sources), reverse=True)
    (priced,) = [one for one in sources if "30 €" in one.text]
    assert (priced.place, priced.kind) == ("p. 2", "entry")
    assert priced.at is not None
    assert len(found(assistant, "what do bowls cost?", most=1)) == 1


def test_titles_and_questions_weigh_more_than_the_text(workspace: int, assistant: int) -> None:
    making.entry(workspace, assistant, "Text", "Also a word on vouchers, and more about other things here.")
    making.entry(
        workspace, assistant, "Asked", "It is valid for three years, on paper.", "Do you have vouchers?"
    )
    making.entry(workspace, assistant, "Vouchers", "It is valid for three years, on paper, by mail.")
    assert found(assistant, "vouchers") == ["Vouchers", "Asked", "Text"]


def test_a_single_entry_is_found_by_a_question_with_other_words(workspace: int, assistant: int) -> None:
    making.entry(workspace, assistant, "Shipping", "To Norway a parcel takes 4 to 6 days and costs 14 €.")
    asked = "Hello, I love your bowls! Do you ship abroad? Do you ship to Norway, and what does it cost?"
    assert found(assistant, asked) == ["Shipping"]
    assert found(assistant, "Is there parking behind the house?") == []


def test_what_is_not_ready_is_never_used(workspace: int, assistant: int) -> None:
    entry = making.entry(workspace, assistant, "Vouchers", "Vouchers are valid for three years.")
    assert found(assistant, "vouchers") == ["Vouchers"]
    for state in (EntryState.GONE, EntryState.FAILED, EntryState.WAITING):
        making.put(entry, state=state)
        assert found(assistant, "vouchers") == []
        with db.read() as session:
            assert retrieval.topics(session, assistant, "vouchers") == []
    making.put(entry, state=EntryState.READY)
    assert found(assistant, "vouchers") == ["Vouchers"]


def test_each_assistant_knows_its_own(workspace: int, assistant: int) -> None:
    making.entry(workspace, assistant, "Vouchers", "Vouchers are valid for three years.")
    other = making.assistant(workspace, "Other")
    assert found(other, "vouchers") == []
    assert found(10_000, "vouchers") == []


def test_the_index_is_made_once_for_a_version(
    workspace: int, assistant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    making.entry(workspace, assistant, "Vouchers", "Vouchers are valid for three years.")
    made: list[int] = []
    real = retrieval._made

    def slow(session: object, assistant_id: int) -> retrieval.Index:
        made.append(assistant_id)
        return real(session, assistant_id)  # type: ignore[arg-type]

    monkeypatch.setattr(retrieval, "_made", slow)
    begin = threading.Barrier(8)
    answers: list[list[str]] = []

    def ask() -> None:
        begin.wait()
        answers.append(found(assistant, "vouchers"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [["Vouchers"]] * 8
    assert made == [assistant]
    making.entry(workspace, assistant, "Gift vouchers", "Gift vouchers come by mail.")
    assert set(found(assistant, "vouchers")) == {"Vouchers", "Gift vouchers"}
    assert made == [assistant] * 2


def test_few_indexes_are_kept(workspace: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = retrieval._IndexCache(2)
    made: list[int] = []

    def make(number: int) -> retrieval.Index:
        made.append(number)
        return retrieval.Index()

    for number in (1, 2, 1, 3, 1, 2):
        kept.get(number, 1, lambda number=number: make(number))  # type: ignore[misc]
    assert made == [1, 2, 3, 2]


def test_what_was_used_is_counted(workspace: int, assistant: int) -> None:
    account = toys.make_account(workspace)
    sources = [
        [{"number": 1, "title": "A", "entry": 7}, {"number": 2, "title": "A", "entry": 7}],
        [{"number": 1, "title": "A", "entry": 7}, {"number": 2, "title": "B", "entry": 8, "used": False}],
        [{"number": 1, "title": "Hours", "kind": "hours"}],
    ]
    for number, of in enumerate(sources):
        toys.apply(account, toys.received(at=number))
        making.turn(assistant, toys.everything(Message)[-1].id, sources=of)
    with db.read() as session:
        assert retrieval.used(session, assistant, clock.now() - timedelta(days=30)) == {7: 2}
        assert retrieval.used(session, assistant, clock.now() + timedelta(days=1)) == {}
