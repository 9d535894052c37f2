"""An agent who sees some accounts only: nothing of the others, wherever they look and whatever they guess."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db, storage
from host.events.writing import show
from host.features import registry
from host.inbox import conversation_actions
from host.inbox.contacts import merging
from host.inbox.errors import NotAMemberError
from host.live import events, hub, stream_access
from host.live.hub import Hub
from host.models.inbox import Attachment, ContactIdentity, Conversation, Message
from host.models.users import LoginSession, Role, User
from host.notifications import notify
from host.sdk.channel import AccountRef
from host.users import invitations, members, roles, sessions
from host.users.reach import Accounts
from host.users.roles import Permission
from tests import helpers
from tests.helpers import Browser, do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.live.served import Reader, serve, until

NOT_THERE = 987_654


class Place:
    """A desk with two accounts, a conversation in each, and Kim, who sees the first only."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.other: AccountRef = toys.make_account(
            desk.workspace, desk.account.channel, handle="@hidden.shop"
        )
        scene = Scene(desk)
        scene.said("ana", "Ana Seen", "A question in the open", scene.now)
        scene.said("ben", "Ben Hidden", "A secret order", scene.now, account=self.other)
        self.seen, self.hidden = scene.conversation("ana"), scene.conversation("ben")
        self.kim = helpers.make_user("kim@example.com", "Kim L.", workspace=desk.workspace)
        self.limit(frozenset({desk.account.id}))
        self.browser: Browser = helpers.client_for(desk.app, self.kim)

    def limit(self, accounts: Accounts) -> None:
        db.write(members.set_accounts, self.desk.workspace, self.kim.id, accounts)

    def get(self, rest: str) -> Any:
        return self.browser.get(f"/w/{self.desk.workspace}/{rest}")

    def id_of(self, model: Any, contact: str) -> int:
        """Return the id of the one row of *model* on the account that *contact* writes to."""
        account = self.desk.account if contact == "ana" else self.other
        with db.read() as session:
            return session.scalars(sa.select(model.id).where(model.account_id == account.id)).one()


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def place(desk: Desk) -> Place:
    return Place(desk)


def test_lists_and_counts_hold_what_is_seen(place: Place) -> None:
    page = place.get("inbox").text
    assert "Ana Seen" in page
    assert "Ben Hidden" not in page
    assert "secret" not in page
    assert re.findall(r'<span class="count">(\d+)</span>', page)[:4] == ["1", "0", "1", "1"]
    rows = place.get("inbox/list").json
    assert "Ana Seen" in rows["rows"]
    assert "Ben Hidden" not in rows["rows"]
    everything = place.desk.browser.get(place.desk.path()).text
    assert "Ben Hidden" in everything, "Mia sees all"


def test_links_of_the_list_keep_the_limit(place: Place) -> None:
    for rest in (
        "?view=unassigned",
        "?status=closed",
        f"?channel={place.desk.account.channel}",
        "?view=mine",
    ):
        assert "Ben Hidden" not in place.get(f"inbox{rest}").text


def test_fragments_name_nothing_of_another_account(place: Place) -> None:
    asked = f"inbox/updates?rows={place.seen},{place.hidden}&conversation={place.hidden}&head=1&composer=1"
    answer = place.get(asked).json
    assert answer["rows"][str(place.hidden)] is None
    assert "Ana Seen" in answer["rows"][str(place.seen)]
    assert "head" not in answer
    assert "Hidden" not in str(answer)
    assert "head" in place.desk.browser.get(f"/w/{place.desk.workspace}/{asked}").json


def test_what_came_since_a_reply_was_written_names_nothing_of_another_account(place: Place) -> None:
    asked = f"inbox/since?waiting=reply-{place.seen}-0,reply-{place.hidden}-0,reply-{NOT_THERE}-0"
    seen, hidden, none = place.get(asked).json["cards"]
    assert "A question in the open" in seen
    assert "Hidden" not in hidden
    assert "secret" not in hidden
    assert hidden == none


def test_a_phone_copies_nothing_of_another_account(place: Place) -> None:
    assert place.get("offline").json["conversations"] == [place.seen]
    everything = place.desk.browser.get(f"/w/{place.desk.workspace}/offline").json["conversations"]
    assert set(everything) == {place.seen, place.hidden}


def same(one: Any, other: Any) -> bool:
    """Tell whether two answers are the same but for the number of the request and ids in addresses."""

    def bare(answer: Any) -> tuple[int, str]:
        text = re.sub(r"[0-9a-f]{16}", "", answer.text)
        text = re.sub(r"\b\d+\b", "", text)
        token = r'name=\\?"csrf[-_]token\\?" (content|value)=\\?"[^"\\]*'
        return answer.status_code, re.sub(token, "", text)

    return bare(one) == bare(other)


def test_every_id_of_another_account_is_answered_like_one_that_does_not_exist(place: Place) -> None:
    hidden = {
        "conversation_id": place.hidden,
        "account_id": place.other.id,
        "identity_id": place.id_of(ContactIdentity, "ben"),
        "message_id": place.id_of(Message, "ben"),
        "attachment_id": db.write(_attachment, place.id_of(Message, "ben")),
        "contact_id": contact_of(place.hidden),
    }
    looked_at = 0
    for rule in place.desk.app.url_map.iter_rules():
        named = [name for name in rule.arguments if name in hidden]
        if not rule.rule.startswith("/w/<int:workspace_id>/") or not named:
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answers = []
            for ids in (hidden, dict.fromkeys(hidden, NOT_THERE)):
                path = rule.rule.replace("<int:workspace_id>", str(place.desk.workspace))
                for name in named:
                    path = path.replace(f"<int:{name}>", str(ids[name]))
                path = re.sub(r"<[^>]*>", "x", path)
                data = {"csrf_token": place.browser.csrf(), "text": "Hi", "reply_key": "abcdefgh"}
                answers.append(
                    place.browser.open(path, method=method, data=data if method == "POST" else None)
                )
            assert answers[0].status_code in {403, 404}, f"{method} {rule.rule}"
            assert same(*answers), f"{method} {rule.rule}"
            looked_at += 1
    assert looked_at > 20


READERS = {"form_id", "id_argument"}
FIELDS = {
    "with": "contact_id",
    "conversation": "conversation_id",
    "left": "conversation_id",
    "reply_to": "message_id",
    "quote": "message_id",
    "react": "message_id",
    "below": "message_id",
    "seen": "message_id",
    "until": "message_id",
    "suggestion": "turn_id",
    "account": "account_id",
}
"""Fields of forms, and arguments of addresses, that name something of an account."""
OF_NO_ACCOUNT = {
    "add",
    "agent",
    "assignee",
    "attribute",
    "before",
    "into",
    "label",
    "remove",
    "shown",
    "since",
    "team",
}
"""Those that name people, teams, labels, rules, attributes or lines; ``before`` and ``since`` are places."""
FOR_LEADS = {"assistant", "delivery", "person", "turn", "version"}
"""Those of pages that nobody opens who may be limited."""
WITH = {"with": ({}, {"different": "1"})}
"""What else a form says beside a field, where that leads elsewhere."""


@cache
def fields_read(module: Any) -> dict[str, set[str]]:
    """Return the ids that a module reads from a request: ``form_id`` and ``id_argument`` -> names."""
    found: dict[str, set[str]] = {name: set() for name in READERS}
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS:
            found[node.func.id] |= {one.value for one in node.args if isinstance(one, ast.Constant)}
    return found


def fields_of(view: Any, reader: str) -> set[str]:
    """Return the ids of something of an account that *view*, and what its module imports, reads."""
    module = sys.modules[inspect.unwrap(view).__module__]
    names = {module.__name__, *(getattr(one, "__module__", None) or "" for one in vars(module).values())}
    pages = [sys.modules[name] for name in names if name.startswith("host.") and name in sys.modules]
    return {name for one in pages for name in fields_read(one)[reader]} & FIELDS.keys()


def test_every_id_in_a_form_is_known_to_belong_to_an_account_or_not(desk: Desk) -> None:
    modules = [one for name, one in sys.modules.items() if name.startswith("host.")]
    found = {name for one in modules for names in fields_read(one).values() for name in names}
    assert found - {"page"} == FIELDS.keys() | OF_NO_ACCOUNT | FOR_LEADS


def test_every_id_of_another_account_in_a_form_is_answered_like_one_that_does_not_exist(place: Place) -> None:
    hidden = {
        "conversation_id": place.hidden,
        "contact_id": contact_of(place.hidden),
        "message_id": place.id_of(Message, "ben"),
        "turn_id": _a_turn(place),
        "account_id": place.other.id,
    }
    seen = {
        "workspace_id": place.desk.workspace,
        "conversation_id": place.seen,
        "contact_id": contact_of(place.seen),
        "message_id": place.id_of(Message, "ana"),
        "identity_id": place.id_of(ContactIdentity, "ana"),
        "account_id": place.desk.account.id,
    }
    looked_at, wrong = 0, []
    for rule in place.desk.app.url_map.iter_rules():
        view = place.desk.app.view_functions[rule.endpoint]
        needs = getattr(view, "lobby_needs", Permission.DESK)
        if "workspace_id" not in rule.arguments or Role.AGENT not in roles.with_permission(needs):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: str(seen.get(part.group(1), NOT_THERE)), rule.rule)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            for name in fields_of(view, "form_id" if method == "POST" else "id_argument"):
                for more in WITH.get(name, ({},)):
                    given = [{name: str(id_), **more} for id_ in (hidden[FIELDS[name]], NOT_THERE)]
                    answers = [_ask(place, method, path, form) for form in given]
                    looked_at += 1
                    if not same(*answers) or "Ben Hidden" in answers[0].text:
                        wrong.append((method, rule.rule, name, [one.status_code for one in answers]))
    assert wrong == []
    assert looked_at > 100


def _a_turn(place: Place) -> int:
    """Return a turn of an assistant; one that is not there on a desk without assistants."""
    if all(one.name != "assistants" for one in registry.features()):
        return NOT_THERE + 1
    from tests.assistants import making

    return making.turn(making.assistant(place.desk.workspace), place.id_of(Message, "ben"))


def _ask(place: Place, method: str, path: str, form: dict[str, str]) -> Any:
    with place.browser.session_transaction() as session:
        session.pop("_flashes", None)  # what the answer before had to say
    if method == "GET":
        return place.browser.get(path, query_string=form)
    return place.browser.open(path, method=method, data={"csrf_token": place.browser.csrf(), **form})


def contact_of(conversation: int) -> int:
    with db.read() as session:
        return session.get_one(Conversation, conversation).contact_id


def _attachment(session: Any, message_id: int) -> int:
    message = session.get(Message, message_id)
    row = Attachment(
        workspace_id=message.workspace_id, message_id=message_id, kind="image", name="x.png",
        content_type="image/png", state="stored", storage_key="0" * 64,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return int(row.id)


def test_what_is_theirs_works_as_ever(place: Place) -> None:
    assert place.get(f"inbox/{place.seen}").status_code == 200
    address = f"/w/{place.desk.workspace}/inbox/{place.seen}"
    assert place.browser.post_form(f"{address}/close").status_code == 303
    assert place.browser.post_form(f"{address}/note", text="Hm", reply_key="abcdefgh12").status_code == 303


def test_a_contact_on_two_accounts_shows_only_what_is_seen(place: Place) -> None:
    def merge(session: Any) -> None:
        seen, hidden = (session.get(Conversation, id_) for id_ in (place.seen, place.hidden))
        hidden.contact_id = seen.contact_id

    db.write(merge)
    assert "secret order" not in place.get(f"inbox/{place.seen}").text
    assert "secret order" in place.desk.browser.get(place.desk.path(f"/{place.seen}")).text


def test_nobody_gives_them_what_they_do_not_see(place: Place) -> None:
    def assign(conversation: int, to: int) -> None:
        do(
            conversation_actions.set_fields,
            place.desk.workspace,
            conversation,
            {"assignee_id": to},
            actor=place.desk.mia.id,
            now=place.kim.created_at,
        )

    assign(place.seen, place.kim.id)
    with pytest.raises(NotAMemberError):
        assign(place.hidden, place.kim.id)
    auditor = helpers.make_user(workspace=place.desk.workspace, role=Role.AUDITOR)
    with pytest.raises(NotAMemberError):
        assign(place.seen, auditor.id)
    menu = place.desk.browser.get(place.desk.path(f"/{place.hidden}")).text
    assert f'name="assignee" value="{place.desk.mia.id}"' in menu
    assert f'name="assignee" value="{place.kim.id}"' not in menu


def test_conversations_go_back_to_nobody_with_the_account(place: Place) -> None:
    place.limit(None)
    for conversation in (place.seen, place.hidden):
        toys.change_row(Conversation, conversation, assignee_id=place.kim.id)
    place.limit(frozenset({place.desk.account.id}))
    with db.read() as session:
        assert session.get_one(Conversation, place.seen).assignee_id == place.kim.id
        assert session.get_one(Conversation, place.hidden).assignee_id is None


def test_live_events_of_other_accounts_stay_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "CHECK_SECONDS", 0.05)

    def say(conversation: int) -> None:
        db.write(show, place.desk.workspace, "conversation", conversation_id=conversation)

    live = f"/w/{place.desk.workspace}/live"
    with serve(place.desk) as port:
        with db.read() as session:
            start = events.newest_id(session)
        say(place.hidden)
        say(place.seen)
        poll = place.browser.get(f"{live}/poll?after={start}").json
        assert [one["data"] for one in poll["events"]] == [f'{{"conversation":{place.seen}}}']
        with Reader(port, f"{live}?after={start}", place.browser) as reader:
            assert reader.frame()["data"] == f'{{"conversation":{place.seen}}}'
            say(place.hidden)
            db.write(show, place.desk.workspace, "account", account_id=place.other.id)
            db.write(show, place.desk.workspace, "account", account_id=place.desk.account.id)
            assert reader.frame()["data"] == f'{{"account":{place.desk.account.id}}}'
            until(lambda: place.desk.hub.count == 1)
            place.limit(frozenset())
            until(lambda: place.desk.hub.count == 0)


def test_who_may_watch_says_which_accounts(any_database: db.Database) -> None:
    workspace = helpers.make_workspace()
    accounts = [toys.make_account(workspace).id for _ in range(2)]
    all_, some, none = (helpers.make_user(workspace=workspace) for _ in range(3))
    db.write(members.set_accounts, workspace, some.id, frozenset(accounts[:1]))
    db.write(members.set_accounts, workspace, none.id, frozenset())
    ids = [_session_of(person) for person in (all_, some, none)]
    with db.read() as session:
        found = stream_access.allowed(session, ids)
    assert [found[id_, workspace] for id_ in ids] == [None, frozenset(accounts[:1]), frozenset()]
    assert Hub().count == 0


def _session_of(person: User) -> int:
    token = db.write(sessions.start, person.id, "")
    with db.read() as session:
        query = sa.select(LoginSession.id).where(LoginSession.token_hash == sessions.hash_token(token))
        return session.scalars(query).one()


def test_notifications_of_other_accounts_stay_away(place: Place) -> None:
    for account in (place.desk.account.id, place.other.id, None):
        message = notify.Message(f"Account {account}", "It needs you.")
        db.write(
            notify.notify_users,
            [place.kim.id],
            message,
            workspace_id=place.desk.workspace,
            path="/",
            account_id=account,
        )
    page = place.browser.get("/notifications").text
    assert f"Account {place.desk.account.id}" in page
    assert f"Account {place.other.id}" not in page
    assert "Account None" not in page
    place.limit(None)
    assert f"Account {place.other.id}" in place.browser.get("/notifications").text


def test_a_file_is_uploaded_for_accounts_they_see(place: Place, tmp_path: Any) -> None:
    storage.use(storage.FolderStore(tmp_path / "files"))

    def upload(account: int) -> int:
        import io

        data = {
            "csrf_token": place.browser.csrf(),
            "account": str(account),
            "file": (io.BytesIO(b"%PDF-1.4 x"), "a.pdf"),
        }
        answer = place.browser.post(f"/w/{place.desk.workspace}/uploads", data=data)
        return int(answer.status_code)

    assert upload(place.other.id) == upload(NOT_THERE) == 404
    assert upload(place.desk.account.id) != 404


def test_another_role_sees_all_again(place: Place) -> None:
    db.write(members.set_role, place.desk.workspace, place.kim.id, Role.LEAD)
    assert "Ben Hidden" in place.get("inbox").text
    with pytest.raises(Exception, match="can see all accounts"):
        place.limit(frozenset())


def test_who_is_invited_with_a_limit_has_it_from_the_start(place: Place) -> None:
    token = helpers.do(
        invitations.invite,
        place.desk.workspace,
        email="new@example.com",
        role=Role.AGENT,
        actor=place.desk.mia.id,
        accounts=frozenset({place.desk.account.id}),
    )
    client = helpers.browser(place.desk.app)
    joined = client.post_form(
        f"/invite/{token}", name="New", password=helpers.PASSWORD, again=helpers.PASSWORD
    )
    assert joined.status_code == 302
    page = client.get(place.desk.path()).text
    assert "Ana Seen" in page
    assert "Ben Hidden" not in page


def test_a_form_cannot_give_accounts_of_another_workspace(place: Place) -> None:
    elsewhere = helpers.make_workspace()
    foreign = toys.make_account(elsewhere).id
    owner = helpers.client_for(
        place.desk.app, helpers.make_user(workspace=place.desk.workspace, role=Role.OWNER)
    )
    address = f"/w/{place.desk.workspace}/settings/people/{place.kim.id}/role"
    assert owner.post_form(address, role="agent", see="some", account=str(foreign)).status_code == 404
    assert owner.post_form(address, role="agent", see="some", account="1 OR 1").status_code == 400
    assert owner.post_form(address, role="agent", see="all").status_code == 302
    assert "Ben Hidden" in place.get("inbox").text
    assert owner.post_form(address, role="agent", see="some").status_code == 302
    assert "Ana Seen" not in place.get("inbox").text


def test_an_auditor_reads_and_writes_nothing(place: Place) -> None:
    auditor = helpers.client_for(
        place.desk.app, helpers.make_user(workspace=place.desk.workspace, role=Role.AUDITOR)
    )
    page = auditor.get(place.desk.path(f"/{place.seen}")).text
    assert "A question in the open" in page
    assert "data-composer" not in page
    assert "data-read" not in page
    assert "<form" not in page.split('id="thread"')[1].split('id="gallery"')[0]
    for action in ("reply", "note", "close", "read", "assign"):
        answer = auditor.post_form(place.desk.path(f"/{place.seen}/{action}"), text="x", until="99")
        assert answer.status_code == 403, action


def test_pages_and_programs_load_nothing_past_the_functions_that_ask_who_looks() -> None:
    loads = re.compile(r"\.get(_one)?\((Contact|Conversation)\b")
    root = Path(roles.__file__).parents[1]
    files = [path for path in root.rglob("*.py") if {"pages", "api"} & set(path.relative_to(root).parts)]
    assert len(files) > 100
    assert [str(path) for path in files if loads.search(path.read_text(encoding="utf-8"))] == []


def test_nothing_of_another_account_of_the_same_customer_is_on_any_page(place: Place) -> None:
    """Kim asks for every page that an agent may open, about a customer who is on both accounts."""
    merge_both(place)
    ids = {
        "workspace_id": place.desk.workspace,
        "conversation_id": place.seen,
        "contact_id": contact_of(place.seen),
        "message_id": place.id_of(Message, "ana"),
        "identity_id": place.id_of(ContactIdentity, "ana"),
        "account_id": place.desk.account.id,
    }
    looked_at, wrong = set(), []
    for rule in sorted(place.desk.app.url_map.iter_rules(), key=lambda one: "POST" in (one.methods or ())):
        needs = getattr(place.desk.app.view_functions[rule.endpoint], "lobby_needs", Permission.DESK)
        if "workspace_id" not in rule.arguments or Role.AGENT not in roles.with_permission(needs):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: str(ids.get(part.group(1), NOT_THERE)), rule.rule)
        if rule.endpoint.startswith("live."):
            continue  # a stream; it has tests of its own
        for method in (rule.methods or set()) & {"GET", "POST"}:
            form = {"text": "Hi", "reply_key": "abcdefgh12", "name": "Ana"} if method == "POST" else {}
            answer = _ask(place, method, path, form)
            if answer.status_code in {302, 303} and answer.location.startswith("/"):
                answer = place.browser.get(answer.location)
            if any(word in answer.text for word in ("Ben Hidden", "secret order", "@hidden.shop")):
                wrong.append((method, path))
            if answer.status_code == 200:
                looked_at.add(rule.endpoint)
    assert wrong == []
    assert {"inbox.conversation", "contacts.contact"} <= looked_at
    assert len(looked_at) > 30


def merge_both(place: Place) -> None:
    """Make the customers of both accounts one contact, who keeps the name of the first."""
    do(merging.merge, place.desk.workspace, contact_of(place.seen), contact_of(place.hidden), take=())
