"""Faults: rules that make the sandbox misbehave in ways observed at Meta."""

from __future__ import annotations

import fnmatch
import itertools
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from sandbox.world import Json

CALLS = (
    "graph",
    "send",
    "profile",
    "subscribe",
    "debug_token",
    "me",
    "page",
    "conversations",
    "message",
    "upload",
    "messenger_profile",
    "comment",
    "media",
    "oauth",
    "dialog",
    "template",
    "download",
    "other",
)
ANSWER_ACTIONS = ("error", "timeout", "reset", "garbage", "usage")
WEBHOOK_ACTIONS = ("drop", "delay", "repeat", "bad_signature", "reorder", "batch")
ECHO_ACTIONS = (*WEBHOOK_ACTIONS, "ahead")
OPTIONS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "error": {
        "status": int,
        "code": int,
        "subcode": int,
        "message": str,
        "type": str,
        "when": str,
        "headers": dict,
    },
    "timeout": {"seconds": (int, float), "when": str},
    "reset": {"when": str},
    "garbage": {"status": int, "text": str, "when": str},
    "usage": {"percent": int, "minutes": int},
    "drop": {},
    "delay": {"seconds": (int, float)},
    "repeat": {"copies": int, "seconds": (int, float)},
    "bad_signature": {},
    "reorder": {"size": int, "seconds": (int, float)},
    "batch": {"size": int, "shape": str, "seconds": (int, float)},
    "ahead": {},
}
MATCHES = ("account", "customer", "app", "token", "text", "method", "event")
WHEN_DEFAULT = {"error": "before", "timeout": "after", "reset": "after", "garbage": "after"}


class RuleError(ValueError):
    """An invalid rule; the message says why."""


@dataclass(slots=True)
class Rule:
    """One fault: the calls it hits, its effect, and how often."""

    id: str
    call: str
    action: str
    times: int | None
    probability: float | None
    options: Json
    match: dict[str, str]
    note: str | None
    random: random.Random
    fired: int = 0

    @property
    def when(self) -> str:
        """Return ``before`` or ``after`` acceptance."""
        return str(self.options.get("when", WHEN_DEFAULT.get(self.action, "before")))

    def as_json(self) -> Json:
        """Return the rule for a control response."""
        return {
            "id": self.id,
            "call": self.call,
            "action": self.action,
            "times": self.times,
            "probability": self.probability,
            "fired": self.fired,
            "match": self.match,
            "note": self.note,
            **self.options,
        }

    def hits(self, call: str, path: str, facts: dict[str, str | None]) -> bool:
        """Return whether this rule applies to a call."""
        if self.call.startswith("/"):
            if not fnmatch.fnmatchcase("/" + path, self.call):
                return False
        elif self.call not in (call, "graph") or (self.call == "graph" and call in _OUTWARD):
            return False
        for key, wanted in self.match.items():
            value = facts.get(key)
            if value is None or (wanted not in value if key == "text" else wanted != value):
                return False
        return True


_OUTWARD = ("webhook", "echo", "status")


@dataclass(slots=True)
class Faults:
    """The active rules; the first match wins."""

    rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def add(self, raw: Json) -> Rule:
        """Read and add a rule; raise RuleError if it is invalid."""
        rule = self._read(dict(raw))
        with self._lock:
            self.rules.append(rule)
        return rule

    def remove(self, rule_id: str | None = None) -> int:
        """Remove one rule or all; return how many were removed."""
        with self._lock:
            kept = [] if rule_id is None else [r for r in self.rules if r.id != rule_id]
            gone = len(self.rules) - len(kept)
            self.rules = kept
        return gone

    def draw(self, call: str, actions: tuple[str, ...], path: str = "", **facts: str | None) -> Rule | None:
        """Return the first rule that fires now for a call, and count it."""
        with self._lock:
            for rule in self.rules:
                if rule.action not in actions or not rule.hits(call, path, facts):
                    continue
                if rule.times is not None and rule.fired >= rule.times:
                    continue
                if rule.probability is not None and rule.random.random() >= rule.probability:
                    continue
                rule.fired += 1
                return rule
        return None

    def _read(self, raw: Json) -> Rule:
        call, action = raw.pop("call", None), raw.pop("action", None)
        if not isinstance(call, str) or not (call in CALLS or call in _OUTWARD or call.startswith("/")):
            known = ", ".join((*CALLS, *_OUTWARD))
            raise RuleError(f"call must be one of {known}, or a path pattern that starts with /")
        outward = {"webhook": WEBHOOK_ACTIONS, "echo": ECHO_ACTIONS, "status": ECHO_ACTIONS}
        allowed = outward.get(call, ANSWER_ACTIONS)
        if action not in allowed:
            raise RuleError(f"action for {call} must be one of {', '.join(allowed)}")
        times = raw.pop("times", None)
        if times is not None and (type(times) is not int or times < 1):
            raise RuleError("times must be a whole number of at least 1")
        probability = raw.pop("probability", None)
        if probability is not None and not (type(probability) in (int, float) and 0 <= probability <= 1):
            raise RuleError("probability must be a number from 0 to 1")
        match = raw.pop("match", {})
        if not isinstance(match, dict) or not set(match) <= set(MATCHES):
            raise RuleError(f"match may name only {', '.join(MATCHES)}")
        seed, note = raw.pop("seed", 0), raw.pop("note", None)
        if type(seed) is not int or not isinstance(note, str | None):
            raise RuleError("seed must be a whole number and note a text")
        self._check_options(action, raw)
        return Rule(
            id=f"f{next(self._numbers)}",
            call=call,
            action=action,
            times=times,
            probability=probability,
            options=raw,
            match={key: str(value) for key, value in match.items()},
            note=note,
            random=random.Random(seed),  # noqa: S311 - reproducible, not secret
        )

    @staticmethod
    def _check_options(action: str, options: Json) -> None:
        known = OPTIONS[action]
        for name, value in options.items():
            if name not in known:
                listed = ", ".join(known) or "none"
                raise RuleError(f"{action} has no option {name}; it has: {listed}")
            if isinstance(value, bool) or not isinstance(value, known[name]):
                raise RuleError(f"{name} has the wrong type")
            if isinstance(value, int | float) and name not in ("code", "subcode") and value < 0:
                raise RuleError(f"{name} must not be negative")
        if options.get("when", "before") not in ("before", "after"):
            raise RuleError("when must be before or after (acceptance)")
        if options.get("shape", "updates") not in ("updates", "entries"):
            raise RuleError("shape must be updates or entries")
        if not 100 <= options.get("status", 200) <= 599:
            raise RuleError("status must be an HTTP status")
        if action == "error" and "code" not in options and "status" not in options:
            raise RuleError("error needs a code or a status")
