"""The pages of campaigns: set up, the people with what they got, and the rule behind."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels.accounts import set_needs_reconnect
from host.channels.directory import Directory
from host.core import clock, db
from host.delivery.worker import drain
from host.inbox import outcome
from host.models.channels import AccountState, ChannelAccount
from host.models.posts import Post
from host.models.users import Role
from host.rules.models import RuleState
from host.sdk.channel import ProviderProblem
from tests import helpers
from tests.api.desks import Program, make_key
from tests.inbox import toys
from tests.rules import test_rules_page
from tests.rules.below import LINK, Below, open_below
from tests.rules.test_rules_page import bodies, text

REFUSES = ProviderProblem("10", "They take no messages from people they do not follow.")


@pytest.fixture
def below(database: db.Database, data: Path) -> Below:
    return open_below(data)


@pytest.fixture
def owner(below: Below) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=below.desk.workspace, role=Role.OWNER)
    return helpers.client_for(below.desk.app, person)


def path(desk: Below, rest: object = "") -> str:
    return f"/w/{desk.desk.workspace}/settings/rules" + (f"/{rest}".replace("/?", "?") if rest else "")


def form(**values: Any) -> dict[str, Any]:
    """Return what a browser sends."""
    return {
        "kind": "campaign",
        "where": "posts",
        "words": "tide, the tide one",
        "answer": ["You have a letter", "", 'Look, {{contact.first_name || "you"}}'],
        "text": LINK,
        "offered": "Yes\nNo, thanks",
        "ends": "people",
        "people": "300",
        "state": "live",
        "version": "0",
        **values,
    }


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_campaign_is_a_rule_with_six_fields(below: Below, owner: helpers.Browser) -> None:
    desk = below
    assert "No campaigns yet" in text(owner.get(path(desk, "?show=campaigns")))
    desk.comments("zoe", "tide")
    desk.comments("yan", "tides")
    desk.comments("xia", "hello")
    team, label = desk.team(desk.person("Lea K.")), desk.label("Tide")
    page = text(owner.get(path(desk, "new?from=campaign")))
    assert "Tide mugs are back" in page
    assert "within 7 days of the comment · never after STOP · at most 750 an hour" in plain(page)
    sent = form(post=str(desk.post()), team=str(team), label=str(label))
    shown = plain(text(owner.post_form(path(desk, "new"), **sent, preview="1")))
    assert "1 of 3 past comments match." in shown
    assert "Near misses: 1" in shown
    assert bodies(desk) == []
    answer = owner.post_form(path(desk, "new"), **sent)
    assert answer.status_code == 303, plain(text(answer))
    (id_,) = re.findall(r"/rules/(\d+)$", answer.headers["Location"])
    ((name, state, _version, body),) = bodies(desk)
    assert (name, state) == ("tide", "live")
    assert body is not None
    assert body.campaign is not None
    assert (body.campaign.team, body.campaign.label, body.campaign.people) == (team, label, 300)
    page = text(owner.get(path(desk, id_)))
    assert 'value="tide, the tide one"' in page
    assert "Yes\nNo, thanks</textarea>" in page
    again = owner.post_form(path(desk, id_), **{**sent, "version": "1", "name": "tide"})
    assert again.status_code == 303
    assert bodies(desk)[0][2] == 1, "nothing was changed"
    day = owner.post_form(path(desk, id_), **{**sent, "version": "1", "ends": "until", "until": "2026-12-24"})
    assert day.status_code == 303
    assert 'value="2026-12-24"' in text(owner.get(path(desk, id_)))
    owner.post_form(path(desk, f"{id_}/state"), state="off")
    assert bodies(desk)[0][1] == "off"
    owner.post_form(path(desk, f"{id_}/state"), state="live")
    assert bodies(desk)[0][1] == "live"


def test_what_cannot_run_without_its_addon_is_not_called_live(below: Below, owner: helpers.Browser) -> None:
    desk = below
    desk.comments("zoe", "tide")
    account = [{"if": "conversation", "filter": {"account_id": desk.wall.id}}]
    either = [{"if": "any", "of": [account[0], {"if": "words", "words": ["tide"]}]}]
    by_post = {"if": "conversation", "filter": {"post": desk.post()}}
    anywhere, chosen = desk.campaign(), desk.campaign(post=by_post, name="Chosen")
    on_account = desk.rule({"do": "close"}, name="On the account", conditions=account)
    desk.rule({"do": "close"}, name="Either", conditions=either)
    desk.rule({"do": "close"}, name="Everywhere")
    pages = [path(desk, one) for one in (anywhere, chosen, on_account)]

    def live(page: str) -> list[str]:
        """Return the rules that the list on the page calls live."""
        lines = re.findall(r'<li class="rule-line.*?</li>', page, re.DOTALL)
        return [re.findall(r"<b(?:di[^>]*)?>(.*?)</b", one)[0] for one in lines if "is-live" in one]

    for page in [*pages, path(desk)]:
        assert len(live(text(owner.get(page)))) == 6, page
        assert "Can't run" not in text(owner.get(page)), page
    desk.desk.generation.directory = Directory()
    for page in pages:
        shown = text(owner.get(page))
        assert "is-live" not in shown.split('class="page-head"')[1], page
        assert "Broken: It needs an addon or account that is not active." in plain(shown), page
    assert live(text(owner.get(path(desk)))) == ["Opt-out words", "Either", "Everywhere"]
    assert live(text(owner.get(path(desk, "?show=campaigns")))) == []


def test_a_campaign_whose_account_lost_its_permission_says_so(below: Below, owner: helpers.Browser) -> None:
    desk = below
    id_ = desk.campaign()
    for page in (path(desk), path(desk, id_)):
        assert "can't send" not in plain(text(owner.get(page)))
    db.write(set_needs_reconnect, desk.wall.id, "Comments stopped.", alone=True)
    for page in (path(desk), path(desk, id_)):
        shown = plain(text(owner.get(page)))
        assert "@sample.pottery can't send. Reconnect it under Settings, Channels." in shown, page
        assert "Can't run" in shown, page
    with db.read() as session:
        states = {row.id: row.state for row in session.scalars(sa.select(ChannelAccount))}
    assert states == {desk.direct.id: AccountState.CONNECTED, desk.wall.id: AccountState.NEEDS_RECONNECT}


def test_what_is_wrong_stands_at_its_field(below: Below, owner: helpers.Browser) -> None:
    below.comments("zoe", "tide")
    post = str(below.post())
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "Choose a post."),
        ({"post": post, "words": ""}, "Enter the words to look for."),
        ({"post": post, "text": "Hello {{contact.first_name}}"}, "may be unknown"),
        ({"post": post, "answer": ["x" * 301]}, "at most 300 characters"),
        ({"post": post, "offered": "y" * 21}, "at most 13 quick replies"),
        ({"post": post, "people": "none"}, "A campaign must end after 1 to 100,000 people."),
        ({"post": post, "ends": "until", "until": "soon"}, "Choose an end date."),
        ({"where": "caption"}, "Choose a post."),
    ]
    for values, sentence in wrong:
        answer = owner.post_form(path(below, "new"), **form(**values))
        assert answer.status_code == 400, values
        (why,) = re.findall(r'<p class="rule-why".*?</p>', text(answer), re.DOTALL)
        assert sentence in plain(why)
    page = text(owner.post_form(path(below, "new"), **form(move="answer")))
    assert page.count('name="answer"') == 4
    assert bodies(below) == []


def test_the_rule_of_a_campaign_keeps_what_its_form_has_not(below: Below, owner: helpers.Browser) -> None:
    desk = below
    id_ = desk.campaign(quick_replies=["Yes"], people=5)
    assert "As a rule" in text(owner.get(path(desk, id_)))
    page = text(owner.get(path(desk, f"{id_}?form=rule")))
    assert test_rules_page.shown(page, "if") == [
        "it's a comment on a post",
        "the text has any of these words",
    ]
    assert test_rules_page.shown(page, "then") == [
        "Reply privately, with the answers Yes",
        "Answer publicly",
    ]
    sent = test_rules_page.form(
        ("post:any", ""),
        ("words:any", "tide, wave"),
        then=[('privately:["Yes"]', LINK), ("publicly", "One\nTwo")],
        once="contact",
        version="1",
    )
    answer = owner.post_form(path(desk, id_), **sent)
    assert answer.headers["Location"].endswith("?form=rule")
    body = bodies(desk)[0][3]
    assert body is not None
    assert body.campaign is not None
    assert body.campaign.people == 5
    assert 'name="words" value="tide, wave"' in text(owner.get(path(desk, id_)))
    assert 'name="words" value="tide' not in text(owner.get(path(desk, f"{id_}?form=rule")))
    more = test_rules_page.form(
        ("post:any", ""), ("before:yes", ""), then=[("privately", LINK)], once="contact", version="2"
    )
    assert owner.post_form(path(desk, id_), **more).status_code == 303
    page = text(owner.get(path(desk, id_)))
    assert test_rules_page.shown(page, "if")[1] == "the customer wrote before", (
        "it says more than six fields hold"
    )
    page = text(owner.get(path(desk, f"{id_}?version=2")))
    assert 'name="words" value="tide, wave"' in page, "an earlier version fits"


def test_a_list_of_both_can_be_narrowed(below: Below, owner: helpers.Browser) -> None:
    desk = below
    assert "Show" not in plain(text(owner.get(path(desk)))).split("Rules run actions")[1].split("Opt-out")[0]
    campaign, rule = desk.campaign(name="Tide"), desk.rule({"do": "close"}, name="Closing")

    def names(rest: str) -> list[tuple[str, str]]:
        page = text(owner.get(path(desk, rest))).split('<ol class="rule-list">')[1]
        return re.findall(r'rule-n">(\d)</span>.*?<bdi translate="no">(.*?)</bdi>', page, re.DOTALL)

    assert names("") == [("1", "Tide"), ("2", "Closing")]
    assert names("?show=rules") == [("2", "Closing")], "with its place in the whole order"
    assert names("?show=campaigns") == [("1", "Tide")]
    assert '/move"' not in text(owner.get(path(desk, "?show=rules")))
    assert names("?show=all") == names("")
    assert 'from=campaign"' in text(owner.get(path(desk, "new")))
    assert 'name="kind" value="campaign"' in text(owner.get(path(desk, campaign)))
    assert 'name="kind" value="rule"' in text(owner.get(path(desk, rule)))


def test_start_saves_and_goes_live(below: Below, owner: helpers.Browser) -> None:
    desk = below
    for kind in (form(where="any"), test_rules_page.form(("before:yes", ""))):
        sent = {**kind, "state": "draft", "start": "1"}
        assert owner.post_form(path(desk, "new"), **sent).status_code == 303
    assert [state for _name, state, *_rest in bodies(desk)] == ["live", "live"]


def test_addresses_of_before_lead_here(below: Below, owner: helpers.Browser) -> None:
    id_ = below.campaign()
    before = path(below).replace("rules", "campaigns")
    moved = {
        before: path(below, "?show=campaigns"),
        f"{before}/new?from=words": path(below, "new?from=campaign"),
        f"{before}/{id_}": path(below, id_),
        f"{before}/{id_}/people": path(below, f"{id_}/people"),
    }
    for address, wanted in moved.items():
        answer = owner.get(address)
        assert (answer.status_code, answer.headers["Location"]) == (301, wanted)
        assert owner.get(wanted).status_code == 200
    assert owner.get(f"{before}/999").status_code == 404


def furnished(desk: Below, more: int = 0) -> int:
    """Let people of every kind write the word; return the campaign."""
    id_ = desk.campaign(quick_replies=["Yes", "No, thanks"])
    for contact in ("ana", "bob", "cleo", "dan"):
        desk.comments(contact, f"tide for {contact}")
    desk.run()
    failing = next(one for one in desk.people(id_) if one.handle == "bob")
    assert failing.private_id is not None
    db.write(outcome.record_failed, failing.private_id, REFUSES)
    desk.sends()
    desk.run()
    desk.sends()
    waiting = {"sentence": "The limit of 750 an hour is reached.", "until": clock.now().isoformat()}
    desk.comments("cleo", "tide again")
    desk.comments("eve", "TIDE, and another tide")
    gone = desk.comments("fay", "tide")
    desk.read()
    desk.deletes("fay", gone)
    for number in range(more):
        desk.comments(f"more-{number}", "tide")
    desk.run()
    eve = next(one for one in desk.people(id_) if one.handle == "eve")
    assert eve.private_id is not None
    waiting["until"] = (clock.now() + timedelta(minutes=34)).isoformat()
    db.write(outcome.record_waiting, eve.private_id, waiting)
    desk.writes("dan", "Yes, one", clock.now() + timedelta(seconds=5))
    desk.run()
    return id_


def rows(page: str) -> dict[str, tuple[str, str]]:
    """Return of each person on the page what they got, and why."""
    found = re.findall(r'<tr>\s*<th scope="row">(.*?)</th>(.*?)</tr>', page, re.DOTALL)
    read = {}
    for head, rest in found:
        cells = [plain(one) for one in re.findall(r"<td.*?</td>", rest, re.DOTALL)]
        read[plain(head).split("@")[-1]] = (cells[1], cells[2])
    return read


def test_each_person_is_a_row_with_what_they_got_and_why(below: Below, owner: helpers.Browser) -> None:
    desk = below
    id_ = furnished(desk)
    page = text(owner.get(path(desk, f"{id_}/people")))
    found = rows(page)
    assert found["ana"] == ("Sent", "Public answer 1 and the private reply. Sent.")
    assert found["bob"][0] == "Refused"
    assert found["bob"][1].startswith(f"{REFUSES.sentence} The public answer wasn't sent.")
    assert found["cleo"][0] == "Already sent"
    assert found["cleo"][1].startswith("Already sent for an earlier comment")
    assert found["dan"] == ("Sent", "Public answer 1 and the private reply. Answered.")
    assert found["eve"][0] == "Waits"
    assert found["eve"][1].startswith("The limit of 750 an hour is reached. It will be sent")
    assert found["fay"] == ("Refused", "The customer unsent the message.")
    assert "6 people wrote the word" in plain(page)
    assert "2 sent 1 already sent 1 waiting 2 refused" in plain(page)
    assert set(rows(text(owner.get(path(desk, f"{id_}/people?show=refused"))))) == {"bob", "fay"}
    assert set(rows(text(owner.get(path(desk, f"{id_}/people?q=@DA"))))) == {"dan"}
    assert "No people found." in text(owner.get(path(desk, f"{id_}/people?q=100%25")))
    sent = owner.get(path(desk, f"{id_}/people.csv?show=got"))
    lines = list(csv.reader(io.StringIO(sent.get_data(as_text=True).lstrip("\ufeff"))))
    assert [line[:5] for line in lines[1:]] == [
        ["Dan Q.", "dan", "tide for dan", "1", "Sent"],
        ["Ana Q.", "ana", "tide for ana", "1", "Sent"],
    ]
    assert "2 sent, 1 already sent, 1 waiting, 2 refused" in text(owner.get(path(desk)))


def test_people_come_in_pages_at_a_fixed_number_of_statements(below: Below, owner: helpers.Browser) -> None:
    desk = below
    id_ = furnished(desk)
    with toys.Statements(db.current()) as few:
        owner.get(path(desk, f"{id_}/people"))
    for number in range(60):
        desk.comments(f"more-{number}", "tide")
    desk.run()
    desk.sends()
    with toys.Statements(db.current()) as many:
        page = text(owner.get(path(desk, f"{id_}/people")))
    assert len(rows(page)) == 50
    assert len(few.seen) == len(many.seen)
    (older,) = re.findall(r"before=(\d+)", page)
    rest = rows(text(owner.get(path(desk, f"{id_}/people?before={older}"))))
    assert len(rest) == 16
    assert not rest.keys() & rows(page).keys()


def test_who_sees_some_accounts_sees_their_people_alone(below: Below) -> None:
    id_ = furnished(below)
    page = text(below.limited_owner().get(path(below, f"{id_}/people")))
    assert rows(page) == {}
    assert "0 people wrote the word" in plain(page)


def test_a_rule_that_is_no_campaign_has_no_such_page(below: Below, owner: helpers.Browser) -> None:
    id_ = below.rule({"do": "close"}, state=RuleState.OFF)
    for rest in (f"{id_}/people", f"{id_}/people.csv", 999):
        assert owner.get(path(below, rest)).status_code == 404


def test_a_program_makes_a_campaign_and_lists_its_people(below: Below) -> None:
    program = Program(below.desk.app, make_key(below.desk.workspace))
    wanted = {
        "when": "message.received",
        "conditions": [{"if": "post", "words": []}, {"if": "words", "words": ["wave"], "has": "any"}],
        "actions": [{"do": "privately", "text": LINK, "quick_replies": []}],
        "once": "contact",
        "campaign": {"people": 9},
    }
    made = program.send("POST", "/rules", {"name": "Wave", "body": wanted, "state": "off"}, 201)
    assert made["body"] == wanted
    wrong = {"name": "Wave", "body": {**wanted, "campaign": {"people": -1}}}
    assert program.refused("POST", "/rules", wrong)[1]["field"] == "body.campaign.people"
    id_ = furnished(below)
    first = program.get(f"/campaigns/{id_}/people", limit=4)
    rest = program.get(f"/campaigns/{id_}/people", limit=4, cursor=first["next"])
    assert rest["next"] is None
    said = {
        one["username"]: (one["got"], one["reason"], one["problem"]) for one in first["data"] + rest["data"]
    }
    assert said == {
        "ana": ("got", None, None),
        "bob": ("refused", "no_private", REFUSES.sentence),
        "cleo": ("had", None, None),
        "dan": ("got", None, None),
        "eve": ("waits", None, "The limit of 750 an hour is reached."),
        "fay": ("refused", "taken_back", None),
    }
    found = program.get(f"/campaigns/{id_}/people", got="got", search="dan")["data"]
    assert [(one["name"], one["publicAnswer"], one["messages"]) for one in found] == [("Dan Q.", 1, 1)]
    assert found[0]["answeredAt"] is not None
    assert program.refused("GET", "/campaigns/999999/people")[1]["code"] == "rule_not_found"


def test_a_campaign_shows_its_posts_picture(below: Below, owner: helpers.Browser) -> None:
    desk = below
    desk.comments("zoe", "tide")
    desk.comments("zoe", "tide", "plates", "Rim plates")
    desk.run()
    mugs, plates = desk.post("mugs"), desk.post("plates")
    id_ = desk.campaign(post={"if": "conversation", "filter": {"post": mugs}})
    for page in (path(desk, id_), path(desk, f"{id_}/people")):
        assert f"/media/posts/{mugs}?v=" not in owner.get(page).text
    toys.change_row(Post, mugs, picture_url="https://provider.example/mug.jpg")
    shown = f"/w/{desk.desk.workspace}/media/posts/{mugs}?v="
    both = owner.get(path(desk, id_)).text
    assert both.count(shown) == 3, "beside the name, in the list of posts, and as a customer sees it"
    assert "provider.example" not in both, "a browser gets it by way of us"
    assert owner.get(path(desk, f"{id_}/people")).text.count(shown) == 1
    assert f"/media/posts/{plates}" not in both
    several = desk.campaign(
        post={
            "if": "any",
            "of": [
                {"if": "conversation", "filter": {"post": mugs}},
                {"if": "conversation", "filter": {"post": plates}},
            ],
        },
        name="Two",
    )
    assert owner.get(path(desk, f"{several}/people")).text.count(shown) == 0


def test_a_campaign_says_how_many_private_replies_went_out_this_hour(
    below: Below, owner: helpers.Browser
) -> None:
    desk = below
    desk.comments("zoe", "tide")
    desk.run()
    id_ = desk.campaign(post={"if": "conversation", "filter": {"post": desk.post()}})
    said = plain(owner.get(path(desk, id_)).text)
    assert "at most 750 an hour · 0 of 750 used in the last hour" in said
    desk.comments("bob", "tide")
    desk.run()
    drain(desk.desk.generation, direction="out")
    said = plain(owner.get(path(desk, id_)).text)
    assert "at most 750 an hour · 1 of 750 used in the last hour" in said
    toys.make_account(desk.desk.workspace, name="Studio")
    anywhere = desk.campaign(name="Anywhere")
    said = plain(owner.get(path(desk, anywhere)).text)
    assert "Shop : 1 of 750 used in the last hour" in said
    assert "Studio : 0 of 750 used in the last hour" in said
