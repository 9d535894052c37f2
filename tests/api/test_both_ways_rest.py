"""What a page and the API do alike outside the inbox, they write alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.webhooks import endpoints
from host.webhooks.endpoints import EndpointSettings
from host.working_hours.hours import DAY_KEYS
from tests.api.both_ways import Act, compare
from tests.api.channels import Everything
from tests.api.desks import ApiDesk
from tests.helpers import do

ACCOUNTS = "settings/channels/accounts"
ENDPOINTS = "settings/integrations"
ENDPOINT = {"url": "https://crm.example/told", "events": "account.stopped"}
OF_ALL = {"url": "https://crm.example/all", "events": "*", "ordered": "1", "both": "1"}
HOURS = {
    "version": "0",
    "own": "1",
    "timezone": "Europe/Berlin",
    **dict.fromkeys(DAY_KEYS, "09:00 – 17:00"),
    **{"first-0": "2027-12-24", "last-0": "2027-12-26", "open-0": "", "name-0": "Yule"},
}

AUTOMATION = {
    "version": "0",
    "greets": "1",
    "greeting": "Hello!",
    "silence_days": "30",
    "greets_on": ["message", "story_reply", "tap"],
    "away": "We are away.",
    "to": "person",
    "known": "last",
}

RULES = "settings/rules"
RULE = {
    "name": "Broken",
    "when": "message.received",
    "hours": "4",
    "state": "live",
    "after": "go",
    "once": "",
    "if": "words:any",
    "if_text": "broken",
    "join": "and",
    "then": "close",
    "then_text": "",
}
THE_RULE: dict[str, Any] = {
    "name": "Broken",
    "body": {
        "when": "message.received",
        "conditions": [{"if": "words", "words": ["broken"]}],
        "actions": [{"do": "close"}],
    },
}


def endpoint(desk: ApiDesk) -> int:
    wanted = EndpointSettings("https://crm.example/told", ["account.stopped"])
    return do(endpoints.create, desk.workspace, wanted, {"account.stopped"})[0].id


def account(desk: ApiDesk) -> int:
    return desk.inbox.account.id


def rule(desk: ApiDesk) -> int:
    return int(desk.program.send("POST", "/rules", THE_RULE, 201)["id"])


ACTS = {
    "endpoint.added": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/{ENDPOINTS}/new", **ENDPOINT, ordered="1"),
        api=lambda desk, _id: desk.program.send(
            "POST", "/endpoints", {**ENDPOINT, "events": ["account.stopped"]}, 201
        ),
    ),
    "endpoint.changed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/{ENDPOINTS}/{id_}/edit", **OF_ALL),
        api=lambda desk, id_: desk.program.send(
            "PATCH", f"/endpoints/{id_}", {"url": OF_ALL["url"], "events": ["*"], "both": True}
        ),
        before=endpoint,
    ),
    "endpoint.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/{ENDPOINTS}/{id_}/delete"),
        api=lambda desk, id_: desk.program.call("DELETE", f"/endpoints/{id_}"),
        before=endpoint,
    ),
    "endpoint.rotated": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/{ENDPOINTS}/{id_}/rotate"),
        api=lambda desk, id_: desk.program.send("POST", f"/endpoints/{id_}/rotate", None),
        before=endpoint,
    ),
    "hours.changed": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/settings/hours", **HOURS),
        api=lambda desk, _id: desk.program.send(
            "PUT",
            "/hours",
            {
                "timezone": "Europe/Berlin",
                "week": {key: [{"starts": "09:00", "ends": "17:00"}] for key in DAY_KEYS},
                "exceptions": [{"first": "2027-12-24", "last": "2027-12-26", "hours": [], "name": "Yule"}],
            },
        ),
    ),
    "account.automation_changed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/{ACCOUNTS}/{id_}/automation", **AUTOMATION),
        api=lambda desk, id_: desk.program.send(
            "PUT",
            f"/accounts/{id_}/automation",
            {
                "greeting": {"on": True, "text": "Hello!"},
                "away": {"on": False, "text": "We are away."},
                "routing": {"on": False},
            },
        ),
        before=account,
    ),
    "account.messages_changed": Act(
        page=lambda owner, at, id_: owner.post_form(
            f"{at}/{ACCOUNTS}/{id_}/messages", show_seen="1", typing="1", overflow="split", reply_target="60"
        ),
        api=lambda desk, id_: desk.program.send("PATCH", f"/accounts/{id_}", {"replyTarget": 60}),
        before=account,
    ),
    "account.ice_breakers_changed": Act(
        page=lambda owner, at, id_: owner.post_form(
            f"{at}/{ACCOUNTS}/{id_}/ice-breakers", **{"text-0-0": "When?", "value-0-0": "hours"}
        ),
        api=lambda desk, id_: desk.program.send(
            "PUT",
            f"/accounts/{id_}/ice-breakers",
            {"locales": {"default": [{"question": "When?", "payload": "hours"}]}},
        ),
        before=account,
    ),
    "account.menu_changed": Act(
        page=lambda owner, at, id_: owner.post_form(
            f"{at}/{ACCOUNTS}/{id_}/menu",
            **{"text-0-0": "Shop", "does-0-0": "url", "value-0-0": "https://shop.example/"},
        ),
        api=lambda desk, id_: desk.program.send(
            "PUT",
            f"/accounts/{id_}/menu",
            {"locales": {"default": [{"title": "Shop", "url": "https://shop.example/"}]}},
        ),
        before=account,
    ),
    "rule.added": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/{RULES}/new", **RULE),
        api=lambda desk, _id: desk.program.send("POST", "/rules", {**THE_RULE, "state": "live"}, 201),
    ),
    "rule.changed": Act(
        page=lambda owner, at, id_: owner.post_form(
            f"{at}/{RULES}/{id_}",
            **{**RULE, "name": "Whole", "then": "note", "then_text": "Look"},
            version="1",
        ),
        api=lambda desk, id_: desk.program.send(
            "PUT",
            f"/rules/{id_}",
            {
                "name": "Whole",
                "body": {**THE_RULE["body"], "actions": [{"do": "note", "text": "Look"}]},
                "state": "live",
                "version": 1,
            },
        ),
        before=rule,
    ),
    "rule.state": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/{RULES}/{id_}/state", state="off"),
        api=lambda desk, id_: desk.program.send("PATCH", f"/rules/{id_}", {"state": "off"}),
        before=rule,
    ),
    "rule.moved": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/{RULES}/{id_}/move", to="up"),
        api=lambda desk, id_: desk.program.send("POST", f"/rules/{id_}/move", {"places": -1}),
        before=lambda desk: max(rule(desk), rule(desk)),
    ),
    "rule.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/{RULES}/{id_}/delete"),
        api=lambda desk, id_: desk.program.call("DELETE", f"/rules/{id_}"),
        before=rule,
    ),
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("action", ACTS)
def test_a_page_and_the_api_write_the_same(data: Path, action: str) -> None:
    compare(data, action, ACTS[action], Everything())
