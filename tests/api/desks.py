"""A desk a program talks to: a workspace, a scene in it, and clients that show a key."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from host.api.http import versions
from host.automation.actions import Close
from host.core import clock, db
from host.features import registry
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from host.models.inbox import Contact, Conversation
from host.models.posts import Post
from host.models.users import Role
from host.sdk.channel import ChannelAdapter
from host.users import api_keys as keys
from host.users.api_keys import Scope
from tests import helpers
from tests.api import refusals
from tests.helpers import do
from tests.inbox import desks as inbox_desks
from tests.inbox.scenes import Scene

BASE = "/api/v1"
TOOL = {
    "name": "order",
    "title": "Look up an order",
    "about": "When they ask where it is.",
    "url": "https://shop.example/order",
    "effect": "reads",
    "secret": "Bearer s3cret-of-the-shop",
}
"""A tool of an assistant that nothing answers for."""


@dataclass
class Program:
    """Something that calls the API with one key."""

    app: Flask
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Call *path* below the API with a JSON body, or with *options* of the test client."""
        headers = {"Authorization": f"Bearer {self.token}", **self.headers, **options.pop("headers", {})}
        if body is not None:
            options |= {"data": json.dumps(body), "content_type": "application/json"}
        with self.app.test_client() as client:
            response = client.open(BASE + path, method=method, headers=headers, **options)
            response.get_data()
            version = headers.get(versions.HEADER, versions.FIRST)
            refusals.check(self.app, method, BASE + path, response, version)
            return response

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a GET that has to work."""
        response = self.call("GET", path, query_string=query or None)
        assert response.status_code == 200, response.text
        return response.json

    def send(self, method: str, path: str, body: Any, status: int = 200, **options: Any) -> Any:
        """Return the answer to a call that has to be answered with *status*."""
        response = self.call(method, path, body, **options)
        assert response.status_code == status, response.text
        return response.json

    def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, dict[str, Any]]:
        """Return status and error of a call that has to be refused."""
        response = self.call(method, path, body, **options)
        assert 400 <= response.status_code < 500, response.text
        assert response.json is not None
        return response.status_code, response.json["error"]


@dataclass
class ApiDesk:
    """A workspace as :mod:`tests.inbox.desks` makes one, and a program with a key of it."""

    inbox: inbox_desks.Desk
    scene: Scene
    program: Program
    reader: Program

    @property
    def app(self) -> Flask:
        return self.inbox.app

    @property
    def workspace(self) -> int:
        return self.inbox.workspace


def make_key(workspace: int, *scopes: Scope, name: str = "Shop", automatic: bool = False) -> str:
    """Make a key of *workspace* and return it; without *scopes* it may do everything."""
    owner = helpers.make_user(workspace=workspace, role=Role.OWNER)
    return do(keys.create, workspace, name, scopes or tuple(Scope), automatic=automatic, actor=owner.id)


def open_api_desk(data: Path, *adapters: ChannelAdapter, **environment: Any) -> ApiDesk:
    """Open a desk with an empty workspace and two keys: one for everything, one for reading."""
    inbox = inbox_desks.open_desk(data, *adapters, **environment)
    program = Program(inbox.app, make_key(inbox.workspace))
    reader = Program(inbox.app, make_key(inbox.workspace, Scope.READ, name="Export"))
    return ApiDesk(inbox, Scene(inbox), program, reader)


def kept_ids(desk: ApiDesk) -> dict[str, int]:
    """Return the ids of what a workspace keeps: labels, teams, views and so on, one of each made anew."""
    conversation = desk.program.get("/conversations")["data"][0]["id"]
    names = [one["name"] for one in desk.program.get("/labels")["data"]]
    label = desk.program.send("POST", "/labels", {"name": f"label {len(names)}"}, 201)["id"]
    view = desk.program.send("POST", "/views", {"name": "Open", "filter": {"status": "open"}}, 201)["id"]
    wish = {"action": "read", "conversationIds": [conversation]}
    bulk = desk.program.send("POST", "/bulk-actions", wish, 201)["id"]
    team = desk.program.send("POST", "/teams", {"name": f"team {len(names)}"}, 201)["id"]
    attribute = desk.program.send("POST", "/contact-attributes", {"name": f"attribute {len(names)}"}, 201)
    reply = {"shortcut": f"thanks-{label}", "title": "Thanks", "texts": {"default": "Thank you!"}}
    canned = desk.program.send("POST", "/canned-replies", reply, 201)["id"]
    rule = rule_ids(desk)
    macro = do(
        macros.create, desk.workspace, Viewer(None, keeps=True), name="Done", steps=(Close(),), shared=True
    )
    return {
        "post_id": a_post(desk),
        "label_id": label,
        "team_id": team,
        "attribute_id": attribute["id"],
        "view_id": view,
        "bulk_id": bulk,
        "canned_id": canned,
        "macro_id": macro.id,
        "member_id": desk.inbox.mia.id,
        **rule,
        **sequence_ids(desk, conversation),
        **(assistant_ids(desk, conversation, len(names)) if has_assistants() else {}),
    }


def sent_ids(desk: ApiDesk) -> dict[str, Any]:
    """Return the ids of a note about the first contact, and of an uploaded file, made anew."""
    with db.read() as session:
        contact = session.scalars(
            sa.select(sa.func.min(Contact.id)).where(Contact.workspace_id == desk.workspace)
        ).one()
    note = desk.program.send("POST", f"/contacts/{contact}/notes", {"text": "Rings the bell twice."}, 201)
    file = (io.BytesIO(b"mug,12\n"), "mugs.csv")
    upload = desk.program.send("POST", "/uploads", None, 201, data={"file": file})
    return {"contact_note_id": note["id"], "upload_id": upload["id"]}


def has_assistants() -> bool:
    """Tell whether this desk has the feature: a copy may be without."""
    return any(one.name == "assistants" for one in registry.features())


def rule_ids(desk: ApiDesk) -> dict[str, int]:
    """Return the id of a rule made anew; none on a desk without rules."""
    if not registry.is_on("rules"):
        return {}
    wanted = {"name": "Done", "body": {"when": "message.received", "actions": [{"do": "close"}]}}
    return {"rule_id": desk.program.send("POST", "/rules", wanted, 201)["id"]}


def sequence_ids(desk: ApiDesk, conversation: int) -> dict[str, int]:
    """Return a live sequence made anew, its version, and a run that ended; none without sequences."""
    if not registry.is_on("sequences"):
        return {}
    step = {"do": "end", "id": "end"}
    wanted = {"name": "Orders", "body": {"starts": {"programs": True}, "steps": [step]}}
    sequence = desk.program.send("POST", "/sequences", wanted, 201)["id"]
    run = db.write(store_run, desk.workspace, sequence, conversation)
    return {"sequence_id": sequence, "version_id": 1, "run_id": run}


def store_run(session: Session, workspace: int, sequence: int, conversation: int) -> int:
    """Store a run of a sequence that ended."""
    from host.sequences.models import SequenceRun, WaitsFor  # a desk may be without them

    now = clock.now()
    row = SequenceRun(
        workspace_id=workspace,
        sequence_id=sequence,
        version=1,
        conversation_id=conversation,
        contact_id=session.get_one(Conversation, conversation).contact_id,
        started_by="api",
        waits_for=WaitsFor.NOTHING,
        step="end",
        number=0,
        tries=0,
        attempts=0,
        cause_id=1,
        root_id=1,
        depth=1,
        started_at=now,
        moved_at=now,
        ended_at=now,
        outcome="done",
    )
    session.add(row)
    session.flush()
    return row.id


def assistant_ids(desk: ApiDesk, conversation: int, number: int) -> dict[str, int]:
    """Return an assistant that knows something, with a turn of a conversation, a case and a tool."""
    from host.assistants.models import TurnState
    from tests.assistants.making import store_turn

    assistant = desk.program.send("POST", "/assistants", {"name": f"Desk {number}"}, 201)["id"]
    entry = {"title": "Shipping", "text": "Four to six days."}
    knowledge = desk.program.send("POST", f"/assistants/{assistant}/knowledge", entry, 201)["id"]
    turn = store_turn(
        clock.now(),
        workspace_id=desk.workspace,
        assistant_id=assistant,
        account_id=desk.inbox.account.id,
        conversation_id=conversation,
        message_id=2_000_000 + assistant,
        state=TurnState.DISMISSED,
        text="Four to six days.",
    )
    used = db.write(store_call, turn)
    answer = {"text": "We ship to Norway within four to six days."}
    path = f"/assistants/{assistant}/past-answers/dismiss"
    dismissed = desk.program.send("POST", path, answer)["id"]
    like = {"question": "To Norway?", "says": ["four"]}
    case = desk.program.send("POST", f"/assistants/{assistant}/cases", like, 201)["id"]
    tool = desk.program.send("POST", f"/assistants/{assistant}/tools", TOOL, 201)["id"]
    return {
        "assistant_id": assistant,
        "knowledge_id": knowledge,
        "turn_id": turn,
        "case_id": case,
        "tool_id": tool,
        "call_id": used,
        "dismissed_id": dismissed,
    }


def store_call(session: Session, turn: int) -> int:
    """Store a tool call of a turn that waits for a person's decision; return its id."""
    from host.assistants.models import AssistantCall, CallState

    row = AssistantCall(
        turn_id=turn,
        number=1,
        tool="close",
        arguments={},
        state=CallState.ASKED,
        result="",
        key=f"key-{turn}",
        took_ms=0,
        at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row.id


def a_post(desk: ApiDesk) -> int:
    """Return the id of a post of the desk's account; made once."""

    def make(session: Session) -> int:
        query = sa.select(Post.id).where(Post.account_id == desk.inbox.account.id)
        found = session.scalars(query).first()
        if found is not None:
            return found
        row = Post(
            workspace_id=desk.workspace,
            account_id=desk.inbox.account.id,
            external_id="p1",
            kind="post",
            text="Tide mugs are back.",
            url="",
            owner="",
            failures=0,
            created_at=clock.now(),
        )
        session.add(row)
        session.flush()
        return row.id

    return db.write(make)


def endpoint_ids(desk: ApiDesk) -> dict[str, int]:
    """Return an endpoint that is told nothing, with one delivery; made once. None without webhooks."""
    if find_spec("host.webhooks") is None:
        return {}
    from tests.webhooks import made

    return made.endpoint_ids(desk.workspace)
