"""The two wire formats: reading requests, and writing answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.answering import ModelAnswer

OPENAI, ANTHROPIC = "/chat/completions", "/messages"
_LETTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request in either format.

    :param texts: all texts in it, including the results of tools.
    :param question: the customer's text since the last answer.
    :param form: the tool that takes the answer; empty: none.
    :param used: the tools used since then.
    """

    openai: bool
    model: str
    instructions: str
    texts: Sequence[str]
    question: str
    form: str
    used: Sequence[str] = ()
    body: dict[str, Any] = field(repr=False, default_factory=dict)


def read(path: str, body: dict[str, Any]) -> ModelRequest:
    """Read a request."""
    openai = path.endswith(OPENAI)
    messages = [one for one in body.get("messages", []) if isinstance(one, dict)]
    system = [_text(body.get("system"))]
    system += [_text(one.get("content")) for one in messages if one.get("role") in {"system", "developer"}]
    instructions = "\n\n".join(filter(None, system))
    said = [one for one in messages if one.get("role") not in {"system", "developer"}]
    lines: list[str] = []
    used: list[str] = []
    for one in reversed(said):
        calls = _calls(one)
        used += calls
        if one.get("role") == "assistant" and not calls:
            break
        if one.get("role") == "user" and (text := _spoken(one.get("content"))):
            lines.append(text)
    return ModelRequest(
        openai=openai,
        model=str(body.get("model", "")),
        instructions=instructions,
        texts=[instructions, *(_text(one.get("content")) for one in said)],
        question="\n".join(reversed(lines)),
        form=_form(body.get("tools") or []),
        used=used,
        body=body,
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    found = [part.get("text") or _text(part.get("content")) for part in parts if isinstance(part, dict)]
    return "\n".join(filter(None, found))


def _spoken(content: Any) -> str:
    """Return a person's text without tool results, which Anthropic's format puts next to it."""
    if not isinstance(content, list):
        return _text(content)
    return _text([part for part in content if isinstance(part, dict) and part.get("type") == "text"])


def _calls(message: dict[str, Any]) -> list[str]:
    calls = [one.get("function", {}).get("name", "") for one in message.get("tool_calls") or []]
    content = message.get("content")
    parts: Iterable[Any] = content if isinstance(content, list) else ()
    return calls + [one["name"] for one in parts if isinstance(one, dict) and one.get("type") == "tool_use"]


def _form(tools: Sequence[Any]) -> str:
    """Return the name of the tool that takes an answer with its sources."""
    for tool in tools:
        one = tool.get("function", tool)
        schema = one.get("parameters") or one.get("input_schema") or {}
        if {"answer", "sources"} <= set(schema.get("properties", {})):
            return str(one["name"])
    return ""


def answer(asked: ModelRequest, wanted: ModelAnswer, number: int) -> dict[str, Any]:
    """Return the answer in the format of the request."""
    tool, arguments = wanted.tool, dict(wanted.arguments or {})
    text = wanted.text
    if not tool and text is None:
        tool, text = asked.form, None
        arguments = {
            "answer": wanted.answer,
            "sources": list(wanted.sources),
            "hands_over": wanted.hands_over,
            "because": wanted.because,
        }
        if not tool:
            text = wanted.answer or wanted.because
    sent = len(json.dumps(asked.body)) // _LETTERS_PER_TOKEN
    said = len(text if text is not None else json.dumps(arguments)) // _LETTERS_PER_TOKEN + 1
    make = _openai if asked.openai else _anthropic
    return make(asked.model, f"{number:04d}", "" if text is not None else tool, arguments, text, sent, said)


def _openai(
    model: str, id_: str, tool: str, arguments: dict[str, Any], text: str | None, sent: int, said: int
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if tool:
        function = {"name": tool, "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": f"call_{id_}", "type": "function", "function": function}]
    reason = "tool_calls" if tool else "stop"
    return {
        "id": f"chatcmpl-{id_}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said},
    }


def _anthropic(
    model: str, id_: str, tool: str, arguments: dict[str, Any], text: str | None, sent: int, said: int
) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if tool:
        content.append({"type": "tool_use", "id": f"toolu_{id_}", "name": tool, "input": arguments})
    else:
        content.append({"type": "text", "text": text or "-"})
    return {
        "id": f"msg_{id_}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": sent, "output_tokens": said},
    }


def refusal(openai: bool, status: int, message: str) -> dict[str, Any]:
    """Return an error in the format of the request."""
    if openai:
        return {"error": {"message": message, "type": "error", "code": status, "param": None}}
    return {"type": "error", "error": {"type": "error", "message": message}}
