"""What is decided, for whatever may be known: never against a person, a wish or the hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from host.automation.deciding import (
    BUDGET,
    TALK,
    TOO_LATE,
    Arrival,
    ConversationFacts,
    Person,
    Sent,
    Settings,
    decide,
    route,
)
from host.automation.words import REASONS

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
moments = st.integers(0, 90 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))
maybe = st.none() | moments


@st.composite
def talks(draw: st.DrawFn) -> ConversationFacts:
    is_open = draw(st.booleans())
    wrote_at = draw(st.one_of(st.just(NOW), moments))
    opens_at = None if is_open else draw(st.none() | st.just(NOW + timedelta(hours=5)))
    return ConversationFacts(
        now=NOW,
        wrote_at=wrote_at,
        sent=draw(st.sampled_from(Sent)),
        wrote_before=draw(maybe),
        said_before=draw(maybe),
        person_at=draw(maybe),
        greeted_at=draw(maybe),
        away_for=draw(st.sampled_from([None, "", (NOW + timedelta(hours=5)).isoformat()])),
        is_open=is_open,
        opens_at=opens_at,
        unanswered=draw(st.integers(0, 7)),
        hindrance=draw(st.sampled_from(["", "", "", "spam", "opted_out", "people_only"])),
    )


@st.composite
def settings_of(draw: st.DrawFn) -> Settings:
    return Settings(
        greets=draw(st.booleans()),
        greeting="Hello.",
        silence_days=draw(st.integers(1, 60)),
        greets_on=draw(st.frozensets(st.sampled_from(Sent))),
        tells_away=draw(st.booleans()),
        away="Away.",
    )


@given(talks(), settings_of())
@example(
    ConversationFacts(NOW, NOW, sent=Sent.NOTHING, is_open=False),
    Settings(greets=True, greeting="Hello.", greets_on=frozenset(Sent), tells_away=True, away="Away."),
)
@settings(max_examples=400)
def test_what_is_said_by_itself_embarrasses_nobody(talk: ConversationFacts, its: Settings) -> None:
    words = decide(its, talk)
    assert all(step.reason in REASONS for step in words.steps)
    assert words.reason in REASONS
    assert sum(step.yes for step in words.steps if step.what != "hours") == (words.says != "")
    if not words.says:
        return
    assert not talk.hindrance
    assert talk.unanswered < BUDGET
    assert talk.now - talk.wrote_at <= TOO_LATE
    assert talk.person_at is None or talk.person_at <= talk.now - TALK
    assert talk.sent is not Sent.NOTHING or words.says == "greeting"
    assert talk.sent is not Sent.MENTION or Sent.MENTION in its.greets_on
    if words.says == "away":
        assert its.tells_away
        assert not talk.is_open
        assert talk.away_for != talk.absence
    else:
        assert its.greets
        silence = talk.wrote_at - timedelta(days=its.silence_days)
        assert talk.greeted_at is None or talk.greeted_at <= silence
        assert talk.person_at is None or talk.person_at <= silence
        # Who wrote nothing, but came from an ad, is greeted where that is chosen, and not told the hours.
        away = not talk.is_open and its.tells_away and talk.sent is not Sent.NOTHING
        assert not away or talk.away_for == talk.absence


@given(talks(), settings_of())
@settings(max_examples=200)
def test_it_says_the_same_whenever_it_is_asked(talk: ConversationFacts, its: Settings) -> None:
    assert decide(its, talk) == decide(its, talk)
    if talk.silent:
        assert decide(its, talk).says == ""


def test_away_goes_out_instead_of_a_greeting() -> None:
    its = Settings(greets=True, tells_away=True)
    talk = ConversationFacts(NOW, NOW, is_open=False, opens_at=NOW + timedelta(hours=2))
    words = decide(its, talk)
    assert words.says == "away"
    assert [(step.what, step.yes, step.reason) for step in words.steps] == [
        ("hours", False, "closed"),
        ("greeting", False, "away_instead"),
        ("away", True, "tells"),
    ]


people = st.builds(
    Person,
    user_id=st.integers(1, 9),
    in_team=st.booleans(),
    on_duty_since=maybe,
    given_at=maybe,
)


@given(
    st.lists(people, max_size=6, unique_by=lambda one: one.user_id),
    st.none() | st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 7]),
)
@settings(max_examples=400)
def test_a_conversation_goes_to_somebody_on_duty_or_waits(
    some: list[Person], last: int | None, is_open: bool, to_last: bool, team: int | None
) -> None:
    arrival = Arrival(team_id=team, last_id=last, is_open=is_open, people=some)
    choice = route(Settings(routes=True, to_last=to_last), arrival)
    assert choice.reason in REASONS
    if choice.person is None:
        assert choice.waits is (team is not None)
        assert not is_open or not any(one.in_team and one.on_duty_since for one in some) or team is None
        return
    assert is_open
    assert choice.person.on_duty_since is not None
    if choice.reason == "last_person":
        assert to_last
        assert choice.person.user_id == last
    else:
        others = [one for one in some if one.in_team and one.on_duty_since is not None]
        assert choice.person.waits_since == min(one.waits_since for one in others)


@given(st.integers(1, 6), st.integers(0, 30))
@settings(max_examples=60)
def test_nobody_gets_two_more_than_another(count: int, arrivals: int) -> None:
    team = {id_: Person(id_, on_duty_since=NOW) for id_ in range(count)}
    got = dict.fromkeys(team, 0)
    for number in range(arrivals):
        choice = route(Settings(routes=True), Arrival(team_id=1, people=tuple(team.values())))
        assert choice.person is not None
        id_ = choice.person.user_id
        got[id_] += 1
        team[id_] = Person(id_, on_duty_since=NOW, given_at=NOW + timedelta(seconds=number + 1))
    assert max(got.values()) - min(got.values()) <= 1
