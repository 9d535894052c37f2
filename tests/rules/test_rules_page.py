"""The pages of rules: the list, the form with its refusals, the preview and the runs."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.datastructures import MultiDict

from host.automation import condition_forms, condition_words
from host.automation.actions import AddLabel, GiveToTeam
from host.automation.condition_forms import Row
from host.automation.conditions import ConditionResult
from host.channels.abilities import EVERYTHING
from host.core import db
from host.core.backports.values import replace
from host.inbox.labels import labels
from host.models.users import AuditEntry, Role
from host.rules import rules
from host.rules.body import EVENTS, Body, NotifyPeople, given, plain
from host.rules.models import Rule, RuleState, RuleVersion
from host.rules.pages import forms
from host.rules.pages import words as rule_words
from tests import helpers
from tests.helpers import do
from tests.rules.ruled import Ruled
from tests.rules.test_rules import BROKEN, SORRY

CLOSE = {"do": "close"}


@pytest.fixture
def owner(automated: Ruled) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=automated.desk.workspace, role=Role.OWNER)
    return helpers.client_for(automated.desk.app, person)


def path(desk: Ruled, rest: object = "") -> str:
    return f"/w/{desk.desk.workspace}/settings/rules" + (f"/{rest}" if rest else "")


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def form(
    *rows: tuple[str, str] | tuple[str, str, str], then: Any = (("close", ""),), **v: Any
) -> dict[str, Any]:
    """Return what a browser sends: rows of a choice, its text and how it joins the one before."""
    return {
        "name": "Broken",
        "when": "message.received",
        "wait": "4",
        "unit": "hours",
        "state": "live",
        "after": "go",
        "if": [row[0] for row in rows] or [""],
        "if_text": [row[1] for row in rows] or [""],
        "join": [row[2] if len(row) > 2 else "and" for row in rows] or ["and"],
        "then": [row[0] for row in then],
        "then_text": [row[1] for row in then],
        **v,
    }


def shown(page: str, name: str) -> list[str]:
    """Return the words that are chosen in the selects of a name."""
    selects = re.findall(rf'<select[^>]* name="{name}".*?</select>', page, re.DOTALL)
    return [
        " ".join(
            (re.findall(r"<option [^>]*selected[^>]*>(.*?)</option>", one, re.DOTALL) or [""])[0].split()
        )
        for one in selects
    ]


def why(page: str, row: str) -> str:
    """Return what is refused in a row: ``if-0``."""
    (found,) = re.findall(rf'<li class="rule-row[^"]*">(?:(?!<li ).)*id="{row}".*?</li>', page, re.DOTALL)
    said = re.findall(r'<p class="rule-why"[^>]*>(.*?)</p>', found, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", " ".join(said)).split())


def bodies(desk: Ruled) -> list[tuple[str, str, int, Body | None]]:
    with db.read() as session:
        what = rules.there(session, desk.desk.workspace, desk.desk.generation.directory)
        listed = rules.listing(session, desk.desk.workspace, what)
        return [(one.name, str(one.state), one.version, one.body) for one in listed]


def audited() -> list[tuple[str, str]]:
    with db.read() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action.like("rule.%")).order_by(AuditEntry.id)
        return [(one.action, one.subject) for one in session.scalars(query)]


def test_a_rule_is_made_changed_moved_turned_off_and_deleted(
    automated: Ruled, owner: helpers.Browser
) -> None:
    desk, label = automated, automated.label("Complaint")
    other = desk.rule(CLOSE, name="Other")
    sent = form(
        ("words:any", "broken, in pieces"),
        (f"nolabel:{label}", ""),
        ("before:yes", "", "or"),
        then=[(f"label:{label}", ""), ("say", "Sorry!"), ("note", "Look")],
        once="conversation",
        after="stop",
    )
    answer = owner.post_form(path(desk, "new"), **sent)
    assert answer.status_code == 303
    (id_,) = re.findall(r"/rules/(\d+)$", answer.headers["Location"])
    expected = given(
        {
            "when": "message.received",
            "conditions": [
                BROKEN,
                {
                    "if": "any",
                    "of": [
                        {"if": "conversation", "filter": {"no_labels": [label]}},
                        {"if": "before", "yes": True},
                    ],
                },
            ],
            "actions": [
                {"do": "label", "label": label},
                {"do": "say", "text": "Sorry!"},
                {"do": "note", "text": "Look"},
            ],
            "stops": True,
            "once": "conversation",
        }
    )
    assert bodies(desk)[1] == ("Broken", "live", 1, expected)
    page = text(owner.get(path(desk, id_)))
    assert shown(page, "if") == [
        "the text has any of these words",
        "the label is not Complaint",
        "the customer wrote before",
    ]
    assert shown(page, "join") == ["and", "or"]
    assert shown(page, "then") == ["Add label Complaint", "Send a message", "Add a note"]
    assert "broken, in pieces" in page
    assert owner.post_form(path(desk, id_), **{**sent, "version": "1"}).status_code == 303
    assert bodies(desk)[1][2] == 1, "nothing was changed"
    changed = {**sent, "version": "1", "name": "Broken things", "state": "shadow", "after": "go"}
    assert owner.post_form(path(desk, id_), **changed).status_code == 303
    assert owner.post_form(path(desk, f"{id_}/move"), to="up").status_code == 303
    assert [one[:3] for one in bodies(desk)] == [("Broken things", "shadow", 2), ("Other", "live", 1)]
    page = text(owner.get(path(desk))).split('<ol class="rule-list">')[1]
    assert page.index("Opt-out words") < page.index("Broken things") < page.index("Other")
    assert (
        "When a message arrives, if the text has broken, in pieces and the label is not Complaint or "
        "the customer wrote before: "
        "Add label Complaint, Send a message, Add a note"
    ) in page
    assert owner.post_form(path(desk, f"{other}/state"), state="off").status_code == 303
    assert owner.post_form(path(desk, f"{other}/delete")).status_code == 303
    assert [one[0] for one in bodies(desk)] == ["Broken things"]
    assert audited() == [
        ("rule.added", "Other"),
        ("rule.added", "Broken"),
        ("rule.changed", "Broken things"),
        ("rule.state", "Broken things"),
        ("rule.moved", "Broken things"),
        ("rule.state", "Other"),
        ("rule.deleted", "Other"),
    ]


@pytest.mark.parametrize(
    ("sent", "row", "words"),
    [
        (form(("before:yes", ""), ("words:any", " , ")), "if-1", "Enter the words to look for."),
        (form(("words:any", "x" * 300)), "if-0", "up to 60 characters"),
        (form(("words:any", ",".join(f"w{one}" for one in range(101)))), "if-0", "at most 100 words"),
        (
            form(("", ""), ("pattern", "(")),
            "if-1",
            "The pattern is invalid: missing ) at position 1. Use words instead",
        ),
        (form(("pattern", "(a+)+$")), "if-0", "The pattern takes too long"),
        (
            form(("before:yes", ""), ("words:any", "a", "or"), ("words:any", "", "or")),
            "if-2",
            "Enter the words",
        ),
        (form(("label:999", "")), "if-0", "This label was deleted. Choose another one."),
        (form(("account:999", "")), "if-0", "This account was deleted."),
        (form(("contact:999:any", "")), "if-0", "This contact field was deleted."),
        (form(("contact:1:is", "")), "if-0", "The value is missing."),
        (form(("window:ajar", "")), "if-0", "This choice is invalid."),
        (form(("kept:{", "")), "if-0", "This choice is invalid."),
        (form(("nonsense", "")), "if-0", "This choice is invalid."),
        (form(("addon:gone.away:", "")), "if-0", "The addon that provides this condition is not active."),
        (form(then=[("close", ""), ("note", " ")]), "then-1", "A note must have 1 to 2,000 characters."),
        (form(then=[("say", "")]), "then-0", "A text is missing"),
        (
            form(then=[("", ""), ("say", "{{contact.name}}")]),
            "then-1",
            "may be unknown. Add a fallback",
        ),
        (form(then=[("say", "{{what.ever}}")]), "then-0", "what.ever"),
        (form(then=[("giveOut:999", "")]), "then-0", "This team was deleted."),
        (form(then=[("webhook:999", "")]), "then-0", "This webhook endpoint was deleted."),
        (form(then=[("label:", "")]), "then-0", "This choice is invalid."),
        (form(then=[("tell:who:1", "")]), "then-0", "This choice is invalid."),
    ],
)
def test_a_refusal_stands_at_its_row_and_what_was_typed_stays(
    automated: Ruled, owner: helpers.Browser, sent: dict[str, Any], row: str, words: str
) -> None:
    response = owner.post_form(path(automated, "new"), **sent)
    assert response.status_code == 400
    page = text(response)
    assert words in why(page, row)
    assert page.count('class="rule-why"') == page.count('aria-describedby="rule-why"') == 1
    for typed in (*sent["if_text"], *sent["then_text"]):
        assert f">\n{typed}</textarea>" in page
    assert bodies(automated) == []


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"name": "  "}, "name", "The name must have 1 to 40"),
        ({"name": "x" * 41}, "name", "The name must have 1 to 40"),
        ({"when": "sun.rises"}, "when", "Choose a trigger."),
        ({"when": "conversation.unanswered", "wait": "many"}, "wait", "from 1 minute to 14 days"),
        ({"when": "conversation.unanswered", "wait": "0"}, "wait", "from 1 minute to 14 days"),
        (
            {"when": "conversation.unanswered", "wait": "15", "unit": "days"},
            "wait",
            "from 1 minute to 14 days",
        ),
        ({"then": [""]}, "then", "The rule has no actions yet. Add an action."),
        (
            {"if": ["before:yes"] * 21, "if_text": [""] * 21, "join": ["and"] * 21},
            "if",
            "A rule can have at most 20 conditions.",
        ),
        ({"then": ["close"] * 11, "then_text": [""] * 11}, "then", "A rule can have at most 10 actions."),
    ],
)
def test_a_refusal_of_a_field_stands_there(
    automated: Ruled, owner: helpers.Browser, values: dict[str, Any], field: str, words: str
) -> None:
    response = owner.post_form(path(automated, "new"), **{**form(), **values})
    page = " ".join(re.sub(r"</?(b|span)>", "", text(response)).split())
    assert response.status_code == 400
    assert words in page[page.index(f'name="{field}"') :]
    assert 'id="rule-why"' in page
    assert bodies(automated) == []


def test_a_team_with_nobody_in_it_is_refused(automated: Ruled, owner: helpers.Browser) -> None:
    team = automated.team(name="Care")
    page = text(owner.post_form(path(automated, "new"), **form(then=[(f"giveOut:{team}", "")])))
    assert why(page, "then-0") == "Care has no members. Add a member, or choose another team."


def test_rows_are_added_moved_and_taken_out_without_a_script(
    automated: Ruled, owner: helpers.Browser
) -> None:
    sent = form(("before:yes", ""), ("words:any", "broken", "or"), then=[("close", ""), ("note", "Hm")])
    page = text(owner.post_form(path(automated, "new"), **sent, move="if:add:0"))
    assert shown(page, "if") == ["the customer wrote before", "the text has any of these words", ""]
    assert re.search(r'id="if-2"[^>]* autofocus', page)
    page = text(owner.post_form(path(automated, "new"), **sent, move="if:up:1"))
    assert shown(page, "if") == ["the text has any of these words", "the customer wrote before"]
    page = text(owner.post_form(path(automated, "new"), **sent, move="then:down:0"))
    assert shown(page, "then") == ["Add a note", "Close"]
    page = text(owner.post_form(path(automated, "new"), **sent, move="then:remove:1"))
    assert shown(page, "then") == ["Close"]
    page = text(owner.post_form(path(automated, "new"), **form(), move="then:remove:0"))
    assert shown(page, "then") == [""]
    for move in ("if:up:99", "if:add:x", "name:add:0", "when", "if"):
        page = text(owner.post_form(path(automated, "new"), **sent, move=move))
        assert shown(page, "then") == ["Close", "Add a note"]
    assert bodies(automated) == []


def test_what_no_select_offers_is_kept(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    one, two = desk.label("One"), desk.label("Two")
    conditions = [
        {"if": "conversation", "filter": {"labels": [one, two], "status": "open"}},
        {"if": "sent", "kinds": ["image", "video"]},
        {"if": "words", "words": ["a, b"], "has": "all"},
        {"if": "concerns", "label": one, "team": 0, "person": 0},
    ]
    id_ = desk.rule(CLOSE, conditions=conditions)
    before = bodies(desk)[0][3]
    page = text(owner.get(path(desk, id_)))
    assert shown(page, "if")[1:] == [
        "the customer sent: Photo or Video",
        "the text has all of: a, b",
        "it is about the label One",
    ]
    chosen = [
        html.unescape(one)
        for one in re.findall(
            r'<option value="([^"]*)"[^>]* selected', owner.get(path(desk, id_)).get_data(as_text=True)
        )
    ]
    rows = [(one, "") for one in chosen if one.startswith(("kept:", "about:"))]
    assert len(rows) == 4
    assert owner.post_form(path(desk, id_), **form(*rows, version="1", name="Again")).status_code == 303
    assert bodies(desk)[0] == ("Again", "live", 1, before)


@pytest.mark.parametrize(
    ("wait", "unit", "kept", "working", "shown_as", "words"),
    [
        ("30", "minutes", (0, 30), False, ("30", "minutes"), "nobody answers for 30 minutes"),
        ("120", "minutes", (2, 0), False, ("2", "hours"), "nobody answers for 2 hours"),
        ("90", "minutes", (1, 30), False, ("90", "minutes"), "nobody answers for 90 minutes"),
        ("1", "days", (24, 0), False, ("1", "days"), "nobody answers for 1 day"),
        ("36", "hours", (36, 0), False, ("36", "hours"), "nobody answers for 36 hours"),
        ("2", "days", (48, 0), True, ("48", "hours"), "nobody answers for 48 hours, in business hours"),
    ],
)
def test_a_wait_is_taken_and_shown_in_its_unit(
    automated: Ruled,
    owner: helpers.Browser,
    wait: str,
    unit: str,
    kept: tuple[int, int],
    working: bool,
    shown_as: tuple[str, str],
    words: str,
) -> None:
    sent = form(when="conversation.unanswered", wait=wait, unit=unit, **({"working": "1"} if working else {}))
    answer = owner.post_form(path(automated, "new"), **sent)
    assert answer.status_code == 303
    body = bodies(automated)[0][3]
    assert body is not None
    assert (body.hours, body.minutes, body.working) == (*kept, working)
    page = text(owner.get(answer.headers["Location"]))
    assert f'name="wait" value="{shown_as[0]}"' in page
    assert shown(page, "unit") == [shown_as[1]]
    assert words in text(owner.get(path(automated)))


def test_usual_conditions_come_first_and_once(automated: Ruled, owner: helpers.Browser) -> None:
    automated.label("VIP")
    page = text(owner.get(path(automated, "new")))
    (select,) = re.findall(r'<select[^>]* name="if".*?</select>', page, re.DOTALL)
    first = select.split("</optgroup>")[0]
    assert 'label="Usual"' in first
    below = ("sent:story", "post:")
    usual = [one for one in condition_forms.USUAL if not one.startswith(below)]
    assert re.findall(r'<option value="([^"]+)"', first) == usual, (
        "the channel has no stories and no comments"
    )
    assert len(usual) == 17
    values = re.findall(r'<option value="([^"]+)"', select)
    assert len(values) == len(set(values))


def test_other_words_are_those_of_choices(automated: Ruled) -> None:
    desk = automated
    desk.label("One")
    desk.team(desk.person("Ana"))
    with db.read() as session:
        there = rules.there(session, desk.desk.workspace, desk.desk.generation.directory)
    there = replace(there, abilities=EVERYTHING)
    there = replace(there, attributes={1: "Size"}, accounts={1: "Shop"}, endpoints={1: "A"})
    there = replace(there, targets=replace(there.targets, replies={1: "Hello"}))
    with desk.desk.app.test_request_context():
        choices = [*condition_forms.condition_choices(there), *forms.action_choices(there)]
    values = {value for _group, some in choices for value, _words, _kind in some}
    kinds = {value.split(":")[0] for value in values}
    assert set(condition_words.SEARCH_WORDS) - values - kinds == set()


@pytest.mark.parametrize("furnished", [False, True])
def test_a_template_fills_the_form_and_saves_nothing(
    automated: Ruled, owner: helpers.Browser, furnished: bool
) -> None:
    desk = automated
    if furnished:
        desk.label("Other")
        label = desk.label("VIP")
        desk.team(name="Nobody")
        team = desk.team(desk.person("Ana"), name="Care")
    page = text(owner.get(path(desk, "new")))
    keys = re.findall(r"rules/new\?from=(\w+)", page)
    assert keys[:4] == ["unanswered", "vip", "refund", "closed"]
    for key in keys:
        page = owner.get(path(desk, f"new?from={key}")).get_data(as_text=True)
        assert re.search(rf'from={key}"[^>]* aria-current="true"', page)
        assert bodies(desk) == []
        fields: dict[str, Any] = MultiDict(helpers_form(page)).to_dict(flat=False)
        fields.pop("csrf_token")
        assert owner.post_form(path(desk, "new"), **fields).status_code == 303, key
        ((_name, state, _version, body),) = bodies(desk)
        assert body is not None
        assert state == "shadow"
        if key == "unanswered":
            assert (body.hours, body.minutes) == (0, 30)
            assert 'name="working" value="1" checked' in page
        if key == "unanswered" and furnished:
            assert body.actions == (NotifyPeople(team=team),)
        if key == "vip" and furnished:
            assert body.actions == (AddLabel(label), GiveToTeam(team))
        with db.read() as session:
            (id_,) = session.scalars(sa.select(Rule.id))
        owner.post_form(path(desk, f"{id_}/delete"))
    assert "Start from a template" not in text(owner.post_form(path(desk, "new"), **form(), move="if:add:0"))


def test_the_state_stands_above_the_form_with_what_it_means(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    label = desk.label("Complaint")
    id_ = desk.rule({"do": "label", "label": label})
    page = text(owner.get(path(desk, id_)))
    assert page.index('name="state"') < page.index('name="name"')
    for state in RuleState:
        assert f'aria-describedby="state-{state}"' in page
        assert str(rule_words.STATES_SAY[state]) in page
    assert "rule-broken" not in page
    do(labels.delete, desk.desk.workspace, label)
    page = text(owner.get(path(desk, id_)))
    (broken,) = re.findall(r'<p class="rule-broken">(.*?)</p>', page, re.DOTALL)
    assert "Add a deleted label" in broken
    assert page.index("rule-broken") < page.index('name="name"')


def test_every_choice_of_the_form_can_be_saved(automated: Ruled) -> None:
    desk = automated
    desk.label("One")
    desk.team(desk.person("Ana"))
    with db.read() as session:
        there = rules.there(session, desk.desk.workspace, desk.desk.generation.directory)
    texts = {"words": "broken", "pattern": "b.*n", "value": "blue", "say": "Hello", "note": "Hm", "": ""}
    for when in EVENTS:
        made = forms.Filling(when=when, name="All")
        for _group, some in condition_forms.condition_choices(there):
            for value, words, kind in some:
                row = Row(value, texts[kind])
                read, _places = forms.replace(made, conditions=[row], actions=[Row("close")]).body()
                assert words
                assert forms.of_body("All", read, "live").conditions == [row]
                assert given(plain(read)) == read
        for _group, some in forms.action_choices(there):
            for value, words, kind in some:
                row = Row(value, texts[kind])
                read, _places = forms.replace(made, actions=[row]).body()
                assert words
                assert forms.of_body("All", read, "live").actions == [row]


def test_two_people_do_not_save_over_each_other(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    id_ = desk.rule(CLOSE, conditions=[BROKEN])
    assert owner.post_form(path(desk, id_), **form(("before:yes", ""), version="1")).status_code == 303
    response = owner.post_form(path(desk, id_), **form(("words:all", "late"), version="1"))
    page = text(response)
    assert response.status_code == 409
    assert shown(page, "if") == ["the text has all of these words"]
    assert 'name="version" value="2"' in page
    refused = text(owner.post_form(path(desk, id_), **form(("nonsense", ""), version="1")))
    assert 'name="version" value="1"' in refused, "a refusal is no leave to save over others"
    assert owner.post_form(path(desk, id_), **form(("words:all", "late"), version="2")).status_code == 303
    page = text(owner.get(path(desk, id_)))
    assert "2 earlier versions" in page
    assert "if the text has broken, in pieces: Close" in page
    page = text(owner.get(path(desk, f"{id_}?version=1")))
    assert "This is version 1." in page
    assert "broken, in pieces" in page
    assert text(owner.get(path(desk, f"{id_}?version=99"))).count("This is version") == 1


def test_what_names_something_gone_says_so_and_can_be_turned_off(
    automated: Ruled, owner: helpers.Browser
) -> None:
    desk = automated
    label = desk.label("Complaint")
    id_ = desk.rule({"do": "label", "label": label})
    do(labels.delete, desk.desk.workspace, label)
    assert "It refers to something that was deleted" in text(owner.get(path(desk)))
    page = text(owner.get(path(desk, id_)))
    assert shown(page, "then") == ["Deleted item"]
    assert owner.post_form(path(desk, f"{id_}/state"), state="off").status_code == 303
    assert owner.post_form(path(desk, f"{id_}/state"), state="live").status_code == 400
    assert owner.post_form(path(desk, f"{id_}/state"), state="asleep").status_code == 400
    assert bodies(desk)[0][1] == "off"


def test_the_preview_says_what_it_would_have_matched(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    desk.said("ana", "It came BROKEN & bent")
    desk.said("bob", "All is well")
    desk.said("cem", "broken again", name="<b>Cem</b>")
    sent = form(("words:any", "broken"), ("before:no", ""), name="")
    response = owner.post_form(path(desk, "new"), **sent, move="try")
    page = text(response)
    assert response.status_code == 200
    assert '<p class="rule-big">2</p>' in page
    assert "with unsaved changes" in page
    assert "<b>3</b> this week" in page
    assert page.count("<b>2</b> pass") == 2
    assert "It came <mark>BROKEN</mark> & bent" in page
    assert "&lt;b&gt;Cem" in response.get_data(as_text=True)
    assert "<b>Cem</b>" not in response.get_data(as_text=True)
    assert bodies(desk) == []
    assert desk.runs() == []
    page = text(owner.post_form(path(desk, "new"), **form(("words:any", "")), move="try"))
    assert "Enter the words" in why(page, "if-0")
    assert "rule-big" not in page
    page = text(owner.post_form(path(desk, "new"), **form(when="conversation.closed"), move="try"))
    assert "be tried on past messages" in page
    page = text(owner.post_form(path(desk, "new"), **form(when="conversation.unanswered"), move="try"))
    assert '<p class="rule-big">3</p>' in page
    assert "The preview doesn't check whether someone answered in time." in page
    id_ = desk.rule(SORRY, conditions=[BROKEN, {"if": "before", "yes": True}])
    page = text(owner.get(path(desk, id_)))
    assert '<p class="rule-big">0</p>' in page
    assert "2 missed by one condition" in page
    assert "the customer wrote before" in page


def test_runs_say_what_each_condition_saw_and_what_was_done(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    label, team = desk.label("Complaint"), desk.team(desk.person("Ana"))
    has_not = {"if": "conversation", "filter": {"no_labels": [label]}}
    nobody = {"if": "conversation", "filter": {"assignee": "nobody"}}
    id_ = desk.rule(
        {"do": "label", "label": label},
        {"do": "giveOut", "team": team},
        {"do": "say", "text": "Sorry"},
        conditions=[BROKEN, has_not, nobody],
    )
    desk.said("ana", "broken")
    desk.run()
    desk.said("ana", "still broken")
    desk.said("bob", "All is well")
    desk.run()
    page = text(owner.get(path(desk, id_)))
    rows = [
        " ".join(re.sub(r"<[^>]+>", " ", one).split())
        for one in re.findall(r"<tr(?: class=\"is-no\")?>(.*?)</tr>", page, re.DOTALL)
    ]
    assert rows[0] == "When Conversation Text Label Person Effect"
    assert rows[1].endswith("Ana Q. yes: broken no: Complaint not checked A condition didn't match")
    assert rows[2].endswith(
        "Ana Q. yes: broken yes: none of them yes: nobody Add label Complaint "
        "Assign to anyone on duty in Shop Send a message"
    )
    assert len(rows) == 3, "what did not come past the first condition is not kept"
    assert "Last 24 hours: 2 checked, 1 matched" in text(owner.get(path(desk)))
    matched = text(owner.get(path(desk, f"{id_}?runs=matched")))
    assert matched.count("<tr>") == 2
    assert "None yet." in text(owner.get(path(desk, f"{id_}?runs=refused")))
    newest = max(one.id for one in desk.ran(id_))
    assert text(owner.get(path(desk, f"{id_}?before={newest}"))).count("<tr>") == 2
    assert owner.get(path(desk, f"{id_}?before=x")).status_code == 400


def test_a_group_says_which_of_it_held(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    group = {"if": "any", "of": [{"if": "hours", "open": False}, {"if": "window", "to": "programs"}]}
    id_ = desk.rule({"do": "note", "text": "Look"}, conditions=[BROKEN, group])
    desk.said("ana", "broken")
    desk.run()
    assert [tuple(one) for one in desk.ran(id_)[0].trace] == [(True, "broken", None), (True, "programs", 1)]
    assert "Reply window: open to programs" in text(owner.get(path(desk, id_)))


def test_templates_and_new_rules_say_what_they_would_have_touched(
    automated: Ruled, owner: helpers.Browser
) -> None:
    desk = automated
    desk.said("ana", "a refund, please")
    desk.said("ana", "Refund?")
    desk.said("bob", "Hello")
    page = " ".join(re.sub(r"<[^>]+>", " ", text(owner.get(path(desk)))).split())
    assert "for their money back 1 this week" in page, "two messages of one conversation"
    assert "nights and days off do not count VIP customer" in page, "whether somebody answered is not known"
    page = " ".join(re.sub(r"<[^>]+>", " ", text(owner.get(path(desk, "new?from=refund")))).split())
    assert "3 this week" in page
    assert "2 pass" in page
    page = " ".join(re.sub(r"<[^>]+>", " ", text(owner.get(path(desk, "new?from=returning")))).split())
    assert "2 this week" in page, "the first of each conversation"
    assert "0 pass" in page
    assert "this week" not in text(owner.get(path(desk, "new")))
    row = form(("words:any", "refund"), move="if:add:0")
    page = " ".join(re.sub(r"<[^>]+>", " ", text(owner.post_form(path(desk, "new"), **row))).split())
    assert "2 pass" in page, "a row that was added throws no count away"


def test_a_refused_action_says_why_in_the_list_and_the_run(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    id_ = desk.rule(SORRY)
    desk.said("ana", "broken")
    desk.run_after_a_person_answered("ana")
    assert "Live, 1 refused" in text(owner.get(path(desk)))
    page = " ".join(re.sub(r"<[^>]+>", " ", text(owner.get(path(desk, f"{id_}?runs=refused")))).split())
    assert "Send a message Refused: A person is answering" in page


def test_who_sees_some_accounts_sees_no_runs_or_messages_of_others(automated: Ruled) -> None:
    desk = automated
    id_ = desk.rule(CLOSE, conditions=[BROKEN])
    desk.said("ana", "broken")
    desk.run()
    limited = desk.limited_owner()
    page = text(limited.get(path(desk, id_)))
    assert "Ana Q." not in page
    assert '<p class="rule-big">0</p>' in page
    assert "No runs in the last 24 hours" in text(limited.get(path(desk)))
    assert f"the account is {desk.desk.account.handle}" not in page


def test_agents_do_not_see_them(automated: Ruled) -> None:
    desk = automated
    id_ = desk.rule(CLOSE)
    agent = desk.desk.browser
    for rest in ("", "new", id_):
        assert agent.get(path(desk, rest)).status_code == 403
    for rest in ("new", id_, f"{id_}/move", f"{id_}/state", f"{id_}/delete"):
        assert agent.post_form(path(desk, rest), **form()).status_code == 403
    assert bodies(desk)[0][:3] == ("Broken", "live", 1)


def test_a_rule_of_another_workspace_is_not_there(automated: Ruled) -> None:
    desk = automated
    id_ = desk.rule(CLOSE)
    elsewhere = helpers.make_workspace("Studio")
    stranger = helpers.client_for(desk.desk.app, helpers.make_user(workspace=elsewhere, role=Role.OWNER))
    base = f"/w/{elsewhere}/settings/rules/{id_}"
    assert stranger.get(base).status_code == 404
    for rest in ("", "/move", "/state", "/delete"):
        assert stranger.post_form(base + rest, **form(version="1", state="off")).status_code == 404
    assert bodies(desk)[0][:3] == ("Broken", "live", 1)


def test_names_and_words_are_text_and_nothing_else(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    evil = '"><script>alert(1)</script>'
    desk.label(evil)
    id_ = desk.rule(CLOSE, name=evil, conditions=[{"if": "words", "words": [evil]}])
    for rest in ("", id_, "new"):
        page = owner.get(path(desk, rest)).get_data(as_text=True)
        assert "<script>alert" not in page
    assert evil in text(owner.get(path(desk, id_)))


def test_a_hundred_conditions_are_shown_again(automated: Ruled, owner: helpers.Browser) -> None:
    rows = [("words:any", f"word {one}") for one in range(100)]
    page = text(owner.post_form(path(automated, "new"), **form(*rows)))
    assert "A rule can have at most 20 conditions." in page
    assert len(shown(page, "if")) == 100
    assert "word 99" in page
    groups = [(*row, "or" if at % 20 else "and") for at, row in enumerate(rows)]
    assert owner.post_form(path(automated, "new"), **form(*groups)).status_code == 303
    body = bodies(automated)[0][3]
    assert body is not None
    assert len(body.conditions) == 5


def test_without_rules_there_are_templates_that_fill_the_form(
    automated: Ruled, owner: helpers.Browser
) -> None:
    desk = automated
    desk.label("Wholesale")
    desk.team(desk.person("Ana"))
    page = text(owner.get(path(desk)))
    keys = re.findall(r"rules/new\?from=(\w+)", page)
    assert keys[:4] == ["unanswered", "vip", "refund", "closed"]
    for key in keys:
        page = owner.get(path(desk, f"new?from={key}")).get_data(as_text=True)
        assert "Deleted item" not in page
        fields: dict[str, Any] = MultiDict(helpers_form(page)).to_dict(flat=False)
        fields.pop("csrf_token")
        assert owner.post_form(path(desk, "new"), **fields).status_code == 303, key
    assert [one[1] for one in bodies(desk)] == ["shadow"] * len(keys)
    assert "No rules yet" not in text(owner.get(path(desk)))


def helpers_form(page: str) -> list[tuple[str, str]]:
    """Return what a browser would send of the form of a rule as it is."""
    (inside,) = re.findall(r'<form class="sheet rule-form".*?</form>', page, re.DOTALL)
    found = [
        (n, html.unescape(v))
        for n, v in re.findall(
            r'<input[^>]* name="(\w+)" value="([^"]*)"(?! type)[^>]*(?<! checked)>', inside
        )
        if n != "state"
    ]
    found += [("state", one) for one in re.findall(r'name="state" value="(\w+)" checked', inside)]
    for name, rest in re.findall(r'<select[^>]* name="(\w+)"(.*?)</select>', inside, re.DOTALL):
        chosen = re.findall(r'<option value="([^"]*)"[^>]* selected', rest) or [
            re.findall(r'value="([^"]*)"', rest)[0]
        ]
        found.append((name, html.unescape(chosen[0])))
    found += [
        (n, html.unescape(v))
        for n, v in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n?(.*?)</textarea>', inside, re.DOTALL)
    ]
    return found


def test_lines_and_notes_of_a_rule_say_which(automated: Ruled) -> None:
    desk = automated
    label = desk.label("Complaint")
    desk.rule({"do": "label", "label": label}, {"do": "note", "text": "Look at the box"})
    desk.said("ana", "broken")
    desk.run()
    page = text(desk.desk.browser.get(desk.desk.path(f"/{desk.scene.conversation('ana')}")))
    assert "The rule Broken added Complaint" in page
    assert "Private note by the rule Broken" in page


def test_what_a_condition_saw_is_in_words(automated: Ruled) -> None:
    with db.read() as session:
        there = rules.there(session, automated.desk.workspace, automated.desk.generation.directory)

    def saw(condition: dict[str, Any], value: str, which: int | None = None) -> str:
        (one,) = given({"when": "message.received", "conditions": [condition], "actions": []}).conditions
        return condition_words.saw(one, ConditionResult(True, value, which), there)

    before, window = {"if": "before"}, {"if": "window", "to": "people"}
    with automated.desk.app.test_request_context():
        assert saw(before, "2025-03-09") == "Mar 2025"
        assert saw(before, "") == "first time"
        assert saw(window, "programs") == "open to programs"
        assert saw(window, "people") == "people only"
        assert saw({"if": "hours"}, "closed") == "closed"
        assert saw({"if": "sent", "kinds": ["image"]}, "story_mention") == "Mentioned you in a story"
        assert saw({"if": "conversation", "filter": {"team": 1}}, "team:0") == "no team"
        assert saw({"if": "conversation", "filter": {"team": 1}}, "team:99") == "a deleted item"
        assert saw({"if": "conversation", "filter": {"handled_by": "person"}}, "automation") == "a program"
        assert saw({"if": "any", "of": [before, window]}, "2025-03-09", 0) == "Before: Mar 2025"
        assert saw({"if": "any", "of": [before, window]}, "people", 1) == "Reply window: people only"
        assert saw({"if": "any", "of": [before, window]}, "people") == "people", "of a release before"


def test_the_last_rule_keeps_its_place(automated: Ruled, owner: helpers.Browser) -> None:
    desk = automated
    first, last = desk.rule(CLOSE, name="First"), desk.rule(CLOSE, name="Last", state=RuleState.DRAFT)
    assert owner.post_form(path(desk, f"{last}/move"), to="down").status_code == 303
    assert owner.post_form(path(desk, f"{first}/move"), to="up").status_code == 303
    with db.read() as session:
        assert list(session.scalars(sa.select(Rule.id).order_by(Rule.position))) == [first, last]
    assert audited() == [("rule.added", "First"), ("rule.added", "Last")]


def test_a_rule_of_a_newer_lobby_is_shown_and_can_be_replaced(
    automated: Ruled, owner: helpers.Browser
) -> None:
    desk = automated
    id_ = desk.rule(CLOSE)
    newer = sa.update(RuleVersion).values(body={"when": "message.received", "actions": [{"do": "dance"}]})
    db.write(lambda session: session.execute(newer))
    assert "Created by a newer version of Lobby. It doesn't run here." in text(owner.get(path(desk)))
    page = text(owner.get(path(desk, id_)))
    assert "Saving replaces it." in page
    assert owner.post_form(path(desk, f"{id_}/state"), state="live").status_code == 400
    assert owner.post_form(path(desk, id_), **form(version="1")).status_code == 303
    assert [one[:3] for one in bodies(desk)] == [("Broken", "live", 2)]
