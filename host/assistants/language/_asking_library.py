"""The only module that uses pydantic-ai; :mod:`.asking` imports it when a model is first asked."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel, Field
from pydantic_ai import Agent, Tool, ToolOutput, UsageLimits
from pydantic_ai.exceptions import ContentFilterError, UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from host.assistants.language.wire import Wire
from host.assistants.values import (
    Ask,
    CallTool,
    ModelAnswer,
    ModelError,
    ModelSetting,
    Speaks,
    ToolOffer,
    TranscriptLine,
)
from host.channels import tool_schemas

log = logging.getLogger(__name__)

# At DEBUG these log whole conversations; httpx2 logs each request.
for _name in ("openai", "anthropic", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)

ANSWER = "answer"
"""Name of the tool with which a model gives its answer."""
_NO_KEY = "none"
"""Placeholder for the key of a model that needs none, because the SDKs require one. It is never sent."""
_OPENAI = "api.openai.com"

T = TypeVar("T")


class _Answer(BaseModel):
    answer: str = Field(
        "",
        description="What to write to the customer, with numbers such as [2]. "
        "Empty if a person is to answer.",
    )
    sources: list[int] = Field([], description="The numbers of the sources the answer rests on.")
    hands_over: bool = Field(False, description="True if a person of the team is to answer instead.")
    because: str = Field("", description="If a person is to answer: why, in a few words for the team.")


def think(setting: ModelSetting, ask: Ask, call: CallTool, wire: Wire) -> ModelAnswer:
    """Ask the model and return its answer.

    :raises ModelError: as :func:`host.assistants.language.asking.ask`.
    """
    try:
        return _run(_within(ask.seconds, setting, ask, call, wire))
    except ModelError:
        raise
    except TimeoutError:
        raise ModelError("model_timeout", used=wire.used) from None
    except Exception as error:  # noqa: BLE001 - whatever the library makes of an answer
        # The wire reports the cause of a failure more precisely than the library.
        if wire.problem is not None:
            raise wire.problem from None
        raise _of_library(error, wire) from None


def _run(asking: Coroutine[Any, Any, ModelAnswer]) -> ModelAnswer:
    """Run *asking* to completion, in a separate thread if this one already runs a loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(asking)
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, asking).result()


def _of_library(error: Exception, wire: Wire) -> ModelError:
    if isinstance(error, ContentFilterError):
        return ModelError("model_refused", used=wire.used, detail="its filter for content refused")
    if isinstance(error, UsageLimitExceeded):
        return ModelError("model_unreadable", used=wire.used, detail="it asked for tools and never answered")
    if not isinstance(error, UnexpectedModelBehavior):
        # Its text may contain the customer's message.
        log.warning("the answer of a model could not be read: %s", type(error).__name__)
    return ModelError("model_unreadable", used=wire.used, detail="its answer has another form than expected")


async def _within(seconds: float, setting: ModelSetting, ask: Ask, call: CallTool, wire: Wire) -> ModelAnswer:
    async with httpx2.AsyncClient(
        transport=_Transport(wire), trust_env=False, follow_redirects=False
    ) as client:
        return await asyncio.wait_for(_think(_model(setting, client), ask, call), seconds)


async def _think(model: Model[Any], ask: Ask, call: CallTool) -> ModelAnswer:
    uses = _Uses(call, ask.calls)
    agent: Agent[object, _Answer | str] = Agent(
        model,
        output_type=[
            ToolOutput(_Answer, name=ANSWER, description="Give your answer, or hand over to a person."),
            str,
        ],
        instructions=ask.instructions,
        tools=[_tool(offer, uses) for offer in ask.tools],
        retries={"tools": 2, "output": 1},
    )
    history, question = _conversation(ask.lines)
    found = await agent.run(
        question,
        message_history=history,
        model_settings={"max_tokens": ask.most_tokens},
        usage_limits=UsageLimits(request_limit=ask.calls + 3),
    )
    return _said(found.output)


def _said(output: _Answer | str) -> ModelAnswer:
    """Return the answer. Plain text is an answer without sources, unless it is an answer in JSON."""
    if isinstance(output, _Answer):
        sources = tuple(dict.fromkeys(output.sources))
        return ModelAnswer(output.answer.strip(), sources, output.hands_over, output.because.strip())
    text = output.strip()
    if text.startswith("{"):
        # Small models write the JSON into their text instead of calling the tool.
        with suppress(ValueError):
            given = _Answer.model_validate_json(text)
            if given.model_fields_set:
                return _said(given)
    return ModelAnswer(answer=text)


# ---- tools ---------------------------------------------------------------------------------------------


class _Uses:
    """Runs tool calls one at a time, and limits their number."""

    def __init__(self, call: CallTool, most: int) -> None:
        self._call = call
        self._most = most
        self._number = 0
        self._turn = asyncio.Lock()

    async def use(self, offer: ToolOffer, arguments: Mapping[str, Any]) -> str:
        """Run the tool and return its result for the model."""
        async with self._turn:
            if self._number >= self._most:
                return "You have used tools as often as you may. Answer now, or hand over."
            self._number += 1
            if problem := tool_schemas.wrong(offer.parameters, arguments):
                return f"Nothing was done, because the arguments do not fit: {problem}"
            return await in_thread(lambda: self._call(offer.name, arguments))


def _tool(offer: ToolOffer, uses: _Uses) -> Tool[object]:
    async def use(**arguments: Any) -> str:
        return await uses.use(offer, arguments)

    return Tool.from_schema(use, offer.name, offer.about, dict(offer.parameters), sequential=True)


# ---- the conversation ----------------------------------------------------------------------------------


def _conversation(lines: Sequence[TranscriptLine]) -> tuple[list[ModelMessage], str]:
    """Return the earlier messages, and the text to answer: everything the customer wrote since."""
    told: list[tuple[bool, list[str]]] = []
    for line in lines:
        theirs = line.by == "customer"
        words = line.text or f"[{line.kind}]"
        if told and told[-1][0] == theirs:
            told[-1][1].append(words)
        else:
            told.append((theirs, [words]))
    question = "\n".join(told.pop()[1]) if told and told[-1][0] else "[nothing]"
    if told and not told[0][0]:
        # Anthropic requires the first message to be the user's.
        told.insert(0, (True, ["[the team wrote first]"]))
    history: list[ModelMessage] = []
    for theirs, texts in told:
        text = "\n".join(texts)
        history.append(
            ModelRequest(parts=[UserPromptPart(text)]) if theirs else ModelResponse(parts=[TextPart(text)])
        )
    return history, question


# ---- the model -----------------------------------------------------------------------------------------


def _model(setting: ModelSetting, client: httpx2.AsyncClient) -> Model[Any]:
    key = setting.key.reveal() if setting.key else _NO_KEY
    if setting.speaks is Speaks.ANTHROPIC:
        address = setting.address.removesuffix("/v1")  # its SDK adds that
        speaker = AsyncAnthropic(api_key=key, base_url=address, http_client=client, max_retries=0)
        return AnthropicModel(setting.model, provider=AnthropicProvider(anthropic_client=speaker))
    own = AsyncOpenAI(api_key=key, base_url=setting.address, http_client=client, max_retries=0)
    if urlsplit(setting.address).hostname == _OPENAI:
        return OpenAIChatModel(setting.model, provider=OpenAIProvider(openai_client=own))
    # Other providers may know only the older name of the limit.
    profile = OpenAIModelProfile(openai_chat_supports_max_completion_tokens=False)
    provider = OpenAICompatibleProvider("other", openai_client=own)
    return OpenAIChatModel(setting.model, provider=provider, profile=profile)


class _Transport(httpx2.AsyncBaseTransport):
    """Passes each request to the guarded client, in a thread."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        try:
            answer = await in_thread(lambda: self._wire.exchange(str(request.url), request.headers, body))
        except ModelError as error:
            raise httpx2.ConnectError(error.reason, request=request) from None
        return httpx2.Response(answer.status, headers=answer.headers, content=answer.body, request=request)


async def in_thread(do: Callable[[], T]) -> T:
    """Return the result of *do*, run in a thread that is abandoned after the timeout.

    ``asyncio.to_thread`` is unsuitable: a loop waits for its threads when it closes.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result: T | None = None
        problem: BaseException | None = None
        try:
            result = do()
        except Exception as error:  # noqa: BLE001 - raised again in the loop
            problem = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(finish, result, problem)

    threading.Thread(target=work, name="asking a model", daemon=True).start()
    return await done
