"""The pages of sequences: the list, the steps and their forms, publishing, people and versions."""

from __future__ import annotations

import html
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.datastructures import MultiDict

from host.automation.actions import (
    ActionTargets,
    AddLabel,
    AddNote,
    AddonDoes,
    RunMacro,
    SendReply,
    SetAttribute,
)
from host.automation.conditions import AnyOf, Contact, FilterCondition, Open, Window, Words, WroteBefore
from host.core import db
from host.inbox.contacts import attributes
from host.models.users import Role
from host.sdk.channel import Capabilities, IceBreakerLimits
from host.sdk.messages import MessageKind
from host.sequences import sequences
from host.sequences.body import (
    PROGRAM,
    Act,
    Ask,
    Body,
    Branch,
    Call,
    Card,
    Case,
    End,
    GoTo,
    Hand,
    Say,
    Show,
    Starts,
    Step,
    Targets,
    Wait,
    read,
)
from host.sequences.models import SequenceState
from host.sequences.pages import filling, wording
from host.sequences.template_bodies import TEMPLATES, body_of
from tests import helpers
from tests.inbox.toys import Toy
from tests.sequences.sequenced import Sequenced

ASK = Ask(id="number", text="Which order?", kind="number", digits=5, variable="order_number")
THANKS = Say(id="thanks", text='Thanks for {{answer.order_number || "it"}}')
PEOPLE = Hand(id="people")


@pytest.fixture
def owner(sequenced: Sequenced) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=sequenced.desk.workspace, role=Role.OWNER)
    return helpers.client_for(sequenced.desk.app, person)


def path(desk: Sequenced, rest: object = "") -> str:
    return f"/w/{desk.desk.workspace}/sequences" + (f"/{rest}" if rest else "")


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def draft(desk: Sequenced, id_: int) -> Body:
    with db.read() as session:
        one = sequences.get(session, desk.desk.workspace, id_)
        body = read(sequences.version(session, id_, one.version).body)
    assert body is not None
    return body


def seen_at(owner: helpers.Browser, desk: Sequenced, id_: int) -> str:
    (found,) = set(
        re.findall(r'name="seen_at" value="([^"]+)"', text(owner.get(path(desk, f"{id_}?part=starts"))))
    )
    return found


def save(owner: helpers.Browser, desk: Sequenced, id_: int, **fields: Any) -> Any:
    """Post the form of a step."""
    return owner.post_form(
        path(desk, f"{id_}/step"), **{"seen_at": seen_at(owner, desk, id_), "unit": "hours", **fields}
    )


def test_an_empty_list_says_what_sequences_are_for_and_each_template_makes_a_draft_that_is_proved(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    assert "No sequences yet" in text(owner.get(path(sequenced)))
    for key in TEMPLATES:
        answer = owner.post_form(path(sequenced, "new"), **{"from": key})
        assert answer.status_code == 303
        id_ = answer.headers["Location"].rpartition("/")[2]
        # The one that asks a program is published once that has an address.
        wanted = 400 if key == "status" else 303
        assert owner.post_form(path(sequenced, f"{id_}/publish")).status_code == wanted, key
    assert [(one.name, one.state) for one in sequenced.sequences()] == [
        (str(one.title), SequenceState.DRAFT if key == "status" else SequenceState.LIVE)
        for key, one in TEMPLATES.items()
    ]
    assert owner.post_form(path(sequenced, "new"), **{"from": "nothing"}).status_code == 400


def test_a_case_says_what_is_wrong_in_its_row(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(PEOPLE, publish=False)
    rows = {"case_to": ["people", ""], "case_joins": ["", "and"], "case_value": ["", ""]}
    for second in ("label:99999", "answer:x", "contact:1:is", "sent:nothing"):
        answer = save(owner, sequenced, id_, do="branch", **rows, case_if=["answer:y", second])
        assert answer.status_code == 400
        page = text(answer)
        assert page.index("Row 2: value") < page.index('id="seq-why"') < page.index("Row 3: if"), second


def test_the_choices_of_a_branch_are_found_by_their_names(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    for number in range(30):
        sequenced.label(f"Label {number:02}")
    found = owner.get(path(sequenced, "choices?q=label 2")).get_json()
    assert found["found"] == 40, "each label is, or is not, is added, or removed"
    id_ = sequenced.sequence(PEOPLE, publish=False)
    page = text(owner.get(path(sequenced, f"{id_}?add=branch")))
    assert "Find labels, people and more" in page
    answer = save(
        owner, sequenced, id_, do="branch", option_find="Label 29", option_found="", option_look="1"
    )
    assert answer.status_code == 200
    assert "the label is Label 29" in text(answer)
    answer = save(owner, sequenced, id_, do="act", option_find="Label 29", option_found="", option_look="1")
    assert "Add label Label 29" in text(answer)


def test_templates_speak_the_language_of_the_workspace() -> None:
    for key in TEMPLATES:
        texts = [[getattr(one, "text", "") for one in body_of(key, code).steps] for code in ("en", "de")]
        assert key == "empty" or texts[0] != texts[1]


def test_the_list_names_states_and_orders(sequenced: Sequenced, owner: helpers.Browser) -> None:
    first = sequenced.sequence(ASK, THANKS, PEOPLE, name="First")
    second = sequenced.sequence(PEOPLE, name="Second", publish=False)
    page = text(owner.get(path(sequenced)))
    assert "Starts when someone writes “order”" in page
    assert page.count("Version 1") == 2
    assert not any(said in page for said in ("Version 1 with", "Version 1, draft"))  # the state says it
    save(owner, sequenced, first, do="end", after="people")
    assert "Version 2, draft; version 1 is live with 0 customers in it" in text(owner.get(path(sequenced)))
    assert owner.post_form(path(sequenced, f"{second}/move"), to="up").status_code == 303
    assert [one.id for one in sequenced.sequences()] == [second, first]


STEPS: list[tuple[Step, str]] = [
    (Say(id="a", text="Hello\n you"), "Say: Hello you"),
    (Say(id="a", text="x" * 99, quick_replies=("Yes", "No"), closed="b"), f"Say: {'x' * 69}…"),
    (
        Ask(
            id="a", text="How?", kind="choice", choices=("Good", "Bad"), variable="how", attribute=4,
            again="Eh?", other="b", hours=48, silent="b", closed="b", then="b",
        ),
        "Ask: How?",
    ),
    (Ask(id="a", text="Number?", kind="number", digits=5, hours=5), "Ask: Number?"),
    (Wait(id="a", hours=48), "Wait 2 days"),
    (Wait(id="a", minutes=30, early=False), "Wait 30 minutes"),
    (Wait(id="a", until="written", hours=1, silent="b"), "Wait until they write, at most 1 hour"),
    (Wait(id="a", until="written"), "Wait until they write"),
    (Wait(id="a", until="working"), "Wait until business hours begin"),
    (Wait(id="a", until="working", hours=3), "Wait until business hours begin, at most 3 hours"),
    (
        Branch(
            id="a",
            cases=(
                Case(variable="how", value="Good", to="b"),
                Case(variable="how", to="b"),
                Case(conditions=(Window("programs"),), to="b"),
                Case(conditions=(Open(False),), to="b"),
                Case(conditions=(Words(("vip",)),), variable="how", to="b"),
                Case(
                    conditions=(
                        AnyOf((Contact(4, "XL"), FilterCondition({"labels": [3]}))),
                        WroteBefore(),
                    ),
                    to="b",
                ),
            ),
        ),
        "Branch: 6 cases",
    ),
    (Act(id="a", action=AddLabel(3)), "Do: Add label Order"),
    (Act(id="a", action=AddNote("Look")), "Do: Add a note"),
    (Act(id="a", action=SetAttribute(4, "{{answer.how}}")), "Do: Set size to {{answer.how}}"),
    (Act(id="a", action=SetAttribute(4)), "Do: Clear size"),
    (Act(id="a", action=SendReply(5)), "Do: Send /hours"),
    (Act(id="a", action=SendReply(6)), "Do: Send a deleted canned reply"),
    (Act(id="a", action=RunMacro(9)), "Do: Run the macro Wrap up"),
    (Act(id="a", action=RunMacro(8)), "Do: Run a deleted macro"),
    (
        Show(
            id="a",
            cards=(
                Card(title="Mug", text="12 EUR", picture="https://example.com/mug.jpg", button="I want it"),
                Card(title="Bowl", button="Look", url="https://example.com/bowl"),
            ),
            closed="b",
        ),
        "Cards: Mug, Bowl",
    ),
    (Act(id="a", action=AddonDoes("toy.heart")), "Do: An action of an addon that is not active"),
    (Hand(id="a", team=7, text="A colleague answers."), "Hand to people: Care"),
    (Hand(id="a"), "Hand to people"),
    (GoTo(id="a", then="b"), "Go to step 2"),
    (End(id="a", close=True), "End, and close the conversation"),
    (End(id="a"), "End"),
]  # fmt: skip


@pytest.mark.parametrize("step", [step for step, _words in STEPS])
def test_a_step_comes_back_from_its_form_as_it_was(step: Step) -> None:
    form = filling.of_step(step)
    fields = MultiDict[str, str]()
    for name in form.__struct_fields__:
        value = getattr(form, name)
        if isinstance(value, str):
            fields[name] = value
        elif value is True:
            fields[name] = "1"
    for row in filling.rows_of(form):
        for part, value in (("if", row.chosen), ("value", row.value), ("to", row.to), ("joins", row.joins)):
            fields.add(f"case_{part}", value)
    for card in filling.cards_of(form):
        for part in card.__struct_fields__:
            fields.add(f"card_{part}", getattr(card, part))
    assert filling.step_of(filling.given_step(fields)) == step


def test_each_kind_of_step_has_words(sequenced: Sequenced) -> None:
    there = Targets(
        ActionTargets({3: "Order"}, {}, {7: "Care"}, {5: "/hours"}),
        attributes={4: "size"},
        macros={9: "Wrap up"},
    )
    with sequenced.desk.app.test_request_context():
        for step, words in STEPS:
            body = Body(steps=(step, End(id="b")))
            assert wording.step(step, body, there) == words
        (_ask, *_rest) = [step for step, _words in STEPS if isinstance(step, Ask)]
        assert wording.details(_ask, Body(steps=(_ask, End(id="b"))), there) == [
            "Good, Bad · kept as how · waits at most 2 days",
            "then step 2",
            "If the answer doesn’t fit: step 2",
            "If nothing comes: step 2",
            "If the reply window is closed: step 2",
        ]
        (branch,) = [step for step, _words in STEPS if isinstance(step, Branch)]
        assert wording.details(branch, Body(steps=(branch, End(id="b"))), there) == [
            "If how is “Good”: step 2",
            "If how was answered: step 2",
            "If programs can still reply: step 2",
            "If it's outside business hours: step 2",
            "If how was answered and the text has vip: step 2",
            "If size is XL or the label is Order and the customer wrote before: step 2",
            "Otherwise: step 2",
        ]


def test_steps_are_added_changed_moved_and_deleted(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(PEOPLE, publish=False)
    page = text(owner.get(path(sequenced, f"{id_}?add=ask&after=people")))
    assert 'id="new-step"' in page
    answer = save(
        owner,
        sequenced,
        id_,
        do="ask",
        after="people",
        text="Which order?",
        kind="number",
        digits="5",
        variable="number",
    )
    assert answer.status_code == 303
    assert [one.id for one in draft(sequenced, id_).steps] == ["people", "step1"]
    save(owner, sequenced, id_, id="step1", move="up", do="ask", text="Thrown away")
    assert [one.id for one in draft(sequenced, id_).steps] == ["step1", "people"]
    save(owner, sequenced, id_, do="say", after="step1", text='Thanks for {{answer.number || "it"}}')
    save(owner, sequenced, id_, do="say", id="step2", text="Thank you!", then="people")
    assert draft(sequenced, id_).steps == (
        Ask(id="step1", text="Which order?", kind="number", digits=5, variable="number"),
        Say(id="step2", text="Thank you!", then="people"),
        PEOPLE,
    )
    page = text(owner.get(path(sequenced, f"{id_}?step=step2")))
    assert "Thank you!</textarea>" in page
    save(owner, sequenced, id_, do="goto", after="people", then="step2")
    save(owner, sequenced, id_, id="step2", move="delete")
    assert draft(sequenced, id_).steps[1:] == (PEOPLE, GoTo(id="step3", then="people"))


def test_a_step_that_others_need_is_not_deleted(sequenced: Sequenced, owner: helpers.Browser) -> None:
    end = End(id="end")
    id_ = sequenced.sequence(
        Branch(id="b", cases=(Case(variable="x", to="end"),), then="end"), end, publish=False
    )
    answer = save(owner, sequenced, id_, id="end", move="delete")
    assert answer.status_code == 400
    assert "Another step leads to this one" in text(answer)
    assert draft(sequenced, id_).steps[-1] == end


def test_two_tabs_do_not_overwrite_each_other(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(PEOPLE, publish=False)
    old = seen_at(owner, sequenced, id_)
    save(owner, sequenced, id_, do="say", after="people", text="One")
    answer = owner.post_form(
        path(sequenced, f"{id_}/step"), seen_at=old, do="say", after="people", text="Two"
    )
    assert answer.status_code == 409
    assert "Someone else saved this sequence in the meantime" in text(answer)
    assert "Two</textarea>" in text(answer), "what was typed is kept"
    assert len(draft(sequenced, id_).steps) == 2


def test_starts_that_the_channel_lacks_are_shown_where_they_are_stored(
    sequenced: Sequenced, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = sequenced.sequence(PEOPLE, publish=False)
    kept = sequenced.sequence(
        PEOPLE, starts=Starts(taps=("Hi",), refs=("x",), story_replies=True), publish=False
    )
    words = ("Starts when they tap", "Starts when they come by a link", "when they answer a story")

    def shown(id_: int) -> list[str]:
        page = text(owner.get(path(sequenced, f"{id_}?part=starts")))
        return [one for one in (*words, "ice breakers", "link or ad") if one in page]

    assert shown(kept) == list(words)
    monkeypatch.setattr(Toy, "capabilities", Capabilities(text_limit_bytes=100))
    assert shown(plain) == []
    able = Capabilities(
        text_limit_bytes=100,
        ice_breakers=IceBreakerLimits(4, 80, 1000),
        receives=frozenset(MessageKind),
        ads=True,
    )
    monkeypatch.setattr(Toy, "capabilities", able)
    assert shown(plain) == [*words, "ice breakers", "link or ad"]


def test_starts_and_settings_are_saved(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(PEOPLE, publish=False)
    team = sequenced.team(sequenced.person("Lea K."), name="Care")
    account = sequenced.desk.account.id
    form = {
        "seen_at": seen_at(owner, sequenced, id_), "name": "Orders!",
        "words": "order\r\n where is \r\n", "taps": "Order",
        "refs": "ad-1", "first": "1", "story_replies": "1", "programs": "1", "accounts": str(account),
        "person": "pause", "people": "human", "team": str(team),
    }  # fmt: skip
    answer = owner.post_form(path(sequenced, id_), **form)
    assert answer.status_code == 303, re.findall('<p class="seq-why.*?</p>', text(answer), re.DOTALL)
    body = draft(sequenced, id_)
    assert body == Body(
        steps=(PEOPLE,),
        starts=Starts(
            words=("order", "where is"),
            taps=("Order",),
            refs=("ad-1",),
            first=True,
            story_replies=True,
            programs=True,
        ),
        accounts=(account,),
        person="pause",
        people=("human",),
        team=team,
    )
    assert sequenced.sequences()[0].name == "Orders!"
    for wrong in (
        {"name": ""},
        {"person": "x"},
        {"team": "99999"},
        {"team": "x"},
        {"accounts": "99999"},
        {"words": "w" * 61},
    ):
        now = {"seen_at": seen_at(owner, sequenced, id_)}
        answer = owner.post_form(path(sequenced, id_), **{**form, **now, **wrong})
        assert answer.status_code == 400, wrong
        assert draft(sequenced, id_) == body, wrong


def test_publishing_is_refused_with_the_steps_marked(sequenced: Sequenced, owner: helpers.Browser) -> None:
    late = Say(id="late", text="Did it arrive?")
    id_ = sequenced.sequence(ASK, Wait(id="wait", hours=48), late, End(id="end"), publish=False)
    answer = owner.post_form(path(sequenced, f"{id_}/publish"))
    assert answer.status_code == 400
    page = text(answer)
    assert "Not published" in page
    assert re.search(r'class="seq-step is-wrong" id="step-late"', page)
    assert "48 hours after the customer’s last message" in page
    assert " ".join(re.findall(r'seq-path">(.*?)</span>', page, re.DOTALL)[0].split()) == "Path: 2 → 3"
    assert sequenced.sequences()[0].state == SequenceState.DRAFT
    save(owner, sequenced, id_, id="wait", do="wait", until="time", wait="20", unit="hours", early="1")
    assert owner.post_form(path(sequenced, f"{id_}/publish")).status_code == 303
    assert sequenced.sequences()[0].state == SequenceState.LIVE


def test_the_ticks_and_publishing_agree(sequenced: Sequenced, owner: helpers.Browser) -> None:
    """A page with ticks only publishes, any other is refused as not published, whatever is wrong."""
    case = Branch(id="which", cases=(Case(to="end", variable="gone"),))
    gone = Act(id="set", action=SetAttribute(sequenced.attribute("City"), "Porto"))
    call = Call(id="call", url=PROGRAM)
    for number, (steps, starts) in enumerate(
        (
            ((ASK, case, End(id="end")), Starts(words=("one",))),
            ((gone, End(id="end")), Starts(words=("two",))),
            ((call, End(id="end")), Starts(words=("three",))),
            ((ASK, End(id="end")), Starts(words=("Stop",))),
        )
    ):
        id_ = sequenced.sequence(*steps, starts=starts, name=f"S{number}", publish=False)
        if gone in steps:
            with db.read() as session:
                (attribute,) = attributes.all_of(session, sequenced.desk.workspace)
            helpers.do(attributes.delete, sequenced.desk.workspace, attribute.id)
        before = text(owner.get(path(sequenced, id_)))
        assert 'class="is-refuted"' in before
        answer = owner.post_form(path(sequenced, f"{id_}/publish"))
        assert answer.status_code == 400
        page = text(answer)
        assert "Not published" in page
        assert "saved" not in re.findall(r'role="alert".*?</div>', page, re.DOTALL)[0]
        (wrong,) = set(re.findall(r'seq-wrong">.*?</svg>(.*?)</p>', before, re.DOTALL))
        assert wrong.strip() in page


def test_a_question_is_too_long_with_its_choices_where_there_are_no_quick_replies(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    ask = Ask(id="ask", text="a" * 990, kind="choice", choices=("Shoes", "Bag"))
    id_ = sequenced.sequence(ask, PEOPLE, publish=False)
    page = text(owner.get(path(sequenced, f"{id_}?step=ask")))
    assert "this has 1006 bytes with its choices. A message there can have at most 1000." in page
    assert "990 / 1,000 bytes" in page
    response = owner.post_form(path(sequenced, f"{id_}/publish"))
    assert response.status_code == 400
    assert "On a channel without quick replies, this has 1006 bytes" in text(response)


def test_a_live_sequence_keeps_its_version_until_the_draft_is_published(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    id_ = sequenced.sequence(PEOPLE)
    save(owner, sequenced, id_, do="end", id="people")
    old = text(owner.get(path(sequenced, f"{id_}?version=1")))
    assert "This is version 1." in old
    assert "Hand to people" in old
    assert "step=people" not in old, "an old version cannot be changed"
    page = text(owner.get(path(sequenced, f"{id_}/versions")))
    assert [one in page for one in ("Version 1", "Version 2", "Draft", "Olu O.", "Ada")] == [True] * 5
    assert owner.get(path(sequenced, f"{id_}?version=3")).status_code == 404


def test_people_in_it_are_listed_and_one_or_all_are_ended(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    id_ = sequenced.sequence(ASK, THANKS, PEOPLE)
    for contact in ("ana", "bob", "dee"):
        sequenced.said(contact, "order")
    sequenced.run()
    page = text(owner.get(path(sequenced, f"{id_}/people")))
    assert "1 · Ask: Which order?" in page
    assert page.count("waits for an answer") == 3
    first = sequenced.runs()[0]
    where = path(sequenced, f"{id_}/people/{first.id}/end")
    assert owner.post_form(where).status_code == 303
    sequenced.run()
    assert [one.outcome for one in sequenced.runs()] == ["stopped", None, None]
    assert owner.post_form(where).status_code == 404
    assert owner.post_form(path(sequenced, f"{id_}/delete")).status_code == 409
    owner.post_form(path(sequenced, f"{id_}/off"))
    assert sequenced.sequences()[0].state == SequenceState.OFF
    owner.post_form(path(sequenced, f"{id_}/off"), end="1")
    sequenced.run()
    assert [one.outcome for one in sequenced.runs()] == ["stopped"] * 3
    assert owner.post_form(path(sequenced, f"{id_}/delete")).status_code == 303
    assert sequenced.sequences() == []


def test_people_are_listed_in_pages(sequenced: Sequenced, owner: helpers.Browser, monkeypatch: Any) -> None:
    monkeypatch.setattr("host.sequences.people.PAGE", 2)
    id_ = sequenced.sequence(ASK, THANKS, PEOPLE)
    for contact in ("ana", "bob", "dee"):
        sequenced.said(contact, "order")
    sequenced.run()
    page = text(owner.get(path(sequenced, f"{id_}/people")))
    assert page.count("waits for an answer") == 2
    (older,) = re.findall(r"\?before=(\d+)", page)
    assert text(owner.get(path(sequenced, f"{id_}/people?before={older}"))).count("waits for an answer") == 1


def links(page: str) -> dict[str, list[tuple[str, str]]]:
    """Return the numbers of a page that open customers: the filters of each, with its count."""
    found: dict[str, list[tuple[str, str]]] = {}
    for address, number in re.findall(r'href="([^"]*/people\?[^"]*)">([^<]+)</a>', page):
        key = "&".join(sorted(one for one in address.partition("?")[2].split("&") if one[:4] not in _PERIOD))
        found.setdefault(key, []).append((address, number))
    return found


_PERIOD = ("from", "to=2", "vers")


def test_each_number_opens_the_customers_it_counts(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(ASK, THANKS, PEOPLE, people=("human",))
    for contact in ("ana", "bob", "dee", "eve"):
        sequenced.said(contact, "order")
    sequenced.run()
    sequenced.said("ana", "12345")
    sequenced.said("bob", "human")
    sequenced.run()
    owner.post_form(path(sequenced, f"{id_}/people/{sequenced.runs()[2].id}/end"))
    sequenced.run()
    page = text(owner.get(path(sequenced, f"{id_}/numbers")))
    found = {key: {number for _address, number in each} for key, each in links(page).items()}
    assert found == {
        "state=all": {"4"},
        "started_by=words&state=all": {"4"},
        "state=active": {"1"},
        "ended=people&state=all": {"1"},
        "ended=asked&state=all": {"1"},
        "ended=ended_by_team&state=all": {"1"},
        "reached=number&state=all": {"4"},
        "reached=thanks&state=all": {"1"},
        "reached=people&state=all": {"1"},
        "state=active&step=number": {"1"},
        "ended=asked&state=all&step=number": {"1"},
        "ended=ended_by_team&state=all&step=number": {"1"},
    }
    for each in links(page).values():
        for address, number in each:
            listed = text(owner.get(address))
            assert listed.count('<th scope="row">') == int(number), address
            assert "Version 1" in listed
    old = text(owner.get(path(sequenced, f"{id_}/numbers?from=2026-01-01&to=2026-01-02")))
    assert links(old) == {}
    assert re.search(r"· 1 Jan\w*( 2026)? to 2 Jan\w*( 2026)?<", old), old
    for wrong in ("from=2026-02-01&to=2026-01-01", "version=x", "from=never"):
        assert owner.get(path(sequenced, f"{id_}/numbers?{wrong}")).status_code == 400
    assert owner.get(path(sequenced, f"{id_}/numbers?version=7")).status_code == 404
    assert owner.get(path(sequenced, f"{id_}/people?state=some")).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "explode"},
        {"do": ""},
        {"do": "say", "text": ""},
        {"do": "say", "text": "{{contact.first_name}}"},
        {"do": "say", "text": "Hi", "then": "nowhere"},
        {"do": "ask", "text": "Hi", "kind": "colour"},
        {"do": "ask", "text": "Hi", "kind": "number", "digits": "many"},
        {"do": "ask", "text": "Hi", "kind": "text", "attribute": "9223372036854775808"},
        {"do": "ask", "text": "Hi", "kind": "text", "wait": "30", "unit": "minutes"},
        {"do": "ask", "text": "Hi", "kind": "choice", "choices": ""},
        {"do": "wait", "until": "time", "wait": "-3"},
        {"do": "wait", "until": "time", "wait": "999999", "unit": "days"},
        {"do": "wait", "until": "time", "wait": "3", "unit": "years"},
        {"do": "wait", "until": "doomsday", "wait": "3"},
        {"do": "branch"},
        {"do": "branch", "case_if": "kept", "case_to": "people", "case_value": "", "case_joins": ""},
        {"do": "branch", "case_if": "answer:x", "case_to": "nowhere", "case_value": "", "case_joins": ""},
        {"do": "act", "action": ""},
        {"do": "act", "action": "label:99999"},
        {"do": "act", "action": "close"},
        {"do": "act", "action": "label:x"},
        {"do": "people", "team": "99999"},
        {"do": "goto", "then": ""},
        {"do": "say", "text": "Hi", "seen_at": "yesterday"},
        {"do": "say", "text": "Hi", "seen_at": "2026-01-01T00:00:00"},
        {"do": "say", "text": "Hi", "id": "Not A Name"},
    ],
)  # fmt: skip
def test_what_is_no_step_is_refused(
    sequenced: Sequenced, owner: helpers.Browser, fields: dict[str, str]
) -> None:
    id_ = sequenced.sequence(PEOPLE, publish=False)
    assert save(owner, sequenced, id_, **fields).status_code == 400
    assert draft(sequenced, id_).steps == (PEOPLE,)


def test_a_team_of_another_workspace_is_refused(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(PEOPLE, publish=False)
    team = sequenced.team(sequenced.person("Lea K."), name="Care")
    other = helpers.make_workspace("Elsewhere")
    away = sa.text("UPDATE teams SET workspace_id = :other WHERE id = :team")
    db.write(lambda session: bool(session.execute(away, {"other": other, "team": team})))
    assert save(owner, sequenced, id_, do="people", id="people", team=str(team)).status_code == 400


def test_there_are_at_most_sixty_steps(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(*(End(id=f"step{number}") for number in range(1, 61)), publish=False)
    assert save(owner, sequenced, id_, do="end", after="step60").status_code == 400
    assert "Add a step" not in text(owner.get(path(sequenced, id_)))


def test_a_version_of_a_newer_lobby_is_shown_without_its_steps(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    id_ = sequenced.sequence(PEOPLE)
    newer = sa.text("UPDATE sequence_versions SET body = '{}'")
    db.write(lambda session: bool(session.execute(newer)))
    for rest in ("", id_, f"{id_}?step=people", f"{id_}/numbers", f"{id_}/people", f"{id_}/versions"):
        assert owner.get(path(sequenced, rest)).status_code == 200
    assert owner.post_form(path(sequenced, f"{id_}/publish")).status_code == 400
    assert owner.post_form(path(sequenced, f"{id_}/step"), do="end").status_code == 400


def test_agents_see_no_sequences(sequenced: Sequenced) -> None:
    agent = helpers.make_user(name="Ada A.", workspace=sequenced.desk.workspace, role=Role.AGENT)
    assert helpers.client_for(sequenced.desk.app, agent).get(path(sequenced)).status_code == 403


def toml_of(page: str) -> str:
    (found,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    return str(found)


def test_a_sequence_is_changed_and_copied_as_toml(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(ASK, THANKS, PEOPLE)
    given = toml_of(text(owner.get(path(sequenced, f"{id_}/toml"))))
    stamp = seen_at(owner, sequenced, id_)
    wrong = given.replace('"number"', '"colour"')
    answer = owner.post_form(path(sequenced, f"{id_}/toml"), toml=wrong, seen_at=stamp)
    assert answer.status_code == 400
    line = next(at for at, one in enumerate(wrong.splitlines(), 1) if one == 'kind = "colour"')
    assert f"Line {line}:" in text(answer)
    assert toml_of(text(answer)) == wrong
    for fault, words in (
        ("name = ", "no TOML"),
        ('name = "A"\nteam = "Nobody"\n', "There is no team “Nobody”"),
    ):
        answer = owner.post_form(path(sequenced, f"{id_}/toml"), toml=fault, seen_at=stamp)
        assert (answer.status_code, words in text(answer)) == (400, True)
    better = given.replace("Which order?", "Which one?").replace("\n", "\r\n")
    assert owner.post_form(path(sequenced, f"{id_}/toml"), toml=better, seen_at=stamp).status_code == 303
    assert draft(sequenced, id_).steps[0].text == "Which one?"  # type: ignore[union-attr]
    assert owner.post_form(path(sequenced, f"{id_}/toml"), toml=given, seen_at=stamp).status_code == 409
    assert owner.get(path(sequenced, "toml")).status_code == 200
    answer = owner.post_form(path(sequenced, "toml"), toml=given)
    assert answer.status_code == 303
    copied = int(answer.headers["Location"].rpartition("/")[2])
    assert draft(sequenced, copied).steps == (ASK, THANKS, PEOPLE)
    assert owner.post_form(path(sequenced, "toml"), toml="x = 1").status_code == 400


@pytest.mark.parametrize("change", [False, True])
def test_a_pasted_text_delays_nobody_elses_write(
    sequenced: Sequenced, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch, change: bool
) -> None:
    """Another workspace's write ends while a text is parsed; one that would take minutes is not parsed."""
    id_ = sequenced.sequence(ASK, PEOPLE)
    given, stamp = toml_of(text(owner.get(path(sequenced, f"{id_}/toml")))), seen_at(owner, sequenced, id_)
    place = path(sequenced, f"{id_}/toml" if change else "toml")
    real, parsed = tomllib.loads, []

    def loads(words: str) -> dict[str, Any]:
        assert not db.current().is_inside
        with ThreadPoolExecutor(1) as other:
            parsed.append(other.submit(helpers.make_workspace, "Elsewhere").result(timeout=60))
        return real(words)

    monkeypatch.setattr(tomllib, "loads", loads)
    assert owner.post_form(place, toml=given, seen_at=stamp).status_code == 303
    assert len(parsed) == 1
    hostile = given + "\n" + ".".join("a" * 20_000) + " = 1"
    answer = owner.post_form(place, toml=hostile, seen_at=stamp)
    assert (answer.status_code, len(parsed)) == (400, 1)
    line = len(hostile.splitlines())
    assert f"Line {line}: a key has at most 8 parts between dots." in text(answer)


def test_an_earlier_version_is_restored_as_the_draft(sequenced: Sequenced, owner: helpers.Browser) -> None:
    id_ = sequenced.sequence(ASK, PEOPLE)
    save(owner, sequenced, id_, do="say", after="number", text="Thanks")
    assert len(draft(sequenced, id_).steps) == 3
    where, stamp = path(sequenced, f"{id_}/versions/1/restore"), seen_at(owner, sequenced, id_)
    assert "Restore this version" in text(owner.get(path(sequenced, f"{id_}/versions")))
    assert owner.post_form(where, seen_at="").status_code == 400
    assert owner.post_form(where, seen_at=stamp).status_code == 303
    assert draft(sequenced, id_).steps == (ASK, PEOPLE)
    assert owner.post_form(where, seen_at=stamp).status_code == 409
    assert owner.post_form(path(sequenced, f"{id_}/versions/9/restore"), seen_at=stamp).status_code == 404


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('do = "say"\nid = "a"\ntext = "x"\nfoo = 1', "There is no field “foo” here."),
        ('do = "say"\nid = "a"', "The field “text” is missing."),
        ('do = "shout"\nid = "a"', "“shout” isn’t possible here."),
        ('do = "say"\nid = "a"\ntext = 5', "The value of this field isn’t possible."),
    ],
)
def test_a_fault_in_a_new_sequence_from_toml_is_said_in_words(
    sequenced: Sequenced, owner: helpers.Browser, line: str, sentence: str
) -> None:
    answer = owner.post_form(path(sequenced, "toml"), toml=f'name = "New"\n\n[[steps]]\n{line}\n')
    said = text(answer)
    assert answer.status_code == 400
    assert f"{sentence} Correct the text and save it again." in said
    assert "Line " in said
    for word in ("Object", "$.", "`", "marked"):
        assert word not in said.split('role="alert"')[1].split("</div>")[0]


def test_who_sees_some_accounts_adds_and_removes_no_others_by_toml(
    sequenced: Sequenced, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = sequenced.desk.account.id
    id_ = sequenced.sequence(ASK, PEOPLE, accounts=(account,))
    monkeypatch.setattr("host.sequences.pages.toml_views.seen_accounts", lambda: frozenset({account + 1}))
    given = toml_of(text(owner.get(path(sequenced, f"{id_}/toml"))))
    stamp = seen_at(owner, sequenced, id_)
    for changed in (re.sub("accounts = .*", "", given), re.sub("accounts = .*", "accounts = []", given)):
        answer = owner.post_form(path(sequenced, f"{id_}/toml"), toml=changed, seen_at=stamp)
        assert (answer.status_code, "accounts that you see" in text(answer)) == (400, True)
    assert owner.post_form(path(sequenced, "toml"), toml=given).status_code == 400
    assert owner.post_form(path(sequenced, f"{id_}/toml"), toml=given, seen_at=stamp).status_code == 303
