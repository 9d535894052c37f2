"""What the conditions of rules find: in words, with patterns, and in conversations, as the database does."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import regex
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.automation import condition_facts as facts
from host.automation import conditions
from host.automation.actions import ActionTargets
from host.automation.conditions import (
    ActorCondition,
    AnyOf,
    Concerns,
    Condition,
    ConditionResult,
    Contact,
    Facts,
    FilterCondition,
    OfAddon,
    Open,
    Pattern,
    Sent,
    Window,
    Words,
    WroteBefore,
    decide,
    lets_through,
)
from host.core import clock, db
from host.core.backports.values import replace
from host.inbox import names, queries
from host.inbox.contacts.models import AttributeKind, ContactAttribute
from host.inbox.labels import models as labels
from host.inbox.queries import AnyTeam, Assignee, ConversationFilter
from host.inbox.saved_views import condition_of, filter_of
from host.inbox.teams.models import Team
from host.models import inbox, mentions
from host.models.inbox import ConversationStatus, Handler, SnoozeKind
from host.rules import body
from host.rules.body import RuleError, RuleTargets
from tests.helpers import takes_at_most
from tests.inbox import toys
from tests.rules.ruled import Ruled

YES, NO = ActorCondition("customer"), ActorCondition("user")
BY_CUSTOMER = Facts(actor="customer")

# ---- all of them, in order -----------------------------------------------------------------------------


def test_the_first_that_does_not_hold_ends_it() -> None:
    holds, trace = decide([YES, NO, YES], BY_CUSTOMER)
    assert not holds
    assert trace == (
        ConditionResult(True, "customer"),
        ConditionResult(False, "customer"),
        ConditionResult(None),
    )
    assert decide([], BY_CUSTOMER) == (True, ())


@given(st.lists(st.sampled_from([YES, NO])))
def test_what_holds_is_what_all_say(asked: list[Condition]) -> None:
    holds, trace = decide(asked, BY_CUSTOMER)
    assert holds is (NO not in asked)
    assert len(trace) == len(asked)
    first = asked.index(NO) if NO in asked else len(asked)
    wanted = [True] * first + [False] * (NO in asked) + [None] * (len(asked) - first - 1)
    assert [one.holds for one in trace] == wanted


@given(st.lists(st.sampled_from([YES, NO, Words(("order",)), Open(False)]), min_size=2), st.booleans())
def test_of_a_group_one_is_enough(asked: list[Any], is_open: bool) -> None:
    known = replace(BY_CUSTOMER, text="my order", is_open=is_open)
    one_by_one = [conditions.ask(one, known) for one in asked]
    found = conditions.ask(AnyOf(tuple(asked)), known)
    assert found.holds is any(one.holds for one in one_by_one)
    which = next((at for at, one in enumerate(one_by_one) if one.holds), len(asked) - 1)
    assert found == one_by_one[which]._replace(which=which)


@pytest.mark.parametrize(
    ("condition", "known", "holds"),
    [
        (Sent(("image", "video")), Facts(kind="video"), True),
        (Sent(("image", "video")), Facts(kind=""), False),
        (Open(), Facts(is_open=True), True),
        (Open(False), Facts(is_open=True), False),
        (Window("people"), Facts(window="people"), True),
        (Window("closed"), Facts(window=""), False),
        (WroteBefore(), Facts(wrote_before=datetime(2026, 1, 1, tzinfo=UTC)), True),
        (WroteBefore(), Facts(), False),
        (WroteBefore(False), Facts(), True),
        (Contact(3, "Gold"), Facts(attributes={3: " gold"}), True),
        (Contact(3, "Gold"), Facts(attributes={3: "silver"}), False),
        (Contact(3, "Gold"), Facts(attributes={4: "gold"}), False),
        (Contact(3), Facts(attributes={3: "anything"}), True),
        (Contact(3), Facts(), False),
        (Contact(3, "Gold", negated=True), Facts(), True),
        (Concerns(label=2), Facts(concerns={"label": 2}), True),
        (Concerns(label=2), Facts(concerns={"label": 3}), False),
        (Concerns(team=2, person=1), Facts(concerns={"team": 2}), False),
        (Concerns(), Facts(), True),
        (ActorCondition("key"), Facts(actor="key"), True),
        (OfAddon("shop.buyer", "a"), Facts(addon={("shop.buyer", "a"): True}), True),
        (OfAddon("shop.buyer", "b"), Facts(addon={("shop.buyer", "a"): True}), False),
    ],
)
def test_what_each_asks(condition: Any, known: Facts, holds: bool) -> None:
    assert conditions.ask(condition, known).holds is holds


def test_an_addon_that_is_off_is_said() -> None:
    assert conditions.ask(OfAddon("shop.buyer"), Facts()) == ConditionResult(False, "missing")


# ---- words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("broken", "It came BROKEN!", True),
        ("broken", "all is unbroken", False),
        ("broken", "broken_part", False),
        ("in pieces", "it lies in \n  Pieces here", True),
        ("in pieces", "in two pieces", False),
        ("in pieces", "main pieces", False),
        ("straße", "MEINE STRASSE 5", True),
        ("Größe", "die gro\u0308\u00dfe", True),
        ("maß", "maßlos", False),
        ("iptal", "İPTAL lütfen", True),
        ("ışık", "IŞIK yok", True),
        ("ışık", "ışık yok", True),
        ("İade", "iade", True),
        ("退款", "我要退款，谢谢", True),
        ("退货", "我要退款，谢谢", False),
        ("คืนเงิน", "ขอคืนเงินด้วย", True),
        ("キャンセル", "注文をキャンセルしたい", True),
        ("キャンセル", "ｷｬﾝｾﾙ", True),
        ("order", "Ｏｒｄｅｒ", True),
        ("ﬁnal", "FINAL", True),
        ("😡", "broken😡😡", True),
        ("😡", "😀", False),
        ("👍", "👍🏽", True),
        ("c++", "I write C++, and no c", True),
        ("c++", "abc++", False),
        ("#1", "we are #1!", True),
        ("#1", "we are #12", False),
        (".*", "anything", False),
        ("отмена", "ОТМЕНА!", True),
        ("ΟΔΟΣ", "οδος", True),
        ("don't", "I DON'T know", True),
    ],
)
def test_whole_words_in_any_case(word: str, text: str, found: bool) -> None:
    assert conditions.ask(Words((word,)), Facts(text=text)) == ConditionResult(found, word if found else "")


def test_any_all_or_none_of_the_words() -> None:
    known = Facts(text="broken and late")
    for has, words, holds in (
        ("any", ("late", "lost"), True),
        ("any", ("lost",), False),
        ("all", ("late", "broken"), True),
        ("all", ("late", "lost"), False),
        ("none", ("lost",), True),
        ("none", ("lost", "late"), False),
    ):
        assert conditions.ask(Words(words, has), known).holds is holds  # type: ignore[arg-type]


def test_the_first_ten_thousand_letters_are_read() -> None:
    fill = "x " * (conditions.MOST_READ // 2 - 3)
    assert conditions.ask(Words(("late",)), Facts(text=f"{fill} late")).holds
    assert not conditions.ask(Words(("late",)), Facts(text=f"{fill} xxxxxx late")).holds


_LETTERS = st.text("aAbBßẞİıi̇Iſ ﬁ_1.😀退คืンǰΣς\u0301", max_size=12)


@given(_LETTERS, _LETTERS, _LETTERS)
def test_a_word_is_found_between_blanks_however_it_is_written(word: str, before: str, behind: str) -> None:
    words = " ".join(word.split())
    if not words or regex.match(r"\p{M}", conditions.folded(words)):
        return
    for written in (words, words.upper(), words.casefold()):
        # Not all letters have a way back from capitals: what is written is looked for as it is folded.
        if conditions.folded(written) == conditions.folded(words):
            text = f"{before} {written} {behind}"
            assert conditions.ask(Words((words,)), Facts(text=text)).holds, (words, text)


# ---- patterns ------------------------------------------------------------------------------------------

THERE = RuleTargets(ActionTargets({}, {}, {}, {}))
EXPLODING = ["(a+)+$", "(x+x+)+y", r"(\w+\s?)*$", "(.*,)*x", r"(\d+)+$", "(a|aa)+$", r"(-+)+$", "(ä|ä)*$"]


def _save(*asked: Condition) -> body.Body:
    rule = body.Body(when="message.received", conditions=asked, actions=(body.Close(),))
    return body.checked(rule, THERE)


def test_a_value_that_an_attribute_never_has_is_refused() -> None:
    size = ContactAttribute(id=1, name="Size", kind=AttributeKind.CHOICE, choices=["S", "M"])
    there = replace(THERE, attributes={1: "Size"}, details={1: size})
    rule = body.Body(when="message.received", actions=(body.Close(),), conditions=(Contact(1, "m"),))
    assert body.checked(rule, there).conditions == (Contact(1, "m"),)
    group = AnyOf((Contact(1), Contact(1, "XL")))
    for condition, field in ((Contact(1, "XL"), "conditions.0"), (group, "conditions.0.1")):
        with pytest.raises(body.RuleError) as refused:
            body.checked(replace(rule, conditions=(condition,)), there)
        assert refused.value.field == field
        assert "“XL”" in str(refused.value.sentence)


@pytest.mark.parametrize("pattern", EXPLODING)
def test_a_pattern_that_explodes_is_refused_with_its_place(pattern: str) -> None:
    with pytest.raises(RuleError) as refused:
        _save(YES, AnyOf((YES, Pattern(pattern))))
    assert refused.value.field == "conditions.1.1"


@pytest.mark.parametrize("text", ["a" * 10_000 + "!a", "x" * 10_000 + "!y", "," * 10_000 + "!x", "1" * 9999])
@pytest.mark.parametrize("pattern", EXPLODING)
def test_one_that_is_there_anyway_is_bounded(pattern: str, text: str) -> None:
    with takes_at_most(30):
        asked = conditions.ask(Pattern(pattern), Facts(text=text))
    assert asked.saw in {"", "timeout"}


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", "*", "[a", r"\L<x>", "(?V0)a", " ", "a" * 301),
        *("(?:(?:a{1000}){1000}){1000}", "((((((a?){99}){99}){99}){99}){99}){99}", "a{99999999}"),
    ],
)
def test_what_is_no_pattern_or_too_large_is_refused(pattern: str) -> None:
    with takes_at_most(30):
        with pytest.raises(RuleError) as refused:
            _save(Pattern(pattern))
    assert refused.value.field == "conditions.0"


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(order|invoice)\s*#?\d+", "My ORDER #4711", True),
        (r"(order|invoice)\s*#?\d+", "my order", False),
        ("broken.*refund", "It is broken, I want a refund", True),
        (r"\d{4}-\d{2}-\d{2}", "on 2026-11-22", True),
        (r"\bRA-[0-9A-F]{8}\b", "ra-0011aaff", True),
        (r"^\s*stop\s*$", " STOP ", True),
        ("groß", "GROSS", True),
        (r".*a.*b", "xxaxxb", True),
    ],
)
def test_a_pattern_finds_in_any_case(pattern: str, text: str, found: bool) -> None:
    _save(Pattern(pattern))
    assert conditions.ask(Pattern(pattern), Facts(text=text)).holds is found


@settings(max_examples=200)
@given(st.text(r"ab(|)*+?{2,}[]\wd.^$-", max_size=14), st.text("ab1 -", max_size=40))
def test_whatever_is_written_as_a_pattern_is_refused_or_asked(pattern: str, text: str) -> None:
    try:
        _save(Pattern(pattern))
    except RuleError:
        return
    assert conditions.ask(Pattern(pattern), Facts(text=text)).holds in {True, False}


# ---- conversations, as the database finds them ---------------------------------------------------------

ROWS = 400
CHANNELS = ("email", "toy")


class Many:
    """A workspace with conversations in every state, and what filters may name there."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.workspace = toys.make_workspace()
        self.people = [toys.make_user(self.workspace, f"P{number}") for number in range(3)]
        targets = (None, 30, 600)
        self.accounts = [
            toys.make_account(self.workspace, channel, reply_target=target)
            for channel in CHANNELS
            for target in targets
        ]
        self.labels, self.teams, self.ids = db.write(self._rows)

    def _rows(self, session: Session) -> tuple[list[int], list[int], list[int]]:
        now, here = clock.now(), {"workspace_id": self.workspace, "created_at": clock.now()}
        made = [
            labels.Label(**here, name=name, name_key=names.name_key(name), tone="grey") for name in "abcd"
        ]
        given = [Team(**here, name=name, name_key=names.name_key(name)) for name in "st"]
        session.add_all([*made, *given])
        session.flush()
        # As activating an addon does; the column is then of every channel.
        session.execute(sa.text("PRAGMA ignore_check_constraints=ON"))
        ids = []
        for number in range(ROWS):
            ids.append(self._conversation(session, number, [one.id for one in given], here, now))
            for label in self.chance.sample(made, self.chance.choice((0, 0, 1, 2, 4))):
                session.add(
                    labels.ConversationLabel(
                        conversation_id=ids[-1], label_id=label.id, at=here["created_at"]
                    )
                )
        session.flush()
        session.execute(sa.text("PRAGMA ignore_check_constraints=OFF"))
        return [one.id for one in made], [one.id for one in given], ids

    def _conversation(
        self, session: Session, number: int, given: list[int], here: dict[str, Any], now: datetime
    ) -> int:
        chance = self.chance
        account = chance.choice(self.accounts)
        contact = inbox.Contact(**here)
        session.add(contact)
        session.flush()
        theirs = {**here, "contact_id": contact.id, "account_id": account.id}
        identity = inbox.ContactIdentity(**theirs, external_id=f"c{number}", profile={})
        session.add(identity)
        session.flush()

        def ago(share: float) -> datetime | None:
            return (
                now - timedelta(minutes=chance.choice((5, 29, 31, 599, 601)))
                if chance.random() < share
                else None
            )

        row = inbox.Conversation(
            **theirs,
            identity_id=identity.id,
            channel=account.channel,
            status=chance.choice(list(ConversationStatus)),
            handled_by=chance.choice(list(Handler)),
            assignee_id=chance.choice((None, *self.people)),
            team_id=chance.choice((None, *given)),
            waiting_since=ago(0.6),
            spam_at=ago(0.2),
            scheduled_at=ago(0.3),
            snooze_kind=chance.choice((None, None, SnoozeKind.REPLY)),
            failed_count=chance.choice((0, 0, 2)),
            last_message_at=now,
            last_preview="",
            last_direction="inbound",
            last_kind="text",
        )
        session.add(row)
        session.flush()
        for person in chance.sample(self.people, chance.choice((0, 0, 1, 2))):
            note = inbox.Message(
                workspace_id=self.workspace,
                conversation_id=row.id,
                account_id=account.id,
                direction="internal",
                origin="agent",
                kind="note",
                text="",
                content={},
                position=0,
                sent_at=now,
                created_at=now,
            )
            session.add(note)
            session.flush()
            session.add(mentions.Mention(message_id=note.id, user_id=person, conversation_id=row.id, at=now))
        return row.id

    def filters(self) -> st.SearchStrategy[ConversationFilter]:
        """Return every filter that a rule may have, with ids that are there and one that is not."""
        some = st.frozensets(st.sampled_from([*self.labels, 0]), max_size=3)
        person = st.sampled_from([*self.people, 0])
        yes_or_no = st.booleans()
        fields: dict[str, st.SearchStrategy[Any]] = {
            "status": st.sampled_from(ConversationStatus),
            "channel": st.sampled_from(CHANNELS),
            "account_id": st.sampled_from([one.id for one in self.accounts]),
            "assignee": person | st.just(Assignee.NOBODY),
            "team": st.sampled_from([*self.teams, 0, AnyTeam.NONE]),
            "handled_by": st.sampled_from(Handler),
            "mentioned": person,
            **dict.fromkeys(("labels", "all_labels", "no_labels"), some),
            **dict.fromkeys(("snoozed", "spam", "needs_reply", "failed", "late", "scheduled"), yes_or_no),
        }
        given = st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True)
        return given.flatmap(
            lambda chosen: st.builds(ConversationFilter, **{name: fields[name] for name in chosen})
        )


def test_a_condition_finds_what_the_database_finds(database: db.Database) -> None:
    """The one evaluator and the list say the same of every conversation, and both leave out spam alike."""
    many = Many(seed=7)
    now = clock.now()
    events = [facts.Event(id_, many.workspace, "", id_, None) for id_ in many.ids]
    every = {*conditions._FIELDS, *facts._LABELS}
    directory: Any = Ruled  # asked for nothing: neither windows nor addons are needed
    with db.read() as session:
        known = facts.seen(session, events, every, directory, now, {})
    assert len(known) == ROWS
    sizes: list[int] = []

    @settings(max_examples=150)
    @given(many.filters())
    def check(given: ConversationFilter) -> None:
        kept = condition_of(given)
        _, trace = decide([FilterCondition(kept)], next(iter(known.values())).facts)
        assert len(trace) == 1
        wanted = filter_of(kept)
        assert wanted.spam is bool(given.spam), "no spam unless it is asked for"
        with db.read() as session:
            query = queries.select_ids(wanted, many.workspace, None)
            theirs = set(session.scalars(query))
        ours = {id_ for id_ in many.ids if decide([FilterCondition(kept)], known[id_].facts)[0]}
        assert ours == theirs, kept
        assert ours == {id_ for id_ in many.ids if lets_through(wanted, known[id_].facts)}
        sizes.append(len(ours))

    check()
    assert len(set(sizes)) > 50, "of many sizes, so that something is compared"


def test_whoever_looks_is_nobody_to_a_rule() -> None:
    for mine in (
        ConversationFilter(assignee=Assignee.ME),
        ConversationFilter(mentioned=Assignee.ME),
        ConversationFilter(team=AnyTeam.MINE),
    ):
        assert not lets_through(mine, Facts(assignee_id=1, team_id=1, mentioned=frozenset({1})))
        with pytest.raises(RuleError, match="have conversations assigned to it"):
            _save(FilterCondition(condition_of(mine)))


@pytest.mark.parametrize(
    "kept", [{}, {"contact": "ana"}, {"accounts": [1]}, {"unknown": 1}, {"status": "asleep"}, {"labels": 5}]
)
def test_a_filter_that_a_rule_may_not_have(kept: dict[str, Any]) -> None:
    with pytest.raises(RuleError):
        _save(FilterCondition(kept))


def test_a_filter_of_a_later_lobby_lets_nothing_through() -> None:
    assert decide([FilterCondition({"status": "open", "mood": "bad"})], Facts()) == (
        False,
        (ConditionResult(False, "unreadable"),),
    )


def test_spam_is_left_out_unless_it_is_asked_for() -> None:
    spam, ham = Facts(spam=True), Facts()
    open_ = {"status": "open"}
    assert [decide([FilterCondition(open_)], one)[0] for one in (spam, ham)] == [False, True]
    assert [decide([FilterCondition({**open_, "spam": True})], one)[0] for one in (spam, ham)] == [
        True,
        False,
    ]


def test_what_a_condition_saw_is_never_what_a_customer_wrote() -> None:
    text = "my card is 4111 and it is broken"
    known = Facts(text=text, labels=frozenset({5}), attributes={1: "secret"}, assignee_id=7)
    asked: list[Any] = [
        Words(("broken",)),
        Pattern("[0-9]+"),
        Contact(1, "secret"),
        FilterCondition({"labels": [5], "assignee": 7}),
    ]
    holds, trace = decide(asked, known)
    assert holds
    assert [one.saw for one in trace] == ["broken", "", "same", "person:7, label:5"]
