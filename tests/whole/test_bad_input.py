"""Whatever is sent to the desk, it answers with a sentence: never a 500, never a trace, nothing half done."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
import requests

from demo.person import PageError, Person
from tests.whole import matrix
from tests.whole.rig import Rig, running, until
from tests.whole.shops import (
    ADMIN,
    POTTERY,
    POTTERY_OWNER,
    STUDIO,
    assistant,
    furnish,
    point_webhooks,
    prepare,
)

pytestmark = pytest.mark.slow

TABLE = matrix.rows()
PLACE = re.compile(r"<(?:(\w+):)?(\w+)>")

CARD = {
    "name": "Pottery",
    "page_id": POTTERY.page,
    "page_name": "",
    "ig_user_id": POTTERY.igid,
    "ig_username": "",
    "page_access_token": POTTERY.token,
    "app_secret": POTTERY.secret,
    "human_agent": "1",
    "cut_long_text": "1",
}
INBOX = "/w/<int:workspace_id>/inbox/<int:conversation_id>"
CONTACT = "/w/<int:workspace_id>/contacts/<int:contact_id>"
SETTINGS = "/w/<int:workspace_id>/settings"
ASSISTANTS = "/w/<int:workspace_id>/assistants"
TOOLS = "/w/<int:workspace_id>/assistants/<int:assistant_id>/tools"
ASSISTANT = "/w/<int:workspace_id>/assistants/<int:assistant_id>"
WEEK = {
    **{"monday": "9 - 12:30, 13:30 - 18", "tuesday": "", "wednesday": "", "thursday": "0-24", "friday": ""},
    **{"saturday": "", "sunday": "", "first-0": "2026-12-24", "last-0": "2026-12-27", "open-0": "10 – 14"},
    **{"name-0": "Holidays", "yearly-0": "1", "gone-0": ""},
}
FIELDS: dict[str, dict[str, str]] = {
    **{address: {} for address in matrix.NAMED_CHANGES},
    "/login": {"email": "nobody@example.com", "password": "wrong password", "next": "/account"},
    "/logout": {},
    "/login/second/<token>": {"code": "123456", "challenge": "x", "answer": "{}"},
    "/login/join/<token>": {"password": "x"},
    "/login/passkey": {"challenge": "x", "answer": "{}", "next": "/account"},
    "/login/passkey/options": {"for": "x"},
    "/account/confirm/passkey": {"challenge": "x", "answer": "{}", "next": "/account"},
    "/account/security/app": {"code": "123456"},
    "/account/security/app/remove": {},
    "/account/security/codes": {},
    "/account/security/passkeys": {"name": "Phone", "challenge": "x", "answer": "{}"},
    "/account/security/passkeys/options": {},
    "/account/security/passkeys/<int:key_id>/rename": {"name": "Phone"},
    "/account/security/passkeys/<int:key_id>/remove": {},
    "/account/security/provider/<int:identity_id>/remove": {},
    "/admin/sign-in/second-factor": {"wanted": "nobody"},
    "/admin/sign-in/provider": {
        "issuer": "not an address",
        "client_id": "lobby",
        "secret": "x",
        "label": "Acme",
        "passwords": "everybody",
        "groups_claim": "groups",
        "group": "support",
        "gives": "1:agent",
    },
    "/admin/people/<int:user_id>/second-factor/reset": {},
    "/setup": {
        "token": "x",
        "name": "X",
        "email": "x@example.com",
        "password": "x",
        "again": "x",
        "workspace": "X",
    },
    "/invite/<token>": {"name": "X", "password": "x", "again": "x"},
    "/account/profile": {"name": "Ola", "theme": "auto", "locale": ""},
    "/account/password": {"current": "x", "password": "y", "again": "z"},
    "/account/confirm": {"password": "x", "next": "/account"},
    "/account/confirm/code": {"code": "123456", "next": "/account"},
    "/account/new-password": {"password": "x", "again": "y"},
    "/account/picture": {"picture": "not a picture"},
    "/account/delete": {"password": "x"},
    "/account/sessions/end-others": {},
    "/forgot": {"email": "nobody@example.com"},
    "/password/<token>": {"password": "x", "again": "y"},
    "/admin/people": {"email": "not an address", "name": "X", "admin": "1"},
    "/admin/people/many": {"do": "sign-out", "person": "0", "sure": "1"},
    "/admin/people/<int:user_id>/admin": {},
    "/admin/people/<int:user_id>/disable": {},
    "/admin/people/<int:user_id>/enable": {},
    "/admin/people/<int:user_id>/link": {},
    "/admin/people/<int:user_id>/new-password": {},
    "/admin/people/<int:user_id>/sign-out": {},
    "/account/theme": {"theme": "dark"},
    "/notifications/read": {},
    "/notifications/<int:notification_id>/read": {},
    "/notifications/settings": {"told": "mention.desk", "usual": ""},
    "/notifications/quiet": {
        "from": "22:00",
        "to": "07:00",
        "day": "1",
        "whole_day": "6",
        "timezone": "Europe/Berlin",
    },
    "/notifications/test": {"way": "desk"},
    "/notifications/devices/key": {},
    "/notifications/devices": {"endpoint": "https://fcm.googleapis.com/x", "p256dh": "BA", "auth": "AA"},
    "/notifications/devices/here": {"endpoint": "https://fcm.googleapis.com/x"},
    "/share": {"title": "Mug", "text": "This one?", "url": "https://shop.example/mug"},
    "/notifications/devices/moved": {
        "old": "https://fcm.googleapis.com/x",
        "endpoint": "https://fcm.googleapis.com/y",
        "p256dh": "BA",
        "auth": "AA",
    },
    "/notifications/devices/<int:device_id>/end": {},
    "/notifications/devices/<int:device_id>/content": {"content": "1"},
    "/notifications/devices/<int:device_id>/test": {"test": "x"},
    "/account/sessions/<int:session_id>/end": {},
    "/w/<int:workspace_id>/uploads": {"file": "not a file", "account": "1"},
    f"{INBOX}/reply": {
        "text": "Hello",
        "reply_key": "bad-input-reply",
        "draft_version": "1",
        "overflow": "split",
        "upload": "x",
        "reply_to": "1",
        "quick_reply": "Red|RED",
        "heart": "1",
        "template": '{"elements": [{"title": "A lamp", "subtitle": "Brass"}]}',
        "product": "1",
        "own_post": "1",
        "undo": "",
        "draft": "{}",
        "to": "mia@example.org",
        "cc": "anna@example.org",
        "bcc": "",
        "own_address": "hello@shop.example",
        "subject": "Mugs",
        "signature": "1",
        "then": "",
        "later": "",
        "later_at": "2030-01-01T09:00",
        "unless_written": "1",
        "suggestion": "1",
    },
    f"{INBOX}/preview": {"text": "Hello", "upload": "x", "signature": "1"},
    f"{INBOX}/onward/preview": {"text": "Hello", "upload": "x", "signature": "1", "place": "1:a@example.org"},
    f"{INBOX}/onward": {
        "text": "Hello",
        "reply_key": "bad-input-onward",
        "place": "1:a@example.org",
        "subject": "Yours",
        "signature": "1",
        "cc": "anna@example.org",
        "bcc": "",
        "own_address": "hello@shop.example",
        "upload": "x",
        "undo": "",
        "draft": "{}",
        "then": "",
        "later": "",
        "later_at": "2030-01-01T09:00",
        "unless_written": "1",
    },
    f"{INBOX}/forward": {
        "account": "1",
        "to": "anna@example.org",
        "note": "See below",
        "files": "1",
        "reply_key": "bad-input-forward",
    },
    f"{INBOX}/messages/<int:message_id>/forward": {
        "account": "1",
        "to": "anna@example.org",
        "note": "See below",
        "files": "1",
        "reply_key": "bad-input-forward-one",
    },
    f"{INBOX}/reply-privately": {"text": "Hello", "reply_key": "bad-input-private", "reply_to": "1"},
    f"{INBOX}/suggestions/<int:turn_id>/accept": {},
    f"{INBOX}/suggestions/<int:turn_id>/dismiss": {},
    f"{INBOX}/suggestions/<int:turn_id>/again": {},
    f"{INBOX}/tool-calls/<int:call_id>": {"allowed": "1"},
    f"{INBOX}/typing": {"on": "1"},
    f"{INBOX}/panels/<name>/press": {"name": "insert", "value": "1"},
    f"{INBOX}/composer-actions/<name>": {},
    f"{CONTACT}/panels/<name>/press": {"name": "insert", "value": "1"},
    f"{INBOX}/presence": {"state": "typing", "left": ""},
    f"{INBOX}/draft": {"version": "0", "content": '{"texts": {"reply": {"text": "Hello", "by": "tab"}}}'},
    f"{INBOX}/unread": {},
    f"{INBOX}/messages/<int:message_id>/react": {"emoji": "\u2764\ufe0f"},
    f"{INBOX}/messages/<int:message_id>/invitation": {"answer": "accepted", "organiser": "mia@example.org"},
    "/addons/instagram/deauthorize": {"signed_request": "a.b"},
    "/addons/instagram/deletion": {"signed_request": "a.b"},
    f"{INBOX}/note": {
        "text": "Hello",
        "reply_key": "bad-input-note",
        "draft_version": "1",
        "mention": "1",
        "mention_team": "1",
    },
    f"{INBOX}/notes/<int:message_id>/edit": {
        "text": "Hello",
        "version": "0",
        "mention": "1",
        "mention_team": "1",
    },
    f"{INBOX}/notes/<int:message_id>/delete": {},
    f"{INBOX}/templates": {
        "template": "1",
        "reply_key": "bad-input-template",
        "seen": "1",
        "parameter.1": "x",
        "file": "x",
    },
    f"{CONTACT}/write/templates": {
        "template": "1",
        "reply_key": "bad-input-first",
        "place": "1:4915112345678",
        "before": "1",
        "parameter.1": "x",
        "file": "x",
    },
    f"{INBOX}/overflow": {"text": "Hello", "overflow": "split"},
    f"{INBOX}/read": {"until": "1"},
    f"{INBOX}/assign": {"assignee": "", "team": "1"},
    f"{INBOX}/labels": {"add": "1", "remove": ""},
    f"{INBOX}/pushed": {"do": "snooze", "token": "1.99999999999.x", "shown": "/|open//", "until": "1"},
    f"{INBOX}/snooze": {"when": "own", "until": "2030-01-01T09:00", "fixed": "1"},
    f"{INBOX}/wake": {},
    f"{INBOX}/spam": {},
    f"{INBOX}/unspam": {},
    "/w/<int:workspace_id>/duty": {"on": "1", "next": "/"},
    "/w/<int:workspace_id>/inbox/views": {"name": "Mine", "shared": "1"},
    "/w/<int:workspace_id>/inbox/views/<int:view_id>": {"what": "up", "name": "Mine"},
    "/w/<int:workspace_id>/inbox/bulk": {
        "action": "snooze",
        "assignee": "",
        "team": "",
        "label": "",
        "when": "reply",
        "until": "",
        "fixed": "",
        "leave_waiting": "1",
        "shown": "1:/|open//",
        "since": "1",
    },
    "/w/<int:workspace_id>/inbox/bulk/<int:bulk_id>/stop": {},
    "/w/<int:workspace_id>/inbox/bulk/<int:bulk_id>/undo": {},
    f"{INBOX}/canned/<int:canned_id>/files": {},
    f"{INBOX}/macros/<int:macro_id>": {"key": "bad-input-macro", "seen": "1", "shown": "/|open//"},
    f"{SETTINGS}/canned/new": {
        "whose": "own",
        "shortcut": "thanks",
        "title": "Thanks",
        "language": "default",
        "text": "Thank you, {{contact.name}}",
        "files": "1",
        "keep": "1",
        "upload": "0" * 32,
        "more": "1",
        "preview": "",
    },
    f"{SETTINGS}/canned/<int:canned_id>": {"whose": "own", "shortcut": "x", "language": "de", "text": "{{"},
    f"{SETTINGS}/canned/<int:canned_id>/delete": {},
    f"{SETTINGS}/macros/new": {"whose": "own", "name": "Done", "step": "label:1", "text": "", "move": "up:0"},
    f"{SETTINGS}/macros/<int:macro_id>": {"whose": "all", "name": "Done", "step": "note", "text": "Hello"},
    f"{SETTINGS}/macros/<int:macro_id>/delete": {},
    f"{SETTINGS}/rules/new": {
        "kind": "campaign",
        "where": "caption",
        "post": "1",
        "pick": "1:17890000000000001",
        "account": "1",
        "link": "17890000000000001",
        "caption": "mugs",
        "words": "tide",
        "answer": "Sent",
        "text": "Here it is",
        "offered": "Yes",
        "team": "1",
        "label": "1",
        "ends": "people",
        "people": "300",
        "until": "2026-12-24",
        "start": "1",
        "name": "Done",
        "when": "message.received",
        "wait": "4",
        "unit": "minutes",
        "working": "1",
        "if": "words:any",
        "if_text": "broken",
        "join": "and",
        "then": "say",
        "then_text": "Sorry",
        "after": "go",
        "once": "contact",
        "state": "draft",
        "move": "answer",
    },
    f"{SETTINGS}/rules/<int:rule_id>": {
        "kind": "rule",
        "version": "1",
        "name": "Done",
        "when": "conversation.unanswered",
        "wait": "4",
        "unit": "minutes",
        "if": "kept:{}",
        "if_text": "",
        "join": "or",
        "then": "label:1",
        "then_text": "",
        "state": "live",
    },
    f"{SETTINGS}/rules/<int:rule_id>/move": {"to": "up"},
    f"{SETTINGS}/rules/<int:rule_id>/state": {"state": "off"},
    f"{SETTINGS}/rules/<int:rule_id>/delete": {},
    "/w/<int:workspace_id>/sequences/new": {"from": "order"},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>": {
        "seen_at": "2026-01-01T00:00:00+00:00",
        "name": "Orders",
        "words": "order",
        "taps": "Order",
        "refs": "ad-1",
        "first": "1",
        "story_replies": "1",
        "programs": "1",
        "accounts": "1",
        "person": "pause",
        "people": "human",
        "team": "1",
    },
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/step": {
        "seen_at": "2026-01-01T00:00:00+00:00",
        "do": "ask",
        "id": "step1",
        "after": "people",
        "text": "Which order?",
        "choices": "Yes",
        "kind": "choice",
        "digits": "5",
        "variable": "number",
        "attribute": "1",
        "again": "Again",
        "until": "time",
        "wait": "4",
        "unit": "hours",
        "early": "1",
        "action": "label:1",
        "team": "1",
        "close": "1",
        "case_if": "answer:number",
        "case_value": "5",
        "case_to": "people",
        "case_at": "0",
        "then": "people",
        "closed": "people",
        "other": "people",
        "silent": "people",
        "move": "up",
    },
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/move": {"to": "up"},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/publish": {},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/secret": {},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/off": {"end": "1"},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/people/<int:sequence_run_id>/end": {},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/delete": {},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/toml": {"toml": 'name = "Orders"', "seen_at": ""},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/versions/<int:version_id>/people": {"to:ask": "hand"},
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/versions/<int:version_id>/restore": {"seen_at": ""},
    "/w/<int:workspace_id>/sequences/toml": {"toml": 'name = "Orders"'},
    ASSISTANTS: {"name": "Shop desk"},
    f"{ASSISTANT}/accounts/<int:account_id>": {
        "mode": "suggest",
        "answers_on": "message",
        "needed": "50",
        "typed_name": "Shop",
    },
    f"{ASSISTANT}/name": {"name": "Mail desk"},
    f"{ASSISTANT}/prompt": {
        "version": "1",
        "prompt": "Warm and short.",
        "announces": "1",
        "announcement": "I am automatic.",
        "phrases": "You are welcome!",
        "pause": "4",
    },
    f"{ASSISTANT}/limits": {
        "version": "1",
        "conversation.turns": "6",
        "conversation.tokens": "",
        "conversation.money": "0.5",
        "day.turns": "100",
        "day.tokens": "",
        "day.money": "",
        "month.turns": "",
        "month.tokens": "1000000",
        "month.money": "60",
        "seconds": "20",
        "calls": "5",
    },
    f"{ASSISTANT}/model": {"model": ""},
    f"{ASSISTANT}/give": {"file": "", "url": "https://pottery.example/shipping"},
    f"{ASSISTANT}/handoff": {"version": "1", "tells_handoff": "1", "handoff": "Mia answers you."},
    f"{ASSISTANT}/said/<int:turn_id>": {"right": "yes", "show": "all"},
    f"{ASSISTANT}/playground": {
        "tab": "prompt",
        "ask": "Do you ship to Norway?",
        "by": "customer",
        "line": "Hello",
        "prompt": "Warm.",
        "pause": "4",
        "account": "1",
    },
    f"{ASSISTANT}/stop": {},
    f"{ASSISTANT}/resume": {},
    f"{ASSISTANT}/delete": {},
    f"{ASSISTANT}/knowledge/new": {
        "kind": "file",
        "title": "Shipping",
        "text": "4 to 6 days",
        "questions": "Norway?",
        "url": "https://pottery.example/shipping",
        "read": "words",
        "file_name": "prices.pdf",
        "turn": "1",
    },
    f"{ASSISTANT}/knowledge/<int:knowledge_id>": {
        "title": "Shipping",
        "text": "4 to 6 days",
        "questions": "Norway?",
        "read": "",
        "file_name": "",
    },
    f"{ASSISTANT}/knowledge/<int:knowledge_id>/check": {},
    f"{ASSISTANT}/knowledge/<int:knowledge_id>/delete": {},
    f"{ASSISTANT}/past-answers": {
        "title": "Shipping",
        "text": "4 to 6 days",
        "questions": "Norway?",
        "by": "Mia",
        "as": "canned",
    },
    f"{ASSISTANT}/past-answers/dismiss": {"text": "It takes four to six days to Norway."},
    f"{ASSISTANT}/past-answers/bring-back": {"dismissed": "1"},
    f"{ASSISTANT}/cases/add": {
        "question": "Norway?",
        "good": "answer",
        "says": "14",
        "never_says": "free",
        "turn": "1",
    },
    f"{ASSISTANT}/cases/try": {},
    f"{ASSISTANT}/cases/<int:case_id>": {
        "question": "Norway?",
        "good": "answer",
        "says": "14",
        "never_says": "free",
    },
    f"{ASSISTANT}/cases/<int:case_id>/delete": {},
    f"{SETTINGS}/labels": {"name": "order", "tone": "red"},
    f"{SETTINGS}/labels/<int:label_id>": {"name": "order", "tone": "red"},
    f"{SETTINGS}/labels/<int:label_id>/delete": {"into": ""},
    f"{SETTINGS}/teams": {"name": "Orders"},
    f"{SETTINGS}/teams/<int:team_id>": {"name": "Orders", "member": "1", "lead": "1", "account": "1"},
    f"{SETTINGS}/teams/<int:team_id>/delete": {},
    f"{SETTINGS}/hours": {"own": "1", "timezone": "Europe/Berlin", "version": "0", **WEEK},
    f"{SETTINGS}/hours/teams/<int:team_id>": {"own": "1", "timezone": "UTC", "version": "", **WEEK},
    f"{SETTINGS}/attributes": {"name": "Glaze", "kind": "choice", "choices": "Sage"},
    f"{SETTINGS}/attributes/<int:attribute_id>": {"name": "Glaze", "choices": "Sage"},
    f"{SETTINGS}/attributes/<int:attribute_id>/delete": {},
    f"{CONTACT}/write": {
        "text": "Hello",
        "reply_key": "bad-input-write",
        "place": "1:a@example.org",
        "subject": "Yours",
        "signature": "1",
        "cc": "anna@example.org",
        "bcc": "",
        "own_address": "hello@shop.example",
        "upload": "x",
        "undo": "",
        "draft": "{}",
        "then": "",
        "later": "",
        "later_at": "2030-01-01T09:00",
        "unless_written": "1",
    },
    f"{CONTACT}/write/preview": {
        "text": "Hello",
        "upload": "x",
        "signature": "1",
        "place": "1:a@example.org",
    },
    f"{CONTACT}/details": {"field": "name", "value": "Rosa S.", "conversation": "1"},
    f"{CONTACT}/notes": {"text": "Rings twice.", "conversation": ""},
    f"{CONTACT}/notes/<int:entry_id>/delete": {},
    f"{CONTACT}/opt-out": {"source": "wrote stop", "in": "0"},
    f"{CONTACT}/block": {"off": "1"},
    f"{CONTACT}/export": {},
    "/w/<int:workspace_id>/contacts/export": {},
    f"{CONTACT}/merge": {"with": "2", "take:name": "2", "different": "0"},
    f"{CONTACT}/split/<int:merge_id>": {},
    f"{INBOX}/release": {},
    f"{INBOX}/take": {},
    f"{INBOX}/erase": {"name": "Nobody of that name"},
    f"{INBOX}/messages/<int:message_id>/hide": {},
    "/w/<int:workspace_id>/messages/<int:message_id>/pictures": {"stop": "1"},
    f"{INBOX}/messages/<int:message_id>/moderate": {"wanted": "hidden"},
    f"{INBOX}/messages/<int:message_id>/show_again": {},
    f"{INBOX}/messages/<int:message_id>/check": {},
    f"{INBOX}/messages/<int:message_id>/retry": {"own_address": "hello@shop.example"},
    f"{INBOX}/messages/<int:message_id>/send_again": {},
    f"{INBOX}/messages/<int:message_id>/send_anyway": {},
    f"{INBOX}/messages/<int:message_id>/cancel": {},
    f"{INBOX}/messages/<int:message_id>/edit": {"text": "Other words"},
    f"{INBOX}/messages/<int:message_id>/undo": {},
    f"{INBOX}/messages/<int:message_id>/send_now": {},
    f"{INBOX}/messages/<int:message_id>/reschedule": {
        "later": "own",
        "later_at": "2030-01-01T09:00",
        "unless_written": "1",
    },
    f"{SETTINGS}/general": {
        "name": "Pottery",
        "timezone": "UTC",
        "language": "",
        "on_reply": "",
        "drafts": "",
        "same_person": "",
        "undo": "10",
        "version": "0",
    },
    f"{SETTINGS}/general/retention": {"keep": "days", "days": "3650", "sure": "", "version": "0"},
    f"{SETTINGS}/general/picture": {"picture": "not a picture"},
    f"{SETTINGS}/general/archive": {},
    f"{SETTINGS}/general/restore": {},
    f"{SETTINGS}/general/delete": {"name": "Another", "password": "x"},
    f"{SETTINGS}/people/invite": {"email": "guest@example.com", "role": "agent"},
    f"{SETTINGS}/people/<int:user_id>/role": {"role": "agent"},
    f"{SETTINGS}/people/<int:user_id>/remove": {},
    f"{SETTINGS}/people/invitations/<int:invitation_id>/again": {},
    f"{SETTINGS}/people/invitations/<int:invitation_id>/withdraw": {},
    f"{SETTINGS}/models/new": {
        "name": "Large",
        "speaks": "openai",
        "address": "http://10.0.0.1/v1",
        "model": "large-1",
        "key": "sk-sample",
        "price_in": "2.5",
        "price_out": "10",
        "currency": "USD",
    },
    f"{SETTINGS}/models/<int:model_id>": {
        "name": "Large",
        "speaks": "openai",
        "address": "http://10.0.0.1/v1",
        "model": "large-1",
        "key": "sk-sample",
        "price_in": "2.5",
        "price_out": "10",
        "currency": "USD",
        "no_key": "1",
    },
    f"{SETTINGS}/models/<int:model_id>/try": {},
    f"{SETTINGS}/models/<int:model_id>/delete": {},
    f"{TOOLS}/new": {
        "name": "order",
        "title": "Order by number",
        "about": "When somebody asks.",
        "url": "http://10.0.0.1/",
        "parameters": '{"type": "object"}',
        "header": "Authorization",
        "secret": "x",
        "effect": "asks",
    },
    f"{TOOLS}/<int:tool_id>": {
        "name": "order",
        "title": "Order by number",
        "about": "When somebody asks.",
        "url": "http://10.0.0.1/",
        "parameters": '{"type": "object"}',
        "header": "Authorization",
        "secret": "x",
        "effect": "asks",
        "no_secret": "1",
    },
    f"{TOOLS}/built-in": {"builtin": "contact"},
    f"{TOOLS}/<int:tool_id>/try": {"arguments": "{}"},
    f"{TOOLS}/<int:tool_id>/delete": {},
    f"{SETTINGS}/integrations/new": {
        "url": "https://crm.example.com/lobby",
        "events": "note.added",
        "accounts": "1",
    },
    f"{SETTINGS}/integrations/<int:endpoint_id>/edit": {"url": "https://crm.example.com/", "events": "x"},
    f"{SETTINGS}/integrations/<int:endpoint_id>/replay": {"delivery": "1", "hours": "24"},
    f"{SETTINGS}/integrations/<int:endpoint_id>/state": {"on": "0"},
    f"{SETTINGS}/integrations/<int:endpoint_id>/rotate": {},
    f"{SETTINGS}/integrations/<int:endpoint_id>/test": {},
    f"{SETTINGS}/integrations/<int:endpoint_id>/delete": {},
    "/w/<int:workspace_id>/start/ask": {"channel": "telegram"},
    "/w/<int:workspace_id>/start/hide": {"done": "1"},
    "/w/<int:workspace_id>/start/hours": {
        "day": "monday",
        "opens": "9:00",
        "closes": "17:00",
        "greeting": "Hi",
    },
    "/w/<int:workspace_id>/start/skip": {"step": "invite"},
    f"{SETTINGS}/channels/ask": {"channel": "telegram"},
    f"{SETTINGS}/channels/<channel>/new": {**CARD, "ig_user_id": "not a number"},
    f"{SETTINGS}/channels/<channel>/settings": {
        "facebook_app_id": "not a number",
        "facebook_app_secret": "",
        "instagram_app_id": "",
        "instagram_app_secret": "",
    },
    f"{SETTINGS}/channels/<channel>/sign-in/<way>": {"account": "", "ability": "comments"},
    f"{SETTINGS}/channels/sign-in/<uuid>": {"account": "17841400000000001"},
    f"{SETTINGS}/channels/accounts/<int:account_id>": {**CARD, "page_id": "not a number"},
    f"{SETTINGS}/channels/accounts/<int:account_id>/files": {"way": "days", "days": "30"},
    f"{SETTINGS}/channels/accounts/<int:account_id>/actions/<name>": {"verify_token": "my-own-token"},
    f"{SETTINGS}/channels/accounts/<int:account_id>/diagnose": {},
    f"{SETTINGS}/channels/accounts/<int:account_id>/history": {},
    f"{SETTINGS}/channels/accounts/<int:account_id>/look": {},
    f"{SETTINGS}/channels/accounts/<int:account_id>/disconnect": {},
    f"{SETTINGS}/api": {
        "name": "Shop",
        "scopes": "custom",
        "scope": "messages:read",
        "expires": "date",
        "expires_on": "2027-01-31",
        "see": "some",
        "account": "1",
        "team": "1",
        "automatic": "1",
    },
    f"{SETTINGS}/api/<int:key_id>/revoke": {},
    f"{SETTINGS}/api/<int:key_id>/take-over": {},
    f"{SETTINGS}/channels/accounts/<int:account_id>/messages": {
        "mark_seen": "1",
        "overflow": "split",
        "reply_target": "60",
    },
    f"{SETTINGS}/channels/accounts/<int:account_id>/automation": {
        "version": "0",
        "greets": "1",
        "greeting": "Hello!",
        "silence_days": "30",
        "greets_on": "message",
        "tells_away": "1",
        "away": "We are away.",
        "routes": "",
        "team": "1",
        "to": "person",
        "known": "last",
        "preview": "1",
        "who": "known-1",
        "sent": "mention",
        "at": "2026-11-20T10:00",
    },
    f"{SETTINGS}/channels/accounts/<int:account_id>/ice-breakers": {
        "text-0-0": "Where are you?",
        "value-0-0": "PLACE",
        "answer-0-0": "In the old mill.",
        "quick-0-0": "How do I get there?, Parking",
        "link_title-0-0": "Map",
        "link-0-0": "https://map.example.com",
        "team-0-0": "1",
        "locale-1": "not a language",
    },
    f"{SETTINGS}/channels/accounts/<int:account_id>/menu": {
        "text-0-0": "Shop",
        "does-0-0": "url",
        "value-0-0": "not an address",
    },
    f"{SETTINGS}/addons/<slug>": {"setting-shop_url": "https://shop.example", "version": "0"},
    "/admin/addons/<slug>/server-settings": {"setting-timeout": "5", "version": "0"},
    "/workspaces/new": {"name": "Mine"},
    "/admin/desk/look": {"name": "Desk", "colour": "#0b6b63", "version": "0"},
    "/admin/desk/address": {"public_url": "https://desk.example.com/", "sure": "", "version": "0"},
    "/admin/desk/mail": {
        "host": "mail.example.com",
        "port": "587",
        "encryption": "tls",
        "user": "desk",
        "relay_password": "x",
        "sender": "desk@example.com",
        "version": "0",
    },
    "/admin/desk/mail/test": {},
    "/admin/desk/rules": {"makers": "admins", "keep": "days", "days": "3650", "version": "0"},
    "/admin/desk/data": {"raw_days": "30", "log_days": "400", "version": "0"},
    "/admin/desk/logo": {"picture": "not a picture"},
    "/admin/workspaces": {"name": "New", "mine": "", "email": "nobody@example.com"},
    "/admin/journal/<int:event_id>/replay": {},
    "/admin/journal/replay": {"event": "1", "state": "dead", "q": "mid.1", "since": "2026-11-20T10:00"},
    "/admin/addons/upload": {"zip": "not a file"},
    "/admin/first-steps/install": {"sha256": "0" * 64, "workspace": "1"},
    "/admin/addons/shipped": {"sha256": "0" * 64},
    "/admin/addons/<slug>/activate": {},
    "/w/<int:workspace_id>/features/<name>/ask": {"back": "/"},
    "/admin/features/<name>": {"on": "1"},
    "/admin/addons/<slug>/deactivate": {},
    "/admin/addons/<slug>/stop": {},
    "/admin/addons/<slug>/parked/<int:parked_id>/retry": {},
    "/admin/addons/<slug>/parked/<int:parked_id>/skip": {},
    "/admin/addons/<slug>/export": {},
    "/admin/addons/<slug>/roll-back": {"to": "1.0.0"},
    "/admin/addons/<slug>/uninstall": {"what": "purge", "name": "x"},
    "/admin/addons/uploads/<int:release_id>/install": {},
    "/admin/addons/uploads/<int:release_id>/discard": {},
    "/addons/email/addresses/<int:asked_id>/confirm": {"domain": "1"},
    "/addons/email/addresses/<int:asked_id>/decline": {},
    "/addons/email/addresses/<int:asked_id>/withdraw": {},
    "/addons/email/domains/release": {"domain": "shop.example"},
    "/addons/email/w/<int:workspace_id>/accounts/<int:account_id>/folders": {"folder": "Orders"},
    "/addons/email/w/<int:workspace_id>/accounts/<int:account_id>/signature": {"own": "Anna"},
    "/addons/email/w/<int:workspace_id>/accounts/<int:account_id>/signature/shared": {
        "shared": "The shop",
        "reply_to": "desk@shop.example",
    },
    "/addons/instagram/checklist": {"item": "live-mode", "done": "1"},
}
"""Every form of the desk with what somebody might type; secrets and ids right, one field wrong where it asks
somebody outside."""

ENDS_SOMETHING = re.compile(
    r"/(logout|end|remove|withdraw|disconnect|deactivate|discard|revoke|admin|disable|sign-out|new-password"
    r"|delete)$"
)

QUERIES = {
    "/w/<int:workspace_id>/inbox": (
        "view",
        "only",
        "mentioned",
        "sort",
        "status",
        "channel",
        "post",
        "before",
        "pane",
        "write",
    ),
    INBOX: ("view", "only", "sort", "status", "channel", "post", "before", "below", "pane", "write", "quote"),
    f"{INBOX}/messages": ("before", "below"),
    f"{INBOX}/canned": ("q", "account"),
    f"{SETTINGS}/canned": ("q",),
    f"{SETTINGS}/automation": ("page",),
    "/settings/find": ("q",),
    f"{SETTINGS}/rules": ("show", "page", "shown"),
    f"{INBOX}/templates/list": ("after",),
    f"{CONTACT}/write/templates": ("place", "before"),
    f"{CONTACT}/write/templates/list": ("place", "before", "after"),
    f"{SETTINGS}/rules/posts": ("account", "after"),
    f"{SETTINGS}/rules/posts/picture": ("account", "after", "post"),
    f"{SETTINGS}/rules/<int:rule_id>/people": ("show", "q", "before"),
    f"{SETTINGS}/rules/<int:rule_id>/people.csv": ("show", "q"),
    f"{SETTINGS}/rules/new": ("from",),
    "/w/<int:workspace_id>/sequences": ("page",),
    "/w/<int:workspace_id>/sequences/<int:sequence_id>": ("step", "add", "after", "part", "version"),
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/numbers": ("version", "from", "to"),
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/people": (
        "before",
        "version",
        "from",
        "to",
        "state",
        "started_by",
        "step",
        "reached",
        "ended",
    ),
    "/w/<int:workspace_id>/sequences/<int:sequence_id>/versions": ("page",),
    f"{ASSISTANT}/prompt": ("version",),
    f"{ASSISTANT}/said": ("show", "before"),
    f"{SETTINGS}/models/new": ("preset",),
    f"{SETTINGS}/channels/accounts/<int:account_id>/ice-breakers": ("ask",),
    f"{ASSISTANT}/knowledge": ("q",),
    f"{ASSISTANT}/knowledge/new": ("kind", "turn"),
    f"{ASSISTANT}/cases": ("turn",),
    f"{SETTINGS}/rules/<int:rule_id>": ("version", "runs", "before", "form"),
    "/w/<int:workspace_id>/inbox/views": (
        "label",
        "all_labels",
        "no_labels",
        "shelf",
        "assignee",
        "team",
        "saved",
        "q",
    ),
    "/w/<int:workspace_id>/inbox/bulk": ("ids", "chosen", "fragment", "label", "only", "account"),
    f"{INBOX}/thread": ("view", "only", "sort", "before", "write", "quote"),
    "/w/<int:workspace_id>/inbox/list": ("view", "only", "sort", "status", "channel", "before"),
    "/w/<int:workspace_id>/inbox/since": ("waiting",),
    "/w/<int:workspace_id>/inbox/updates": (
        *("rows", "messages", "conversation", "head", "composer", "here", "view", "only", "sort"),
    ),
    "/w/<int:workspace_id>/live/poll": ("after",),
    "/w/<int:workspace_id>/offline": ("after",),
    "/offline": ("signed-out",),
    "/admin/addons/live": ("after",),
    "/w/<int:workspace_id>/media/<int:attachment_id>": ("download",),
    "/w/<int:workspace_id>/media/<int:attachment_id>/mail": ("within", "form"),
    "/w/<int:workspace_id>/messages/<int:message_id>/formatted": ("pictures",),
    "/w/<int:workspace_id>/messages/<int:message_id>/picture": ("url", "signature"),
    "/w/<int:workspace_id>/contacts": (
        *("q", "channel", "label", "only", "since", "attribute", "value", "sort", "before"),
    ),
    CONTACT: ("show", "before", "below"),
    f"{CONTACT}/merge": ("with", "q"),
    "/w/<int:workspace_id>/reports": (
        *("from", "to", "account", "channel", "agent", "team", "label", "by", "order", "hours"),
    ),
    "/w/<int:workspace_id>/reports/table.csv": ("from", "account", "label", "by", "order"),
    "/w/<int:workspace_id>/search": ("q", "after"),
    "/w/<int:workspace_id>/search/messages/<int:message_id>": ("q",),
    "/w/<int:workspace_id>/reports.csv": ("from", "to", "account", "channel", "agent", "team", "label"),
    "/w/<int:workspace_id>/reports/<figure>": ("from", "account", "label", "within", "before"),
    "/w/<int:workspace_id>/reports/<figure>.csv": ("to", "agent", "label", "within"),
    "/admin/journal": ("state", "before", "channel", "page", "account", "since", "until", "q"),
    "/admin/health": ("period", "channel"),
    "/admin/audit": ("before", "q", "kind", "person", "since", "until"),
    f"{SETTINGS}/audit": ("before", "q", "kind", "person", "since", "until"),
    f"{SETTINGS}/integrations/<int:endpoint_id>": ("state", "before", "delivery"),
    "/admin/people": ("q", "state", "page"),
    "/w/<int:workspace_id>/settings/people": ("q", "role", "state"),
    "/login": ("next",),
    "/login/provider": ("next", "for", "proof"),
    "/login/provider/back": ("state", "code", "iss", "error"),
    "/account/security": ("next",),
    "/setup": ("token",),
}

VALUES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \t\n",
    "NUL": b"a\0b",
    "lone surrogate": b"a\xed\xa0\x80b",
    "half a character": b"caf\xc3",
    "control characters": "a\x1b[31m\u202eb\u2028".encode(),
    "large": b"x" * 900_000,
    "too large": b"x" * 2_000_000,
    "markup": b'"><svg onload=alert(1)>{{7*111111111}}',
    "quotes": b"'; DROP TABLE users; --",
    "negative": b"-1",
    "huge number": b"9" * 400,
    "out of range": b"9223372036854775808",
    "float": b"1e309",
    "other digits": "١٢٣".encode(),
    "comma": b",,1,,",
    "list": b"[1, 2]",
    "emoji": "\U0001f3fa\U0001f468\u200d\U0001f469".encode(),
}
PATHS: dict[str, tuple[str, ...]] = {
    "int": (
        "0",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "9" * 400,
        "abc",
        "1.5",
        "%00",
        "%FF",
        "%D9%A1",
    ),
    "": ("%00", "%FF", "%ED%A0%80", "..", "%2e%2e%2f", "x" * 5000, "'", "instagram%00", "email", "nothing"),
    "path": ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "%00", "%FF", "x" * 3000, ".", "//evil.example"),
}


IDS: dict[str, Any] = {
    "workspace_id": 1,
    "conversation_id": 1,
    "message_id": 1,
    "attachment_id": 1,
    "upload_id": "0" * 32,
    "identity_id": 1,
    "account_id": 1,
    "asked_id": 1,
    "user_id": 1,
    "invitation_id": 1,
    "session_id": 1,
    "release_id": 1,
    "parked_id": 1,
    "key_id": 1,
    "endpoint_id": 1,
    "label_id": 1,
    "team_id": 1,
    "view_id": 1,
    "bulk_id": 1,
    "canned_id": 1,
    "canned_file_id": 1,
    "macro_id": 1,
    "rule_id": 1,
    "sequence_id": 1,
    "sequence_run_id": 1,
    "version_id": 1,
    "model_id": 1,
    "tool_id": 1,
    "turn_id": 1,
    "call_id": 1,
    "assistant_id": 1,
    "knowledge_id": 1,
    "case_id": 1,
    "contact_note_id": 1,
    "post_id": 1,
    "contact_id": 1,
    "attribute_id": 1,
    "entry_id": 1,
    "merge_id": 1,
    "event_id": 1,
    "notification_id": 1,
    "device_id": 1,
    "figure": "resolution",
    "number": "wrote",
    "slug": "instagram",
    "channel": "instagram",
    "way": "facebook",
    "uuid": "0123456789abcdef",
    "name": "verify-token",
    "filename": "lobby.css",
    "language": "de",
    "token": "nobody-was-invited-with-this",
}
"""Each place of an address with something that may stand there; the fixture has those a desk gives out."""


@dataclass
class Desk:
    rig: Rig
    ids: dict[str, Any]
    people: dict[str, Person] = field(default_factory=dict)

    def who(self, rule: str) -> str:
        """Return who would use *rule*, so that a form is really looked at."""
        if rule.startswith(("/admin", "/addons")):
            return ADMIN
        return "" if rule in {"/login", "/setup", "/invite/<token>"} else POTTERY_OWNER

    def path(self, rule: str, **instead: str) -> str:
        return PLACE.sub(lambda one: instead.get(one[2], str(self.ids[one[2]])), rule)

    def ask(self, method: str, rule: str, path: str, **options: Any) -> requests.Response:
        """Send a request with a CSRF token in its header; fail on a 500."""
        person = self.people[self.who(rule)]
        headers = {"X-CSRFToken": self.token(person), **options.pop("headers", {})}
        answer = person.session.request(
            method, self.rig.url + path, headers=headers, allow_redirects=False, timeout=30, **options
        )
        assert answer.status_code < 500, f"{method} {path[:200]}: {answer.status_code} {answer.text[:1500]}"
        if not options.get("stream"):
            assert "Traceback" not in answer.text
        return answer

    def token(self, person: Person) -> str:
        if "csrf" not in vars(person):
            person.open("/account" if "Sign out" in person.text else "/login")
            vars(person)["csrf"] = person.forms[-1].values["csrf_token"]
        return str(vars(person)["csrf"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Desk]:
    for rig in running(tmp_path_factory.mktemp("bad-input")):
        made = furnish(rig, addon_zip)
        rig.start()
        point_webhooks(rig)
        rig.control("POST", "dm", {"account": POTTERY.igid, "customer": POTTERY.customer, "text": "hello"})
        look = partial(rig.rows, "SELECT id, conversation_id FROM messages")
        message = until(look, "a message")[0]
        known = assistant(rig, made["workspaces"]["Pottery"])
        desk = Desk(
            rig,
            {
                **IDS,
                "workspace_id": made["workspaces"]["Pottery"],
                "conversation_id": message["conversation_id"],
                "message_id": message["id"],
                "account_id": made["accounts"][0],
                "user_id": made["people"]["ari@example.com"],
                "assistant_id": known["assistant_id"],
                "knowledge_id": known["knowledge_id"],
                "case_id": known["case_id"],
            },
        )
        for email in ("", ADMIN, POTTERY_OWNER):
            desk.people[email] = rig.person(email)
        yield desk
        assert "reference" not in rig.output, rig.output[-5000:]
        assert "Traceback" not in rig.output, rig.output[-5000:]


def forms() -> list[str]:
    """Return the forms in the order of the table; tests/pins/test_routes.py compares the two."""
    posts = (route.removeprefix("POST ") for route in TABLE if route.startswith("POST "))
    return [rule for rule in posts if rule in FIELDS]


def encoded(values: dict[str, bytes | list[bytes]]) -> str:
    pairs = [
        f"{quote(name)}={quote_from_bytes(one)}"
        for name, given in values.items()
        for one in (given if isinstance(given, list) else [given])
    ]
    return "&".join(pairs)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [rule for rule in forms() if FIELDS[rule]])
def test_a_form_takes_anything_in_its_fields(desk: Desk, rule: str) -> None:
    path = desk.path(rule)
    usual: dict[str, bytes] = {name: value.encode() for name, value in FIELDS[rule].items()}
    as_form = {"headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    for name in usual:
        rest: dict[str, Any] = {other: value for other, value in usual.items() if other != name}
        for value in VALUES.values():
            # The server hangs up on the rest of a body it refused; the next request needs a new connection.
            last = {"Connection": "close"} if len(value) > 1_000_000 else {}
            headers = {**as_form["headers"], **last}
            desk.ask("POST", rule, path, data=encoded({**rest, name: value}), headers=headers)
        desk.ask("POST", rule, path, data=encoded(rest), **as_form)
        desk.ask("POST", rule, path, data=encoded({**rest, name: [b"one", b"two"]}), **as_form)
        desk.ask(
            "POST", rule, path, data=encoded({**rest, f"{name}[]": b"one", f"{name}[0]": b"x"}), **as_form
        )
        desk.ask("POST", rule, path, data={**rest}, files={name: ("name\x00.txt", b"\xff\xfe")})


@pytest.mark.slow
@pytest.mark.parametrize("rule", forms())
def test_a_form_takes_any_kind_of_body(desk: Desk, rule: str) -> None:
    path = desk.path(rule)
    if ENDS_SOMETHING.search(path):
        path = desk.path(
            rule,
            account_id="999999",
            user_id="999999",
            invitation_id="999999",
            key_id="999999",
            endpoint_id="999999",
            slug="nothing",
        )
        if path.endswith("/logout"):
            return
    usual = json.dumps(FIELDS[rule])
    kinds = {
        "application/json": usual,
        "application/json; charset=nothing": "{",
        "application/json; a=1": json.dumps({key: [1, {"a": None}] for key in FIELDS[rule]}),
        "application/json; a=2": "[1, 2]",
        "application/json; a=3": "7",
        "text/plain": usual,
        "multipart/form-data": usual,
        "multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x",
        "multipart/form-data; boundary=y": '--y\r\nContent-Disposition: form-data; name="\xe9',
        "application/x-www-form-urlencoded; charset=utf-7": "text=+AD4-",
        "": "%%%=%&&&===",
        "application/xml": "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    }
    for kind, body in kinds.items():
        desk.ask("POST", rule, path, data=body.encode(), headers={"Content-Type": kind})
    desk.ask("POST", rule, path, data=("&".join(f"a{n}=1" for n in range(5000))))


@pytest.mark.slow
@pytest.mark.parametrize("route", sorted(TABLE))
def test_an_address_takes_anything_in_its_places(desk: Desk, route: str) -> None:
    method, _, rule = route.partition(" ")
    for kind, name in PLACE.findall(rule):
        for value in PATHS[kind]:
            with desk.ask(method, rule, desk.path(rule, **{name: value}), stream=True) as answer:
                if name not in {"figure", "filename", "slug", "channel", "way", "uuid"}:
                    assert answer.status_code >= 300, f"{name} = {value[:40]} was taken"


@pytest.mark.slow
@pytest.mark.parametrize("rule", sorted(QUERIES))
def test_an_address_takes_anything_after_its_question_mark(desk: Desk, rule: str) -> None:
    for name in QUERIES[rule]:
        for value in VALUES.values():
            if len(value) < 5000:
                desk.ask("GET", rule, f"{desk.path(rule)}?{name}={quote_from_bytes(value)}")
        desk.ask("GET", rule, f"{desk.path(rule)}?{name}=1&{name}=2&{name}[]=3&{name}")
        desk.ask("GET", rule, f"{desk.path(rule)}?{name}=" + ",".join(["1"] * 1000))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_a_method_nobody_uses_is_refused(desk: Desk, method: str) -> None:
    for rule in ("/login", "/account", INBOX):
        assert desk.ask(method, rule, desk.path(rule)).status_code == 405


def test_headers_nobody_sends_do_no_harm(desk: Desk) -> None:
    odd = {
        "Accept": "text/*;q=nan, \x80",
        "Accept-Language": "x" * 5000,
        "Cookie": "lobby=not.a.session; lobby=; =; lobby-theme=<script>",
        "Last-Event-ID": "9" * 400,
        "Range": "bytes=9-1,-,a-b",
        "If-None-Match": '"',
        "If-Modified-Since": "yesterday",
        "X-Forwarded-For": "evil, ::::",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "for=evil",
        "Referer": "javascript:alert(1)",
    }
    for rule in (
        "/login",
        "/static/<path:filename>",
        "/w/<int:workspace_id>/live/poll",
        "/w/<int:workspace_id>/inbox",
    ):
        for name, value in odd.items():
            answer = desk.ask("GET", rule, desk.path(rule), headers={name: value.encode("latin-1")})
            assert "evil.example" not in answer.text + answer.headers.get("Location", "")


# What was typed stays


def test_a_reply_that_is_refused_keeps_its_text(desk: Desk) -> None:
    owner = desk.people[POTTERY_OWNER]
    for text, key, sentence in (
        ("x" * 20_001, "kept-reply-1", "20,001|20001"),
        ("Still here \U0001f3fa", "?", "."),
    ):
        form = {"text": text, "reply_key": key, "csrf_token": desk.token(owner)}
        answer = owner.session.post(desk.rig.url + desk.path(f"{INBOX}/reply"), data=form, timeout=10)
        assert 400 <= answer.status_code < 500
        assert text in answer.text
        assert re.search(sentence, answer.text)
    assert (
        desk.rig.value("SELECT COUNT(*) FROM messages WHERE text LIKE 'xxxx%' OR text LIKE 'Still here%'")
        == 0
    )


def test_a_note_that_is_refused_keeps_its_text(desk: Desk) -> None:
    owner = desk.people[POTTERY_OWNER]
    form = {"text": "Keep this note", "reply_key": "?", "csrf_token": desk.token(owner)}
    answer = owner.session.post(desk.rig.url + desk.path(f"{INBOX}/note"), data=form, timeout=10)
    assert 400 <= answer.status_code < 500
    assert "Keep this note" in answer.text


def test_a_form_that_is_refused_keeps_what_was_typed_and_no_secret(desk: Desk) -> None:
    owner = desk.people[POTTERY_OWNER]
    owner.open(desk.path(f"{SETTINGS}/channels/instagram/new"))
    with pytest.raises(PageError, match="answered 400"):
        owner.press("Save and check", {"name": "Typed <name>", "page_id": "12", "page_access_token": "short"})
    assert owner.forms[-1].values["name"] == "Typed <name>"
    assert owner.forms[-1].values["page_id"] == "12"
    assert owner.forms[-1].values["page_access_token"] == ""
    owner.expect("An ID contains only digits, for example 100000000000001")
    owner.open(desk.path(f"{SETTINGS}/people"))
    with pytest.raises(PageError, match="answered 400"):
        owner.press("Create invitation link", {"email": "not an address"})
    assert any(form.values.get("email", "").strip() == "not an address" for form in owner.forms)


def test_wrong_credentials_are_told_beside_the_field_with_metas_words(desk: Desk) -> None:
    owner = desk.people[POTTERY_OWNER]
    right = {key: value for key, value in CARD.items() if key not in {"human_agent", "cut_long_text"}}
    cases = {
        "page_access_token": ("EAA" + "x" * 30, "Meta rejected this token"),
        "app_secret": ("0" * 31 + "a", "belongs to a different app"),
        "page_id": (STUDIO.page, "Choosing another Page moves it there"),
        "ig_user_id": (STUDIO.igid, "linked to a different Instagram account"),
    }
    for name, (value, sentence) in cases.items():
        owner.open(desk.path(f"{SETTINGS}/channels/instagram/new"))
        with pytest.raises(PageError, match="answered 400"):
            owner.press("Save and check", {**right, name: value})
        owner.expect(sentence)
        control = re.search(rf'<input[^>]*name="{name}"[^>]*>', owner.html)
        assert control is not None
        assert 'aria-invalid="true"' in control[0], f"the problem is not beside {name}"
        if name in {"page_access_token", "app_secret"}:
            owner.expect("Meta responded")


# Zips, through the page


def _zip(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100644 << 16
            made.writestr(info, content)
    return target.getvalue()


def _changed(change: Callable[[dict[str, bytes]], None]) -> Callable[[bytes], bytes]:
    def make(good: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(good)) as old:
            files = {name: old.read(name) for name in old.namelist()}
        change(files)
        return _zip(files)

    return make


def _manifest(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(files: dict[str, bytes]) -> None:
        assert old in files["addon.toml"]
        files["addon.toml"] = files["addon.toml"].replace(old, new)

    return _changed(change)


def _add(name: str, content: bytes = b"x = 1\n") -> Callable[[bytes], bytes]:
    return _changed(lambda files: files.update({name: content}))


BAD_ZIPS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no zip": (lambda good: b"This is a letter, not a zip.", "not a zip"),
    "nothing": (lambda good: b"", "not a zip"),
    "cut off": (lambda good: good[: len(good) // 2], "zip"),
    "no manifest": (_changed(lambda files: files.pop("addon.toml")), "There is no addon.toml in it"),
    "in a folder": (
        _changed(lambda files: [files.update({f"x/{n}": files.pop(n)}) for n in list(files)]),  # type: ignore[func-returns-value]
        "must be at the top of the zip",
    ),
    "zip slip": (_add("../../evil.py"), "is not allowed"),
    "absolute": (_add("/tmp/evil.py"), "is not allowed"),
    "backslash": (_add("..\\evil.py"), "is not allowed"),
    "broken manifest": (_manifest(b"slug =", b"slug ="[:-1]), "addon.toml"),
    "unknown key": (_manifest(b'slug = "instagram"', b'slug = "instagram"\nodd = 1'), "odd"),
    "too large": (_add("static/large.css", b"x" * (20 * 1024 * 1024 + 100_000)), "larger than 20 MB"),
}


def states(desk: Desk) -> dict[str, str]:
    """Return the state of each addon by its slug; the one that is updated here is active."""
    found = {row["slug"]: row["state"] for row in desk.rig.rows("SELECT slug, state FROM addons")}
    assert found["instagram"] == "active"
    return found


@pytest.mark.parametrize("kind", list(BAD_ZIPS))
def test_a_bad_zip_is_refused_with_its_sentence_and_leaves_nothing(
    desk: Desk, addon_zip: Path, kind: str
) -> None:
    make, sentence = BAD_ZIPS[kind]
    before_states = states(desk)
    before = {path for path in desk.rig.data.rglob("*") if "lobby.sqlite3" not in path.name}
    releases = desk.rig.value("SELECT COUNT(*) FROM addon_releases")
    admin = desk.people[ADMIN]
    admin.open("/admin/addons")
    with pytest.raises(PageError, match="answered 4"):
        admin.press("Upload and install", files={"zip": ("an addon.zip", make(addon_zip.read_bytes()))})
    admin.expect(sentence)
    assert desk.rig.value("SELECT COUNT(*) FROM addon_releases") == releases
    after = {path for path in desk.rig.data.rglob("*") if "lobby.sqlite3" not in path.name}
    assert after - before == set()
    assert states(desk) == before_states


def test_an_addon_for_another_host_is_shown_and_cannot_be_installed(desk: Desk, addon_zip: Path) -> None:
    """Its report is worth reading; installing it is refused, with a button or without."""
    before_states = states(desk)
    admin = desk.people[ADMIN]
    admin.open("/admin/addons")
    future = _manifest(b">=1.0,<2", b">=9.0,<10")(addon_zip.read_bytes())
    admin.press("Upload and install", files={"zip": ("future.zip", future)})
    admin.expect(">=9.0,<10")
    with pytest.raises(PageError, match="no button 'Install'"):
        admin.press("Install")
    release = int(admin.url.rsplit("/", 1)[1])
    running_before = desk.rig.value("SELECT release_id FROM addons")
    assert release != running_before
    form = {"csrf_token": desk.token(admin)}
    answer = admin.session.post(
        f"{desk.rig.url}/admin/addons/uploads/{release}/install", data=form, timeout=10
    )
    assert ">=9.0,&lt;10" in answer.text.replace("&gt;", ">")
    assert desk.rig.value("SELECT release_id FROM addons") == running_before
    assert states(desk) == before_states


def test_a_file_larger_than_any_addon_is_refused_before_it_is_kept(desk: Desk) -> None:
    admin = desk.people[ADMIN]
    admin.open("/admin/addons")
    with pytest.raises(PageError, match="answered 413"):
        admin.press("Upload and install", files={"zip": ("huge.zip", bytes(30 * 1024 * 1024))})


def test_no_file_at_all_is_asked_for(desk: Desk) -> None:
    admin = desk.people[ADMIN]
    admin.open("/admin/addons")
    admin.press("Upload and install")
    admin.expect("Choose an addon .zip")


def unblock(desk: Desk) -> None:
    """Let the customer write whom the sweep may have blocked, at the provider too."""
    owner = desk.people[POTTERY_OWNER]
    owner.open(desk.path(CONTACT))
    if any("Unblock" in text for form in owner.forms for text, *_ in form.buttons):
        owner.press("Unblock")


def test_what_the_sweep_wrote_is_shown_as_text(desk: Desk) -> None:
    """Markup that got into names and messages is text on every page (ASVS 1.2.1)."""
    unblock(desk)
    bad = VALUES["markup"].decode()
    mid = {"account": POTTERY.igid, "customer": POTTERY.customer, "text": bad}
    desk.rig.control("POST", "dm", mid)
    until(lambda: desk.rig.rows("SELECT 1 FROM messages WHERE text = ?", bad), "the message")
    owner = desk.people[POTTERY_OWNER]
    for path in ("/w/<int:workspace_id>/inbox", INBOX, f"{SETTINGS}/people", f"{SETTINGS}/channels"):
        owner.open(desk.path(path))
        assert "<svg onload" not in owner.html
        assert "777777777" not in owner.html
    owner.open(desk.path(INBOX))
    owner.expect(bad)


def test_the_desk_still_works_after_all_that(desk: Desk) -> None:
    made = prepare(desk.rig, {"workspaces": [], "people": []})
    assert made["accounts"] == []
    unblock(desk)
    text = "after the storm"
    desk.rig.control("POST", "dm", {"account": POTTERY.igid, "customer": POTTERY.customer, "text": text})
    until(lambda: desk.rig.rows("SELECT 1 FROM messages WHERE text = ?", text), "a message")
