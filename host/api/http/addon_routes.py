"""The routes of addons as routes of the API: with its keys, limits, errors, and in its document."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import Any, cast

import msgspec
from flask import request
from flask_babel import lazy_gettext as _l

from host.api.http.call import Call
from host.api.http.declare import Nothing, Route, Wire
from host.channels import timeouts
from host.channels.timeouts import HangsError, PausedError
from host.core.errors import LobbyError
from host.sdk.api import ApiCall, ApiRefusalError, ApiRoute
from host.users.api_keys import Scope

log = logging.getLogger("lobby.addons")

SECONDS = 10.0
TAG = "Addons"


class AddonFailedError(LobbyError):
    """An addon raised, was too slow, or returned something else than it declares."""

    code = "addon_failed"
    status = 502
    title = _l("An addon failed")
    default_sentence = _l("The addon could not answer.")
    default_next_step = _l("Try again. If it keeps happening, tell the admin of this Lobby server.")


class AddonRefusedError(LobbyError):
    """An addon refuses a request."""

    code = "addon_refused"
    status = 422
    title = _l("An addon refused the request")
    default_sentence = _l("The addon refused the request.")
    default_next_step = ""

    def __init__(self, error: ApiRefusalError) -> None:
        super().__init__(str(error), field=error.field or None)
        self.status = error.status  # type: ignore[misc]


def routes_of(found: Iterable[tuple[str, ApiRoute]]) -> list[Route]:
    """Return the routes of addons: *found* has the addon's slug with each."""
    return [_route(slug, one) for slug, one in found]


def _route(slug: str, one: ApiRoute) -> Route:
    first, *rest = one.name.split("_")
    return Route(
        method=one.method,
        path=f"/addons/{slug}/{one.path}",
        operation=slug + "".join(word.capitalize() for word in (first, *rest)),
        tag=TAG,
        summary=one.summary,
        description=one.about,
        run=_runner(slug, one),
        scope=Scope(one.scope),
        query=cast(type[Wire], one.query or Nothing),  # read like those of the API
        body=one.body,
        answer=one.answer,
        errors=(AddonFailedError, AddonRefusedError),
    )


def _runner(slug: str, one: ApiRoute) -> Callable[..., Any]:
    name = f"route {slug}.{one.name}"

    def run(call: Call, query: Any = None, body: Any = None) -> Any:
        key = request.headers.get("Idempotency-Key", "")
        asked = ApiCall(call.workspace_id, query, body, call.caller.name, key)
        try:
            found = timeouts.within(SECONDS, name, lambda: one.run(asked), _about(asked))
        except ApiRefusalError as error:
            raise AddonRefusedError(error) from None
        except PausedError as error:
            sentence = timeouts.paused_sentence(slug, error)
            raise AddonFailedError(sentence, next_step=timeouts.PAUSED_STEP) from None
        except HangsError:
            raise AddonFailedError() from None
        except Exception:
            log.exception("%s of an addon failed", name)
            raise AddonFailedError() from None
        if not isinstance(found, one.answer):
            log.error("%s of an addon returned %s", name, type(found).__name__)
            raise AddonFailedError()
        return found

    return run


def _about(asked: ApiCall) -> Hashable:
    """Return what a call is about: who asks for the same again waits for the first one."""
    return asked.workspace_id, msgspec.json.encode((asked.query, asked.body))
