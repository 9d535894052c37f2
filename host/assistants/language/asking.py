"""Ask a language model, with tools, within a timeout that holds whatever the provider does."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

from host.assistants.language.wire import Wire
from host.assistants.values import Ask, CallTool, ModelError, ModelSetting, Thought
from host.core import clock, db, marks


@cache
def available() -> bool:
    """Return whether this desk was installed with the extra ``assistants``."""
    names = ("pydantic_ai", "openai", "anthropic", "httpx2", "jsonschema_rs")
    return all(importlib.util.find_spec(name) is not None for name in names)


@cache
def _library() -> Any:
    """Return the module that uses the library. Import it late: it takes two seconds and 100 MB."""
    return importlib.import_module("host.assistants.language._asking_library")


def ask(setting: ModelSetting, ask: Ask, call: CallTool) -> Thought:
    """Ask the model, run the tools it calls, and return its answer.

    It takes ``ask.seconds`` at most, except for the first call in a process, which imports the library. A
    tool call that takes longer keeps running in its thread, and its result is dropped.

    :param call: called from its own thread, one call at a time, with arguments that match the schema.
    :raises ModelError: if there is no usable answer.
    """
    if not available():
        raise ModelError("model_missing")
    db.refuse_open_transaction()
    library = _library()
    wire = Wire(setting, clock.monotonic() + ask.seconds)
    with marks.waiting():
        said = library.think(setting, ask, call, wire)
    return Thought(said, wire.used)
