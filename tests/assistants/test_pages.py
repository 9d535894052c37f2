"""The pages of assistants: who sees what, what they change, and what they refuse."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import assistants, trials
from host.assistants.models import Mode, TurnOutcome, TurnState
from host.assistants.tools import ToolUse
from host.assistants.trials import Played
from host.assistants.values import Body, Cited, ModelError, Topic
from host.channels.directory import Directory
from host.core import db
from host.models.users import AuditEntry, MemberAccount, Membership, Role
from host.sdk.cards import CardStatus, Problems, SettingsCard
from tests import helpers
from tests.assistants.turns import Turns, assistant, made, model, put, turn
from tests.automation.automated import Automated
from tests.inbox import toys
from tests.web.test_account_picker import MOST_BYTES, MOST_STATEMENTS, counted, fill


@pytest.fixture
def owner(automated: Automated) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=automated.desk.workspace, role=Role.OWNER)
    return helpers.client_for(automated.desk.app, person)


def path(desk: Automated, *rest: object) -> str:
    return "/".join([f"/w/{desk.desk.workspace}/assistants", *map(str, rest)])


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def plain(response: Any) -> str:
    """Return what a page says, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", text(response)).split())


def audited() -> list[tuple[str, str, dict[str, Any]]]:
    """Return what people did to assistants."""
    query = sa.select(AuditEntry).where(
        AuditEntry.action.like("assistant.%"), AuditEntry.user_id.is_not(None)
    )
    with db.read() as session:
        found = session.scalars(query.order_by(AuditEntry.id))
        return [(one.action, one.subject, dict(one.details)) for one in found]


def body(id_: int) -> Body:
    with db.read() as session:
        found = assistants.body_of(session, assistant(id_))
    assert found is not None
    return found


def mode(desk: Automated) -> Mode:
    with db.read() as session:
        found = assistants.places(session, desk.desk.workspace).get(desk.desk.account.id)
    return Mode.OFF if found is None else found.mode


# ---- from nothing to suggesting ------------------------------------------------------------------------


def test_an_assistant_is_added_and_suggests(automated: Automated, owner: helpers.Browser) -> None:
    desk = automated
    empty = plain(owner.get(path(desk)))
    assert "No assistants yet" in empty
    assert "It shows your team what it would answer, with sources." in empty
    answer = owner.post_form(path(desk), name="Shop desk")
    assert answer.status_code == 303
    (id_,) = map(int, re.findall(r"/assistants/(\d+)$", answer.headers["Location"]))
    page = plain(owner.get(path(desk, id_)))
    assert "Shop desk was created." in page
    assert "Version 1," in page
    account = desk.desk.account.id
    answer = owner.post_form(path(desk, id_, "accounts", account), mode="suggest", answers_on="message")
    assert answer.status_code == 303
    assert mode(desk) == Mode.SUGGEST
    page = plain(owner.get(path(desk, id_)))
    assert "It suggests answers to your team on @sample.pottery." in page
    assert "0 of 50 accepted unchanged" in page
    assert "@sample.pottery Suggest" in plain(owner.get(path(desk)))
    assert audited() == [
        ("assistant.added", "Shop desk", {}),
        (
            "assistant.mode",
            "Shop desk",
            {"account": "@sample.pottery", "mode": "suggest", "needed": 50, "before": "off"},
        ),
    ]
    owner.post_form(path(desk, id_, "accounts", account), mode="suggest", answers_on="message")
    assert len(audited()) == 2, "the same once more changes nothing"


def test_a_name_that_is_none_is_asked_for_again(automated: Automated, owner: helpers.Browser) -> None:
    answer = owner.post_form(path(automated), name=" ")
    assert answer.status_code == 400
    assert "The name must have 1 to 40 characters" in plain(answer)
    id_ = made(automated)
    assert owner.post_form(path(automated, id_, "name"), name="").status_code == 400
    assert owner.post_form(path(automated, id_, "name"), name="Mail desk").status_code == 303
    assert owner.post_form(path(automated, id_, "name"), name="Mail desk").status_code == 303
    assert audited() == [("assistant.renamed", "Mail desk", {"before": "Shop desk"})]


def test_only_who_may_change_accounts_sees_them(automated: Automated) -> None:
    id_ = made(automated)
    agent = automated.desk.browser
    assert agent.get(path(automated)).status_code == 403
    assert agent.get(path(automated, id_)).status_code == 403
    assert agent.post_form(path(automated, id_, "stop")).status_code == 403
    stranger = helpers.client_for(automated.desk.app, helpers.make_user(email="eve@example.com", name="Eve"))
    assert stranger.get(path(automated, id_)).status_code == 404
    assert "/assistants" not in text(agent.get(automated.desk.path()))


def test_an_assistant_of_another_workspace_is_nowhere(automated: Automated, owner: helpers.Browser) -> None:
    for rest in ("", "/prompt", "/limits", "/said", "/playground"):
        assert owner.get(f"{path(automated, 9)}{rest}").status_code == 404, rest
    for rest in ("/name", "/stop", "/resume", "/delete", "/prompt", "/limits", "/model", "/playground"):
        assert owner.post_form(f"{path(automated, 9)}{rest}", name="X").status_code == 404, rest


# ---- modes ---------------------------------------------------------------------------------------------


def test_answering_is_locked_until_it_is_earned_or_opened(
    automated: Automated, owner: helpers.Browser
) -> None:
    desk = automated
    desk.said()
    id_, account = made(desk), desk.desk.account.id
    put(desk, id_)
    here = path(desk, id_, "accounts", account)
    locked = text(owner.get(path(desk, id_)))
    assert re.search(r'value="answer"[^>]* disabled', locked)
    refused = owner.post_form(here, mode="answer", needed="10")
    assert refused.status_code == 400
    assert "Too few suggestions were accepted unchanged" in plain(refused)
    wrong = owner.post_form(here, mode="answer", needed="10", typed_name="pottery")
    assert wrong.status_code == 400
    assert "match the account" in plain(wrong)
    assert mode(desk) == Mode.SUGGEST
    assert audited() == []
    unlocked = owner.post_form(here, needed="10", mode="answer", typed_name="@sample.pottery")
    assert unlocked.status_code == 303
    assert mode(desk) == Mode.SUGGEST, "unlocking starts nothing"
    assert [one[0] for one in audited()] == ["assistant.opened"]
    page = owner.get(path(desk, id_))
    assert "“Answer” is unlocked on @sample.pottery, but off. Unlocked by Olu O." in plain(page)
    assert "it speaks first at the next message that a customer sends there" in plain(page)
    assert "Start answering on @sample.pottery" in plain(page)
    assert owner.post_form(here, mode="answer", needed="10").status_code == 303
    assert mode(desk) == Mode.ANSWER
    assert [one[0] for one in audited()] == ["assistant.opened", "assistant.mode"]
    assert "Start answering on" not in plain(owner.get(path(desk, id_)))
    assert "allowed by Olu O." in plain(owner.get(path(desk, id_)))
    put(desk, id_)
    turns = Turns(desk, id_)
    for _number in range(10):
        turns.add(outcome=TurnOutcome.TAKEN)
    page = text(owner.get(path(desk, id_)))
    assert not re.search(r'value="answer"[^>]* disabled', page)
    assert "10 accepted unchanged" in page
    owner.post_form(here, mode="answer", needed="10")
    assert mode(desk) == Mode.ANSWER
    assert "opened by" not in plain(owner.get(path(desk, id_)))


@pytest.mark.parametrize(
    "fields", [{"mode": "loud"}, {}, {"mode": "suggest", "needed": "9"}, {"mode": "suggest", "needed": "x"}]
)
def test_a_mode_that_is_none_changes_nothing(
    automated: Automated, owner: helpers.Browser, fields: dict[str, str]
) -> None:
    id_ = made(automated)
    answer = owner.post_form(path(automated, id_, "accounts", automated.desk.account.id), **fields)
    assert answer.status_code == 400
    assert mode(automated) == Mode.OFF


def test_an_account_leads_to_its_assistant_and_says_which(
    automated: Automated, owner: helpers.Browser
) -> None:
    desk, account = automated, automated.desk.account.id
    away = path(desk, "accounts", account)
    assert owner.get(away).headers["Location"] == path(desk)
    id_ = made(desk)
    put(desk, id_)
    assert owner.get(away).headers["Location"] == f"{path(desk, id_)}?account={account}#account-{account}"
    settings = f"/w/{desk.desk.workspace}/settings/channels"
    assert "Shop desk" not in plain(owner.get(settings)), "an account without its card is off"
    card = SettingsCard("email", "", (), lambda _: Problems({}), lambda _: CardStatus(), lambda _: None)
    desk.desk.generation.directory = Directory(desk.desk.generation.directory.adapters, [card])
    assert "Shop desk : Suggest" in plain(owner.get(settings))
    tabs = text(owner.get(f"{settings}/accounts/{account}/automation"))
    assert f'href="{away}">Assistant</a>' in tabs
    two = made(desk, "Mail desk")
    assert "now: Shop desk" in plain(owner.get(path(desk, two)))
    owner.post_form(path(desk, two, "accounts", account), mode="suggest")
    assert "Shop desk no longer handles it." in plain(owner.get(path(desk, two)))
    assert audited()[-1][2]["taken_from"] == "Shop desk"


def test_who_sees_some_accounts_sees_no_others(automated: Automated, owner: helpers.Browser) -> None:
    desk = automated
    desk.said()
    id_ = made(desk)
    put(desk, id_)
    answered = Turns(desk, id_).add(outcome=TurnOutcome.TAKEN)
    limited = desk.limited_owner()
    for rest in ("", id_):
        assert "@sample.pottery" not in text(limited.get(path(desk, *([rest] if rest else []))))
    assert "Ana Q." in text(owner.get(path(desk, id_, "said")))
    assert "Ana Q." not in text(limited.get(path(desk, id_, "said")))
    assert limited.post_form(path(desk, id_, "said", answered), right="no").status_code == 404
    assert limited.post_form(path(desk, id_, "accounts", desk.desk.account.id), mode="off").status_code == 404
    other = toys.make_account(desk.desk.workspace, external_id="second", name="Studio", handle="@studio")

    def use_case(session: Session) -> None:
        for one in session.scalars(sa.select(Membership).where(Membership.limited)):
            session.add(
                MemberAccount(user_id=one.user_id, workspace_id=desk.desk.workspace, account_id=other.id)
            )

    db.write(use_case)
    page = text(limited.get(path(desk, id_)))
    assert "@studio" in page
    assert "@sample.pottery" not in page


# ---- what it says --------------------------------------------------------------------------------------


def test_a_prompt_is_saved_in_versions_and_an_older_one_brought_back(
    automated: Automated, owner: helpers.Browser
) -> None:
    id_ = made(automated)
    here = path(automated, id_, "prompt")
    sent = {"prompt": "Warm. <b>", "announces": "1", "phrases": "You are welcome!\n\n Bye ", "pause": "6"}
    assert owner.post_form(here, version="1", **sent).status_code == 303
    assert body(id_) == Body(prompt="Warm. <b>", phrases=("You are welcome!", "Bye"), pause=6)
    owner.post_form(here, version="2", prompt="Cold.", announcement=" I am  automatic ", pause="4")
    assert body(id_) == Body(prompt="Cold.", announces=False, announcement="I am automatic")
    old = text(owner.get(f"{here}?version=2"))
    assert "This is version 2." in old
    assert "\nWarm. <b></textarea>" in old
    assert "Cold." not in old
    assert "&lt;b&gt;" in owner.get(f"{here}?version=2").get_data(as_text=True)
    assert [one[0::2] for one in audited()] == [
        ("assistant.changed", {"version": 2}),
        ("assistant.changed", {"version": 3}),
    ]
    stale = owner.post_form(here, version="2", prompt="Third.", pause="4")
    assert stale.status_code == 409
    assert "Third." in text(stale)
    assert 'name="version" value="3"' in text(stale), "who was told may save over it"
    assert assistant(id_).version == 3


def test_what_was_typed_stands_there_when_it_is_refused(automated: Automated, owner: helpers.Browser) -> None:
    id_ = made(automated)
    answer = owner.post_form(path(automated, id_, "prompt"), version="1", prompt="Warm.", pause="soon")
    assert answer.status_code == 400
    page = text(answer)
    assert "The pause must be 1 to 30 seconds." in page
    assert "Warm.</textarea>" in page
    assert assistant(id_).version == 1


def test_limits_are_saved_with_what_the_prompt_says(automated: Automated, owner: helpers.Browser) -> None:
    id_ = made(automated)
    owner.post_form(path(automated, id_, "prompt"), version="1", prompt="Warm.", pause="4")
    here = path(automated, id_, "limits")
    sent = {"conversation.turns": "5", "day.money": "2.50", "month.tokens": "1000000", "seconds": "30"}
    assert owner.post_form(here, version="2", **sent, calls="2").status_code == 303
    limits = body(id_).limits
    assert (limits.conversation.turns, limits.day.money, limits.month.tokens) == (5, 2_500_000, 1_000_000)
    assert (limits.day.turns, limits.seconds, limits.calls) == (0, 30, 2)
    assert body(id_).prompt == "Warm."
    for wrong in ({"day.turns": "-1"}, {"day.money": "much"}, {"day.money": "NaN"}, {"seconds": "4"}):
        answer = owner.post_form(here, **{"version": "3", "seconds": "30", "calls": "2", **wrong})
        assert answer.status_code == 400, wrong
        assert 'id="limits-why"' in text(answer)
    assert assistant(id_).version == 3


def test_the_page_of_limits_says_what_was_used_and_what_leaves_to_whom(
    automated: Automated, owner: helpers.Browser
) -> None:
    desk = automated
    desk.said()
    id_ = made(desk)
    here = path(desk, id_, "limits")
    assert (
        "This assistant uses no model, so no data leaves this Lobby server and there are no costs."
        in plain(owner.get(here))
    )
    asked = model(desk, currency="EUR")
    assert owner.post_form(path(desk, id_, "model"), model=str(asked)).status_code == 303
    turns = Turns(desk, id_)
    for _number in range(3):
        turns.add(outcome=TurnOutcome.TAKEN, tokens_in=1_000, cost=1_250_000)
    owner.post_form(here, **{"version": "1", "day.money": "5", "seconds": "20", "calls": "5"})
    page = plain(owner.get(here))
    assert "€3.75 of €5.00" in page
    assert "are sent to models.pottery.example. Nothing else is." in page
    assert "3 accepted unchanged, 0 edited" in html.unescape(owner.get(here).get_data(as_text=True))
    assert owner.post_form(path(desk, id_, "model"), model="999").status_code == 400
    assert owner.post_form(path(desk, id_, "model"), model="x").status_code == 400
    assert owner.post_form(path(desk, id_, "model"), model="").status_code == 303
    assert [one[2].get("model") for one in audited() if one[0] == "assistant.model"] == ["Ours", "none"]


# ---- stopping ------------------------------------------------------------------------------------------


def test_an_assistant_is_stopped_goes_on_and_is_deleted(automated: Automated, owner: helpers.Browser) -> None:
    id_ = made(automated)
    for _twice in range(2):
        assert owner.post_form(path(automated, id_, "stop")).status_code == 303
    page = plain(owner.get(path(automated, id_)))
    assert "It suggests and sends nothing until someone resumes it." in page
    assert "Stopped" in plain(owner.get(path(automated)))
    for _twice in range(2):
        assert owner.post_form(path(automated, id_, "resume")).status_code == 303
    assert assistant(id_).stopped_at is None
    assert owner.post_form(path(automated, id_, "delete")).status_code == 303
    assert "Assistant Shop desk was deleted." in plain(owner.get(path(automated)))
    assert [one[0] for one in audited()] == ["assistant.stopped", "assistant.resumed", "assistant.deleted"]


# ---- said lately ---------------------------------------------------------------------------------------


def test_answers_are_listed_and_judged(automated: Automated, owner: helpers.Browser) -> None:
    desk = automated
    desk.said()
    id_ = made(desk)
    turns = Turns(desk, id_)
    source = [{"number": 1, "title": "Shipping to the Nordics"}]
    taken = turns.add(outcome=TurnOutcome.TAKEN, text="To Norway: <i>6 days</i>", sources=source)
    turns.add(TurnState.HANDED_OVER, reason="no_source", text="")
    here = path(desk, id_, "said")
    page = plain(owner.get(here))
    assert "Accepted unchanged To Norway:" in page
    assert "Handed off No answer found in its knowledge" in page
    assert "Shipping to the Nordics" in page
    assert "<i>6 days" not in owner.get(here).get_data(as_text=True)
    assert "To Norway" not in text(owner.get(f"{here}?show=handed_over"))
    assert owner.get(f"{here}?show=nonsense&before=1").status_code == 200
    for right, kept in (("no", False), ("yes", True)):
        assert owner.post_form(path(desk, id_, "said", taken), right=right).status_code == 303
        assert turn(taken).right is kept
    assert owner.post_form(path(desk, id_, "said", taken), right="perhaps").status_code == 400
    assert owner.post_form(path(desk, id_, "said", 999), right="no").status_code == 404


# ---- the playground ------------------------------------------------------------------------------------


Heard = list[tuple[int, int, list[tuple[str, str]], Body | None]]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Have the playground answer the same whatever is asked; return what it was asked."""
    asked: Heard = []

    def play(
        workspace_id: int, assistant_id: int, lines: list[tuple[str, str]], draft: Body | None, _on: object
    ) -> Played:
        asked.append((workspace_id, assistant_id, list(lines), draft))
        sources = [
            Cited(1, "Shipping", at="2026-11-03T10:00:00+00:00"),
            Cited(2, "Order", kind="tool", used=False),
        ]
        return Played(
            text="Four to six days.",
            sources=sources,
            model="local-large",
            tokens_in=1_100,
            tokens_out=112,
            cost=4_000,
            took_ms=2_800,
        )

    monkeypatch.setattr(trials, "play", play)
    return asked


def hidden(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', page)


@pytest.mark.parametrize("tab", ["setup", "prompt", "limits", "said", "playground", "nonsense"])
def test_the_playground_answers_beside_each_page(
    automated: Automated, owner: helpers.Browser, heard: Heard, tab: str
) -> None:
    id_ = made(automated)
    answer = owner.post_form(path(automated, id_, "playground"), tab=tab, ask="Norway?", pause="4")
    assert answer.status_code == 200
    page = plain(answer)
    assert "Words like STOP no match Four to six days." in page
    assert "1 Shipping" in page
    assert "Order tool, now" in page
    assert "1 used, 2 considered" in page
    assert "$0.004" in page
    assert "1,212 tokens, 2.8 s" in page
    assert [one[:3] for one in heard] == [
        (automated.desk.workspace, id_, [("customer", "Norway?")]),
    ]
    assert hidden(text(answer), "line") == ["Norway?", "Four to six days."]
    assert audited() == []


def test_a_talk_in_the_playground_is_kept_in_its_form_alone(
    automated: Automated, owner: helpers.Browser, heard: Heard
) -> None:
    id_ = made(automated)
    fields = {
        "by": [*["customer", "assistant"] * 7, "desk"],
        "line": [*[f"line {n} {'x' * 2_000}" for n in range(14)], "ignored"],
    }
    answer = owner.post_form(path(automated, id_, "playground"), ask=f"And now? {'y' * 2_000}", **fields)
    ((_workspace, _assistant, lines, _draft),) = heard
    assert len(lines) == 10
    assert max(len(said) for _by, said in lines) == 1_000
    assert [by for by, _said in lines] == [*["assistant", "customer"] * 5]
    assert lines[-1][1].startswith("And now?")
    assert len(hidden(text(answer), "line")) == 10
    assert "Start again" in text(answer)
    assert "Start again" not in text(owner.get(path(automated, id_, "playground")))


def test_beside_the_prompt_what_is_typed_is_what_is_tried(
    automated: Automated, owner: helpers.Browser, heard: Heard
) -> None:
    id_ = made(automated)
    fields = {"tab": "prompt", "ask": "Norway?", "prompt": "Colder.", "pause": "9"}
    page = text(owner.post_form(path(automated, id_, "playground"), **fields))
    assert heard[0][3] == Body(prompt="Colder.", announces=False, pause=9)
    assert "Colder.</textarea>" in page
    assert body(id_) == Body(), "nothing was saved"
    assert "You are testing unsaved changes." in page
    assert "not saved yet" not in text(owner.get(path(automated, id_, "prompt")))
    assert 'form="asst-prompt"' in page
    owner.post_form(path(automated, id_, "playground"), tab="limits", ask="Norway?")
    assert heard[1][3] is None


def test_an_answer_that_does_not_come_says_why_and_keeps_the_question(
    automated: Automated, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(*_given: Any) -> Played:
        raise ModelError("model_timeout", detail="key=secret")

    monkeypatch.setattr(trials, "play", play)
    id_ = made(automated)
    answer = owner.post_form(path(automated, id_, "playground"), ask="Norway?")
    assert answer.status_code == 200
    assert "No answer. The model did not answer in time" in plain(answer)
    assert "\nNorway?</textarea>" in text(answer)
    assert "secret" not in text(answer)


def test_what_it_would_give_to_people_says_why(
    automated: Automated, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Played(hands_over=True, reason="no_source", because="nothing about candles")
    monkeypatch.setattr(trials, "play", lambda *_given: given)
    id_ = made(automated)
    page = plain(owner.post_form(path(automated, id_, "playground"), ask="do you sell candles?"))
    assert "Would hand off to the team. No answer found in its knowledge “nothing about candles”" in page


def test_what_it_offers_and_which_tools_it_used_is_shown(
    automated: Automated, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Played(
        text="Is your question about one of these?",
        offers=[Topic(1, "Shipping"), Topic(2, "Returns")],
        calls=[ToolUse("order", {"number": 10482}, "#10482 <b>", 12)],
    )
    monkeypatch.setattr(trials, "play", lambda *_given: given)
    answer = owner.post_form(path(automated, made(automated), "playground"), ask="hello")
    assert "Is your question about one of these? Shipping Returns Talk to a person" in plain(answer)
    assert "<code>order</code>" in text(answer)
    assert "#10482 &lt;b&gt;" in answer.get_data(as_text=True)


def test_an_empty_question_asks_nothing(automated: Automated, owner: helpers.Browser, heard: Heard) -> None:
    id_ = made(automated)
    assert owner.post_form(path(automated, id_, "playground"), ask=" \n").status_code == 200
    assert heard == []


def test_why_a_model_was_not_chosen_is_said(automated: Automated, owner: helpers.Browser) -> None:
    answer = owner.post_form(path(automated, made(automated), "model"), model="999")
    assert answer.status_code == 400
    assert "This model was deleted." in plain(answer)


def test_each_of_very_many_accounts_can_be_chosen(automated: Automated, owner: helpers.Browser) -> None:
    ids = fill(automated.desk.workspace, 2_000)
    here = path(automated, made(automated))
    for query in ("", "?page=70", "?q=SHOP.1999"):
        with counted() as statements:
            answer = owner.get(f"{here}{query}")
        assert answer.status_code == 200
        assert len(answer.data) < MOST_BYTES, query
        assert len(statements) < MOST_STATEMENTS, query
    assert text(owner.get(f"{here}?q=SHOP.1999")).count('<tr id="account-') == 1
    assert "No accounts found." in text(owner.get(f"{here}?q=no.such.shop"))
    assert f'id="account-{ids[-1]}"' not in text(owner.get(here))
    away = owner.post_form(f"{here}/accounts/{ids[-1]}", mode="shadow")
    assert away.location == f"{here}?account={ids[-1]}#account-{ids[-1]}"
    # Those of the assistant come first.
    assert f'id="account-{ids[-1]}"' in text(owner.get(here))
    # One of the last page is shown where the address names it.
    assert f'id="account-{ids[-2]}"' in text(owner.get(f"{here}?account={ids[-2]}"))
