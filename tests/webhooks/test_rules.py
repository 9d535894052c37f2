"""What rules tell programs: the one endpoint they call, and whoever hears of whom they tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jsonschema_rs
from sqlalchemy.orm import Session

from host.api.http.openapi import document
from host.core import clock, db
from host.events.kinds.rules import RULE_CALLED, RULE_TOLD, OfRule
from host.events.models import ActorKind
from host.events.writing import Happened, record
from host.inbox.erasure import erase
from host.inbox.teams import teams
from host.models.inbox import Conversation, Message
from host.rules.models import Rule
from host.webhooks import endpoints
from host.webhooks.consumer import replay_since
from tests import helpers
from tests.helpers import do, work
from tests.receiver import Receiver, receiving
from tests.webhooks.conftest import Travel
from tests.webhooks.desk import BASE, HookDesk


def rule(desk: HookDesk, name: str = "Wholesale") -> int:
    def make(session: Session) -> int:
        now = clock.now()
        row = Rule(
            workspace_id=desk.workspace_id,
            name=name,
            state="live",
            position=1,
            version=1,
            state_at=now,
            created_at=now,
        )
        session.add(row)
        session.flush()
        return row.id

    return db.write(make)


def happened(desk: HookDesk, kind: str, conversation: int, *, message: bool = True, **facts: Any) -> None:
    def make(session: Session) -> None:
        row = session.get_one(Conversation, conversation)
        last = session.query(Message.id).filter_by(conversation_id=conversation).first() if message else None
        ids = row.account_id, conversation, None if last is None else last[0]
        facts_ = OfRule(**facts)
        record(
            session,
            Happened(desk.workspace_id, kind, "", *ids, actor_kind=ActorKind.SYSTEM, facts=facts_),
        )

    db.write(make)


def test_the_one_endpoint_a_rule_names_is_called_whatever_it_hears_of(
    any_desk: HookDesk, receiver: Receiver
) -> None:
    desk = any_desk
    other = desk.connect("200")
    with receiving() as everything:
        named, _ = desk.endpoint(receiver.url, "account.stopped", accounts=[other.id])
        desk.endpoint(everything.url, "*")
        wholesale = rule(desk)
        conversation = desk.customer_wrote("anna")
        happened(desk, RULE_CALLED, conversation, rule=wholesale, endpoint=named.id)
        desk.deliver()
        assert everything.names == ["conversation.created", "message.received"]
        heard = everything.got[1].told["data"]
        [got] = receiver.got
        assert got.told == {
            "event": "rule.called",
            "data": {
                "rule": {"id": str(wholesale), "name": "Wholesale"},
                "channelId": desk.account.uuid,
                "channelType": "email",
                "from": "anna",
                "contactId": got.told["data"]["contactId"],
                "conversationId": str(conversation),
                "messageId": heard["id"],
                "timestamp": got.told["data"]["timestamp"],
            },
        }
        replay = desk.workspace_id, named.id, clock.now() - timedelta(hours=1)
        directory = desk.generation.directory
        assert replay_since(*replay, directory, BASE) == (1, None)
        desk.deliver()
        assert receiver.ids == [got.id] * 2
        everybody = next(one.endpoint_id for one in desk.deliveries() if one.endpoint_id != named.id)
        assert replay_since(desk.workspace_id, everybody, replay[2], directory, BASE) == (2, None)
        desk.deliver()
        assert "rule.called" not in everything.names


def test_whoever_is_limited_to_labels_is_called_all_the_same(desk: HookDesk, receiver: Receiver) -> None:
    def limited(session: Session) -> None:
        endpoints.locked(session, desk.workspace_id, row.id).labels = [2**40]

    row, _ = desk.endpoint(receiver.url, "*")
    db.write(limited)
    conversation = desk.customer_wrote("anna")
    happened(desk, RULE_CALLED, conversation, rule=rule(desk), endpoint=row.id)
    desk.deliver()
    assert receiver.names == ["rule.called"]


def test_an_endpoint_that_is_paused_or_gone_is_not_called(desk: HookDesk, receiver: Receiver) -> None:
    paused, _ = desk.endpoint(receiver.url, "*")
    gone, _ = desk.endpoint(receiver.url, "*")
    conversation = desk.customer_wrote("anna")
    desk.deliver()
    receiver.got.clear()
    do(endpoints.pause, desk.workspace_id, paused.id)
    do(endpoints.delete, desk.workspace_id, gone.id)
    for endpoint in (paused.id, gone.id, 0):
        happened(desk, RULE_CALLED, conversation, rule=rule(desk), endpoint=endpoint)
    assert desk.deliver() == 0
    do(endpoints.resume, desk.workspace_id, paused.id)
    assert desk.deliver() == 0
    assert receiver.got == []


def test_an_endpoint_of_another_workspace_is_not_called(desk: HookDesk, receiver: Receiver) -> None:
    wanted = endpoints.EndpointSettings(receiver.url, ("*",))
    endpoint = do(endpoints.create, helpers.make_workspace("Studio"), wanted, {"*"})[0].id
    conversation = desk.customer_wrote("anna")
    happened(desk, RULE_CALLED, conversation, rule=rule(desk), endpoint=endpoint)
    assert desk.deliver() == 0


def test_whom_a_rule_tells_is_heard_by_pattern(desk: HookDesk, receiver: Receiver) -> None:
    mia = helpers.make_user(name="Mia R.", workspace=desk.workspace_id)
    orders = db.write(lambda session: teams.create(work(session, desk.workspace_id), name="Orders").id)
    desk.endpoint(receiver.url, "rule.*")
    conversation = desk.customer_wrote("anna")
    wholesale = rule(desk)
    happened(desk, RULE_TOLD, conversation, rule=wholesale, person=mia.id)
    happened(desk, RULE_TOLD, conversation, message=False, rule=2**40, team=orders)
    desk.deliver()
    person, team = (one.told["data"] for one in receiver.got)
    assert (person["person"], "team" in person) == ({"id": str(mia.id), "name": "Mia R."}, False)
    assert (team["team"], "person" in team) == ({"id": str(orders), "name": "Orders"}, False)
    assert ("messageId" in team, team["rule"]) == (False, {"id": str(2**40)})
    api = document("https://desk.example")
    for one in receiver.got:
        post = api["webhooks"]["rule.told"]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        jsonschema_rs.validator_for({**schema, "components": api["components"]}).validate(one.told)


def test_of_who_is_erased_the_ids_are_left(desk: HookDesk, receiver: Receiver, travel: Travel) -> None:
    row, _ = desk.endpoint(receiver.url, "rule.*")
    conversation = desk.customer_wrote("anna")
    happened(desk, RULE_CALLED, conversation, rule=rule(desk), endpoint=row.id)
    desk.tell()
    [body] = desk.bodies()
    travel(timedelta(seconds=1))
    assert body.contact_id is not None
    do(erase, desk.workspace_id, body.contact_id)
    desk.deliver()
    [got] = receiver.got
    assert got.told["data"]["erased"] is True
    assert b"anna" not in got.body
