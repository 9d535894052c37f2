"""A customer's own STOP and START: which messages are one, and what they come to in whatever order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.channels.directory import Directory
from host.core import clock, db
from host.events import reading
from host.events.bodies.building import build
from host.events.models import DomainEvent
from host.inbox import erasure
from host.inbox.apply import opt_out_words
from host.inbox.apply.changes import apply_changes
from host.inbox.apply.consent_rows import LATEST
from host.inbox.apply.consents import heard
from host.inbox.apply.opt_out_words import LANGUAGES, LONGEST, fold, word_in
from host.inbox.apply.values import ConsentAnswer, Standing
from host.inbox.contacts import consent, merging
from host.inbox.contacts.models import ContactEntry
from host.models.inbox import Contact, ContactIdentity, Message
from host.sdk.channel import AccountRef
from host.sdk.messages import InboundAttachment, MessageKind
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.contacts.test_contacts import contact_of, page_of
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.inbox.toys import START, apply, echoed, edited, incoming, received, unsent

EVERY = [
    pytest.param(text, closes, id=f"{language.name}-{text}")
    for language in LANGUAGES
    for closes, texts in ((True, language.closing), (False, language.opening))
    for text in texts
]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# ---- which messages are one ---------------------------------------------------------------------------


def test_there_are_twenty_languages_and_more() -> None:
    assert len({language.name for language in LANGUAGES}) >= 20
    assert all(language.closing for language in LANGUAGES)
    closing = {fold(text) for language in LANGUAGES for text in language.closing}
    opening = {fold(text) for language in LANGUAGES for text in language.opening}
    assert not closing & opening, "no word means one thing here and the other there"
    assert "" not in closing | opening


@pytest.mark.parametrize(("text", "closes"), EVERY)
def test_each_word_counts_however_it_is_written(text: str, closes: bool) -> None:
    shapes = [
        text,
        text.lower(),
        text.title(),
        f"  {text}\n",
        f"{text}!!!",
        f"“{text}.”",
        f"*{text}*",
        f"{text} 🙏🏽❤️",
        f"\u200f\ufeff{text}\u200b",
        text[0] + "\u2060" + text[1:],
        text.replace(" ", "\u00a0 "),
    ]
    for shape in shapes:
        word = word_in(shape)
        assert word is not None, ascii(shape)
        assert word.closes is closes


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("ＳＴＯＰ", "STOP"),
        ("𝐒𝐓𝐎𝐏", "STOP"),
        ("/stop", "STOP"),
        ("opt-out", "OPT OUT"),
        ("Opt–Out", "OPT OUT"),
        ("arret", "ARRÊT"),
        ("Desabonner", "DÉSABONNER"),
        ("odhlasit", "ODHLÁSIT"),
        ("wznow", "WZNÓW"),
        ("leiratkozas", "LEIRATKOZÁS"),
        ("σταση", None),
        ("στοπ", "ΣΤΟΠ"),
        ("Διακοπή", "ΔΙΑΚΟΠΗ"),
        ("abonelikten cik", "ABONELİKTEN ÇIK"),
        ("ABONELIKTEN ÇIK", "ABONELİKTEN ÇIK"),
        ("dung lai", "DỪNG LẠI"),
        ("bat dau", "BẮT ĐẦU"),
        ("تـــوقـــف", "توقف"),
        ("ايقاف", "إيقاف"),
        ("لغو۱۱", "لغو11"),
        ("ｽﾄｯﾌﾟ", "ストップ"),
        ("停止。", "停止"),
        ("¿PARAR?", "PARAR"),
    ],
)
def test_people_write_a_word_as_they_are_used_to(written: str, word: str | None) -> None:
    found = word_in(written)
    assert (found and found.text) == word


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "   ",
            "🛑",
            "...",
            "S",
            "stop it",
            "Stop by the shop?",
            "please stop",
            "non stop",
            "stop stop",
        ),
        *(
            "STOP 1",
            "1 STOP",
            "stopped",
            "bus stop",
            "S T O P",
            "s.t.o.p",
            "don't stop",
            "STOP\nand thank you",
        ),
        *(
            "cancel",
            "Cancel my order",
            "end",
            "quit",
            "no",
            "nein",
            "Nein danke",
            "basta",
            "genug",
            "yes",
            "ja",
        ),
        *(
            "annuler",
            "cancelar",
            "iptal",
            "dur",
            "ret",
            "red",
            "alta",
            "dung",
            "đúng",
            "dừng",
            "huy",
            "TD",
            "T",
        ),
        *(
            "取消",
            "取消订阅",
            "не надо",
            "отмена",
            "إلغاء",
            "لغو",
            "ביטול",
            "बंद",
            "그만",
            "취소",
            "ยกเลิก",
            "หยด",
        ),
        "ho\u0300",
    ],
)
def test_ordinary_talk_is_no_word(text: str) -> None:
    assert word_in(text) is None


@pytest.mark.parametrize("text", ["START?", "スタート？", "ابدأ؟", "¿REANUDAR?"])
def test_whoever_asks_opens_nothing(text: str) -> None:
    assert word_in(text) is None


WORDS = sorted({text for language in LANGUAGES for text in (*language.closing, *language.opening)})
FOLDED = {fold(word) for word in WORDS}


@given(st.sampled_from(WORDS), st.text(min_size=1, max_size=20), st.booleans())
def test_a_longer_message_never_counts(word: str, more: str, before: bool) -> None:
    text = f"{more} {word}" if before else f"{word} {more}"
    if any(char.isalnum() for char in fold(more)) and fold(text) not in FOLDED:
        assert word_in(text) is None
    assert word_in(word + "!" * LONGEST) is None


@given(st.text(max_size=LONGEST) | st.text("STOPstop\u0301\u200d\ud800 \n!-ßİı", max_size=12))
def test_whatever_is_written_is_a_word_of_the_table_or_none(text: str) -> None:
    word = word_in(text)
    assert word is None or word_in(word.text) == word


# ---- what they come to, without a database --------------------------------------------------------------

SAID = st.builds(
    ConsentAnswer,
    at=st.integers(0, 6).map(at),
    closes=st.booleans(),
    source=st.sampled_from(["STOP", "START", "told Mia"]),
    author_id=st.none(),
)


def told(standing: Standing, said: Iterable[ConsentAnswer]) -> Standing:
    for one in said:
        standing = heard(standing, one)
    return standing


@given(st.lists(SAID, max_size=7), st.data())
def test_the_order_of_answers_does_not_matter_nor_how_often_they_come(
    said: Sequence[ConsentAnswer], data: st.DataObject
) -> None:
    plain = told(Standing(), sorted(said, key=lambda one: one[:3]))
    other = told(Standing(), data.draw(st.permutations([*said, *said])))
    assert other[:3] == plain[:3]
    assert set(other.log) == set(plain.log)
    # The last one holds, and of two at one moment the stricter.
    last = max(said, default=None, key=lambda one: one[:3])
    assert (plain.since is not None) is (last is not None and last.closes)


@given(st.lists(SAID, max_size=5), SAID, st.integers(0, 6))
def test_what_is_known_without_a_note_is_only_outdone_by_what_is_later(
    said: Sequence[ConsentAnswer], one: ConsentAnswer, since: int
) -> None:
    """After an erasure, or a merge of two who disagreed."""
    standing = Standing(at(since), "by phone", 3, tuple(said))
    after = heard(standing, one)
    later = one.at > at(since) and all(one[:3] > each[:3] for each in said)
    assert (after.since is None) is (later and not one.closes)
    assert after.since is None or after.since in {at(since), one.at, *(each.at for each in said)}


# ---- on the desk --------------------------------------------------------------------------------------


def contact(id_: int | None = None) -> Contact:
    if id_ is None:
        found: Contact = toys.only(Contact)
        return found
    with db.read() as session:
        return session.get_one(Contact, id_)


def history() -> list[tuple[str, str, Any]]:
    return [(one.kind, one.text, one.content.get("message")) for one in toys.everything(ContactEntry)]


def events() -> list[tuple[str, dict[str, Any]]]:
    rows = [one for one in toys.everything(DomainEvent) if (one.kind or "").startswith("contact.opted")]
    return [(one.kind, json.loads(one.data)) for one in rows]


def lines() -> list[tuple[str, str]]:
    found = [message.content for message in toys.thread() if message.kind == "activity"]
    return [(one["what"], one["name"]) for one in found if "opted" in one["what"]]


@pytest.fixture
def anywhere(any_database: db.Database) -> AccountRef:
    return toys.make_account(toys.make_workspace())


def test_stop_closes_and_start_opens(anywhere: AccountRef) -> None:
    account = anywhere
    apply(account, received("Is it in stock?"))
    assert contact().accepts_automatic
    apply(account, received("Stop!! 🛑", at=10, external_id="m-stop"))
    stop = next(one for one in toys.everything(Message) if one.external_id == "m-stop")
    row = contact()
    assert not row.accepts_automatic
    assert (row.opted_out_at, row.opted_out_source, row.opted_out_by) == (at(10), "STOP", None)
    assert events() == [("contact.opted_out", {"contact": row.id, "word": "STOP", "message": stop.id})]
    assert history() == [("opted_out", "STOP", stop.id)]
    assert lines() == [("opted_out_by_message", "STOP")]
    apply(account, received("ok thanks", at=15))
    assert not contact().accepts_automatic
    apply(account, received("start", at=20))
    row = contact()
    assert (row.opted_out_at, row.opted_out_source, row.opted_out_by) == (None, None, None)
    assert [kind for kind, _ in events()] == ["contact.opted_out", "contact.opted_in"]
    assert lines()[1:] == [("opted_in_by_message", "START")]
    last = toys.everything(DomainEvent)
    said = next(one for one in last if one.kind == "contact.opted_in")
    assert (said.actor_kind, said.occurred_at, said.account_id, said.conversation_id) == (
        *("customer", at(20)),
        *(None, None),
    )


def test_the_first_message_of_somebody_may_be_the_word(anywhere: AccountRef) -> None:
    apply(anywhere, received("Отписаться"), received("停止", contact="bo"), received("hi", contact="cy"))
    rows = {one.external_id: contact(one.contact_id) for one in toys.everything(ContactIdentity)}
    assert {name: row.opted_out_source for name, row in rows.items()} == {
        "ana": "ОТПИСАТЬСЯ",
        "bo": "停止",
        "cy": None,
    }
    assert [kind for kind, _ in events()] == ["contact.opted_out"] * 2


def test_in_one_batch_and_told_twice(anywhere: AccountRef) -> None:
    stop, start, again = received("stop", at=1), received("start", at=2), received("STOPP", at=3)
    apply(anywhere, again, start, stop, start)
    apply(anywhere, stop, again)
    assert (contact().opted_out_at, contact().opted_out_source) == (at(3), "STOPP")
    assert [kind for kind, _ in events()] == ["contact.opted_out", "contact.opted_in", "contact.opted_out"]
    assert sorted(history(), key=lambda one: one[2])[0][0] != ""
    assert len(history()) == 3


@pytest.mark.parametrize(
    ("order", "since"),
    [
        ((1, 2), None),
        ((2, 1), None),
        ((1, 3, 2), 3),
        ((3, 2, 1), 3),
        ((2, 3, 1), 3),
        ((1, 3), 1),
        ((3, 1), 1),
    ],
)
def test_a_late_word_takes_its_place_by_the_providers_time(
    account: AccountRef, order: Sequence[int], since: int | None
) -> None:
    """STOP at 1, START at 2, STOP at 3, as they come in."""
    apply(account, received("Hello"))
    for second in order:
        apply(account, received("start" if second == 2 else "stop", at=second))
    assert contact().opted_out_at == (None if since is None else at(since))
    assert len(history()) == len(order)


def test_a_start_that_is_outdated_when_it_comes_leaves_no_line(account: AccountRef) -> None:
    apply(account, received("stop", at=5))
    apply(account, received("start", at=2))
    assert contact().opted_out_at == at(5)
    assert lines() == [("opted_out_by_message", "STOP")]
    apply(account, received("stop", at=8))
    assert lines() == [("opted_out_by_message", "STOP")] * 2, "each STOP has its answer in the thread"
    assert contact().opted_out_at == at(5), "since the first"
    assert len(events()) == 1


def test_start_alone_is_noted_and_changes_nothing(account: AccountRef) -> None:
    apply(account, received("/start"))
    assert (events(), lines()) == ([], [])
    assert [kind for kind, *_ in history()] == ["opted_in"]


@pytest.mark.parametrize("kind", ["text", "story_reply", "quick_reply", "postback"])
def test_a_tap_counts_as_what_it_says(account: AccountRef, kind: str) -> None:
    apply(account, received("Stop", kind=MessageKind(kind), content={"payload": "x"}))
    assert contact().opted_out_source == "STOP"


@pytest.mark.parametrize("kind", ["reaction", "share", "unsupported", "referral", "template", "image"])
def test_what_nobody_typed_does_not_count(account: AccountRef, kind: str) -> None:
    apply(account, received("Stop", kind=MessageKind(kind)))
    picture = InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/stop.jpg")
    apply(account, received("Stop", at=1, attachments=(picture,)))
    assert (contact().opted_out_at, history()) == (None, [])


def test_what_the_team_wrote_and_what_history_brings_does_not_count(account: AccountRef) -> None:
    old = received("STOP", at=1, external_id="old")
    apply(account, received("Hello"), echoed("STOP", at=2))
    db.write(apply_changes, [incoming(account, old)._replace(imported=True)])
    assert (contact().opted_out_at, history()) == (None, [])
    apply(account, old)
    assert contact().opted_out_at == at(1), "the provider delivered it after all"
    apply(account, old)
    assert len(history()) == 1


def test_an_edit_or_an_unsend_undoes_nothing_and_makes_nothing(anywhere: AccountRef) -> None:
    account = anywhere
    apply(account, edited("early", "never mind", at=3), unsent("gone", at=4))
    apply(account, received("STOP", at=1, external_id="early"), received("hi", at=2, external_id="later"))
    assert contact().opted_out_at == at(1)
    apply(account, received("start", at=5), edited("later", "STOP", at=6))
    assert contact().opted_out_at is None
    apply(account, received("stop", at=7, external_id="m"))
    apply(account, unsent("m", at=8), edited("m", "hi", at=9))
    assert contact().opted_out_at == at(7)
    apply(account, received("start", at=7.5), received("STOP", at=7.7, external_id="gone"))
    assert contact().opted_out_at == at(7.7), "it was taken back before it came"


def test_a_clock_that_is_ahead_does_not_outdo_what_the_team_notes(account: AccountRef) -> None:
    db.write(apply_changes, [incoming(account, received("stop", at=3600), received_at=at(0))])
    assert contact().opted_out_at == at(0)


def agree(contact_id: int, workspace: int, when: datetime, *, out: bool) -> None:
    if out:
        do(consent.opt_out, workspace, contact_id, "by phone", now=when)
    else:
        do(consent.opt_in, workspace, contact_id, now=when)


def test_what_the_team_noted_since_holds_against_a_word_that_comes_late(account: AccountRef) -> None:
    apply(account, received("stop", at=1))
    id_, workspace = contact().id, account.workspace_id
    agree(id_, workspace, at(10), out=False)
    apply(account, received("STOP", at=5))
    assert contact().opted_out_at is None
    agree(id_, workspace, at(20), out=True)
    apply(account, received("START", at=15))
    assert (contact().opted_out_at, contact().opted_out_source) == (at(20), "by phone")
    apply(account, received("START", at=25))
    assert contact().opted_out_at is None, "START opens whoever closed it"


def test_start_ends_no_block(account: AccountRef) -> None:
    apply(account, received("stop"))
    toys.change_row(Contact, contact().id, blocked_at=at(1))
    apply(account, received("start", at=2))
    row = contact()
    assert (row.opted_out_at, row.blocked_at) == (None, at(1))
    assert not row.accepts_automatic
    assert lines() == [("opted_out_by_message", "STOP")], "it would not be true of who is blocked"


def two(workspace: int) -> tuple[list[AccountRef], list[int]]:
    accounts = [toys.make_account(workspace) for _ in range(2)]
    for number, account in enumerate(accounts):
        apply(account, received("Hello", contact=f"c{number}"))
    return accounts, [one.contact_id for one in toys.everything(ContactIdentity)]


def merge(workspace: int, ids: Sequence[int]) -> int:
    return do(merging.merge, workspace, ids[0], ids[1]).id


def split(workspace: int, ids: Sequence[int], merge_id: int) -> None:
    do(merging.split, workspace, ids[0], merge_id)


def test_of_those_who_were_merged_the_one_that_stays_is_meant(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    accounts, ids = two(workspace)
    apply(accounts[1], received("stop", at=1, contact="c1"))
    found = merge(workspace, ids)
    assert contact(ids[0]).opted_out_at == at(1)
    apply(accounts[0], received("START", at=0.5, contact="c0"))
    assert contact(ids[0]).opted_out_at == at(1), "what the other wrote is known"
    apply(accounts[1], received("STOP", at=60, contact="c1"))
    assert contact(ids[0]).opted_out_at == at(1)
    assert {one.contact_id for one in toys.everything(ContactEntry) if one.at == at(60)} == {ids[0]}
    split(workspace, ids, found)
    assert contact(ids[0]).opted_out_at == at(60), "they wrote it while they were one"
    assert contact(ids[1]).opted_out_at == at(1)


def test_a_stop_of_one_who_was_opted_out_holds_for_both_when_they_part(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    accounts, ids = two(workspace)
    apply(accounts[0], received("stop", at=1, contact="c0"))
    found = merge(workspace, ids)
    apply(accounts[1], received("STOP", at=60, contact="c1"))
    split(workspace, ids, found)
    assert [contact(id_).opted_out_at for id_ in ids] == [at(1), at(60)]


def test_a_start_while_they_were_one_opens_who_stays(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    accounts, ids = two(workspace)
    apply(accounts[1], received("stop", at=1, contact="c1"))
    found = merge(workspace, ids)
    apply(accounts[0], received("start", at=60, contact="c0"), received("hello", at=61, contact="c0"))
    assert contact(ids[0]).opted_out_at is None
    split(workspace, ids, found)
    assert contact(ids[0]).opted_out_at is None


def test_who_was_erased_stays_opted_out_until_they_write_start(account: AccountRef) -> None:
    apply(account, received("stop", at=1))
    with clock.travel(at(100) - clock.now()):
        do(erasure.erase, account.workspace_id, contact().id)
    assert (contact().opted_out_at, history()) == (at(1), [])
    apply(account, received("start", at=50))
    assert contact().opted_out_at == at(1), "what was said before is not looked at"
    apply(account, received("start", at=200))
    assert contact().opted_out_at is None


def test_who_goes_on_writing_it_is_looked_at_in_the_newest_few_answers(account: AccountRef) -> None:
    apply(account, *(received("stop", at=second) for second in range(LATEST + 10)))
    apply(account, received("START", at=30.5))
    assert contact().opted_out_at is not None
    apply(account, received("STOP", at=LATEST + 20), received("START", at=LATEST + 30))
    assert contact().opted_out_at is None


def test_programs_are_told_the_word_and_the_message(account: AccountRef) -> None:
    apply(account, received("Hello"), received("s t o p", at=1), received("Stop", at=2, external_id="m"))
    agree(contact().id, account.workspace_id, at(5), out=False)
    stop = next(one.id for one in toys.everything(Message) if one.external_id == "m")
    db.write(reading.number)
    with db.read() as session:
        recorded = reading.after(session, reading.BEGINNING, 50).events
        made = list(build(session, recorded, Directory([toys.TOY]), "https://desk.example"))
    bodies = [json.loads(one.body.body) for _, told_of in made for one in told_of]
    found = [body["data"] for body in bodies if body["event"].startswith("contact.")]
    for one in found:
        one.pop("timestamp")
    id_ = str(contact().id)
    assert found == [{"id": id_, "word": "STOP", "messageId": str(stop)}, {"id": id_}]


# ---- any order, on every database ------------------------------------------------------------------------

STORY = st.lists(st.sampled_from(["stop", "start", "hi", "STOPP", "Start!"]), min_size=1, max_size=6)


def lived(account: AccountRef, batches: Sequence[Sequence[Any]]) -> object:
    for batch in batches:
        apply(account, *batch)
    with db.read() as session:
        row = session.scalars(
            sa.select(Contact)
            .join(ContactIdentity, ContactIdentity.contact_id == Contact.id)
            .where(ContactIdentity.account_id == account.id)
        ).one()
        entries = session.execute(
            sa.select(ContactEntry.kind, ContactEntry.text, ContactEntry.at)
            .where(ContactEntry.contact_id == row.id)
            .order_by(ContactEntry.at)
        ).all()
    return row.opted_out_at, row.opted_out_source, [tuple(one) for one in entries]


HELD = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def live_any_order(said: Sequence[str], data: st.DataObject) -> None:
    workspace = toys.make_workspace()
    changes = [received(text, at=number, external_id=f"m{number}") for number, text in enumerate(said)]
    order = data.draw(st.permutations([*changes, *changes[:2]]))
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=len(order), max_size=len(order)))
    batches, rest = [], list(order)
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    plain = lived(toys.make_account(workspace), [[one] for one in changes])
    assert lived(toys.make_account(workspace), batches) == plain


@settings(max_examples=40, **HELD)
@given(STORY, st.data())
def test_the_desk_ends_up_the_same_in_whatever_order(
    database: db.Database, said: Sequence[str], data: st.DataObject
) -> None:
    live_any_order(said, data)


@pytest.mark.slow
@settings(max_examples=60, **HELD)
@given(STORY, st.data())
def test_the_same_on_every_database(
    any_database: db.Database, said: Sequence[str], data: st.DataObject
) -> None:
    live_any_order(said, data)


# ---- what it costs, and who waits for whom ---------------------------------------------------------------


def cost(database: db.Database, account: AccountRef, *texts: str) -> int:
    begin = len(toys.everything(Message))
    changes = [received(text, at=begin + n, contact=f"c{n % 3}") for n, text in enumerate(texts)]
    with toys.Statements(database) as asked:
        apply(account, *changes)
    return len(asked.seen)


def test_a_batch_without_such_a_word_asks_nothing_more(
    account: AccountRef, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(account, *(received("Hello", contact=f"c{n}") for n in range(3)))
    plain = cost(database, account, *["Where is it?"] * 6)
    with monkeypatch.context() as patch:
        patch.setattr(opt_out_words, "_WORDS", {})
        assert cost(database, account, *["stop"] * 6) == plain
    # The contacts, their answers, their rows, the answers' rows, their conversations.
    assert cost(database, account, "stop", *["Where is it?"] * 5) == plain + 5
    assert cost(database, account, *["start", "stop"] * 3) <= plain + 5


@pytest.mark.slow
def test_words_merges_and_people_who_note_the_same_do_not_wait_in_a_circle(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    accounts, ids = two(workspace)
    found = merge(workspace, ids)
    db.take_undone()
    troubles: list[BaseException] = []
    stop = threading.Event()

    def again(step: Any) -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                step(number)
        except Exception as error:  # noqa: BLE001 - shown by the test
            troubles.append(error)

    def word(which: int) -> Any:
        name = f"c{which}"
        return lambda n: apply(
            accounts[which], received(("stop", "start", "hi")[n % 3], at=n, contact=name, contact_name="C")
        )

    def person(n: int) -> None:
        agree(ids[0], workspace, at(n), out=n % 2 == 0)

    threads = [threading.Thread(target=again, args=(one,)) for one in (word(0), word(1), word(1), person)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(12):
            split(workspace, ids, found)
            found = merge(workspace, ids)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    # A person may meet a contact that is a part of another at that moment; nothing else goes wrong.
    assert [one for one in troubles if not isinstance(one, merging.ContactNotFoundError)] == []
    assert db.take_undone().get("deadlock", 0) == 0


# ---- as people see it ------------------------------------------------------------------------------------


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def test_the_thread_the_contact_and_the_list_say_so(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("rosa.sample", "Rosa S.", "The lid arrived cracked", scene.ago(hours=2))
    scene.said("jon.b", "Jon B.", "Hello", scene.ago(hours=2))
    scene.said("rosa.sample", "Rosa S.", "STOP", scene.ago(hours=1))
    thread = desk.browser.get(desk.path(f"/{scene.conversation('rosa.sample')}")).text
    assert "They wrote “STOP” and opted out of automated messages. You can still reply." in thread
    assert "Opted out" in thread
    rosa = contact_of(scene, "rosa.sample")
    page = desk.browser.get(page_of(desk, rosa)).text
    assert "Automated messages: opted out" in page
    assert page.count("They wrote “STOP”") == 2, "where it stands and in what happened"
    chosen = desk.browser.get(f"/w/{desk.workspace}/contacts?only=opted_out").text
    assert "Rosa S." in chosen
    assert "Jon B." not in chosen
    scene.said("rosa.sample", "Rosa S.", "Start", scene.ago(minutes=5))
    page = desk.browser.get(page_of(desk, rosa)).text
    assert "Not opted out" in page
    assert "They wrote “START”" in page
    assert (
        "and opted in to automated messages again"
        in desk.browser.get(desk.path(f"/{scene.conversation('rosa.sample')}")).text
    )


def test_a_person_may_still_answer(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("rosa.sample", "Rosa S.", "STOP", scene.ago(hours=1))
    assert scene.reply("rosa.sample", "We are sorry to hear that.", scene.now)
