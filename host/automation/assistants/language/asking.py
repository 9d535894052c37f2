"""Ask a language model, with tools, within a time that holds whatever the other side does."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

from host.automation.assistants.language.wire import Wire
from host.automation.assistants.values import Ask, CallTool, ModelError, ModelSetting, Thought
from host.core import clock, db, marks


@cache
def available() -> bool:
    """Tell whether this desk was installed with the extra ``assistants``."""
    names = ("pydantic_ai", "openai", "anthropic", "httpx2", "jsonschema_rs")
    return all(importlib.util.find_spec(name) is not None for name in names)


@cache
def _library() -> Any:
    """Return the module that knows the library. It takes two seconds and 100 MB, so it is imported late."""
    return importlib.import_module("host.automation.assistants.language._asking_library")


def ask(setting: ModelSetting, ask: Ask, call: CallTool) -> Thought:
    """Ask the model, do what it asks of tools, and return what it said.

    It takes ``ask.seconds`` at most, besides the first time in a process, when the library is imported. A use
    of a tool that takes longer goes on in its thread, and what comes of it is told to nobody.

    :param call: called from a thread of its own, one use at a time, with arguments that fit the schema.
    :raises ModelError: if there is no answer that can be used.
    """
    if not available():
        raise ModelError("model_missing")
    db.refuse_open_transaction()
    library = _library()
    wire = Wire(setting, clock.monotonic() + ask.seconds)
    with marks.waiting():
        said = library.think(setting, ask, call, wire)
    return Thought(said, wire.used)
