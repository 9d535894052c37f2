"""Call an addon for a panel, a composer action or another part of a page, and check what it returns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.channels import timeouts
from host.channels.timeouts import HangsError, PausedError
from host.core.errors import NotFoundError
from host.inbox.pages.text_view import safe
from host.sdk.errors import SdkError
from host.sdk.panels import (
    MAX_BLOCKS,
    MAX_BUTTONS,
    MAX_TEXT,
    Block,
    Button,
    ComposerAction,
    CustomerContext,
    Entry,
    Facts,
    InsertText,
    Panel,
    Paragraph,
    ShowNotice,
    Tone,
)

T = TypeVar("T")

log = logging.getLogger("lobby.addons")


class PanelFailedError(Exception):
    """The addon raised, was too slow, or returned something unusable.

    Its text is a sentence for the person.
    """


class PanelNotFoundError(NotFoundError):
    """No active addon has a part of a page of this name."""

    default_sentence = _l("This addon is no longer active.")
    default_next_step = _l("Reload the page.")


class WrongReturnError(SdkError):
    """An addon returned something other than its hook's page says."""


def blocks_of(panel: Panel, customer: CustomerContext, addon: str) -> Sequence[Block]:
    """Return what a panel shows.

    :param addon: the addon's name, for error texts.
    :raises PanelFailedError: with a sentence for the person.
    """
    return loaded(
        f"panel {panel.name}",
        panel.seconds,
        addon,
        lambda: _checked_blocks(panel, panel.render(customer)),
        _about(customer),
    )


def pressed(
    panel: Panel, customer: CustomerContext, addon: str, name: str, value: str
) -> InsertText | ShowNotice:
    """Return the effect of a pressed button.

    :raises PanelFailedError: as :func:`blocks_of`.
    """

    def call() -> InsertText | ShowNotice:
        if panel.press is None:
            raise WrongReturnError(f"{panel.name} has a button, but no press")
        return _checked_effect(panel.name, panel.press(customer, name, value))

    return _done(f"panel {panel.name}", panel.seconds, addon, call, _about(customer))


def run(action: ComposerAction, customer: CustomerContext, addon: str) -> InsertText | ShowNotice:
    """Return the effect of a composer action.

    :raises PanelFailedError: as :func:`blocks_of`.
    """
    what = f"composer {action.name}"
    call = lambda: _checked_effect(action.name, action.run(customer))  # noqa: E731
    return _done(what, action.seconds, addon, call, _about(customer))


def _about(customer: CustomerContext) -> Hashable:
    return customer.workspace_id, customer.contact_id


def loaded(what: str, seconds: float, addon: str, call: Callable[[], T], about: Hashable) -> T:
    """Return the result of *call*, which loads a part of a page.

    :param what: the kind and name of the part, such as ``panel shop.orders``.
    :param seconds: the timeout.
    :param addon: the addon's name, for error texts.
    :param about: whom or what the call is about: while it hangs, it isn't repeated for the same.
    :raises PanelFailedError: as :func:`blocks_of`.
    """
    late = _l("%(addon)s did not answer within %(seconds)s seconds.", addon=addon, seconds=f"{seconds:g}")
    failed = _l("%(addon)s could not load this. If it keeps happening, tell an admin.", addon=addon)
    return _within(what, seconds, addon, call, about, late, failed)


def _done(what: str, seconds: float, addon: str, call: Callable[[], T], about: Hashable) -> T:
    """Return the result of *call*, which does something for the person who pressed a button."""
    late = _l(
        "The action failed: %(addon)s did not answer within %(seconds)s seconds. "
        "Try again later. If it keeps happening, tell an admin.",
        addon=addon,
        seconds=f"{seconds:g}",
    )
    failed = _l(
        "The action failed because of an error in %(addon)s. "
        "Try again. If it keeps happening, tell an admin.",
        addon=addon,
    )
    return _within(what, seconds, addon, call, about, late, failed)


def _within(
    what: str,
    seconds: float,
    addon: str,
    call: Callable[[], T],
    about: Hashable,
    late: LazyString,
    failed: LazyString,
) -> T:
    try:
        return timeouts.within(seconds, what, call, about)
    except PausedError as error:
        raise PanelFailedError(f"{timeouts.paused_sentence(addon, error)} {timeouts.PAUSED_STEP}") from None
    except HangsError:
        raise PanelFailedError(late) from None
    except Exception:
        log.exception("%s of an addon failed", what)
        raise PanelFailedError(failed) from None


def _checked_blocks(panel: Panel, returned: object) -> Sequence[Block]:
    if isinstance(returned, str | bytes) or not isinstance(returned, Sequence):
        raise WrongReturnError(f"{panel.name} returned {_named(returned)} instead of a list of blocks")
    if len(returned) > MAX_BLOCKS:
        raise WrongReturnError(f"{panel.name} returned {len(returned)} blocks, of at most {MAX_BLOCKS}")
    for one in returned:
        for text in _texts(panel, one):
            if not isinstance(text, str):
                raise WrongReturnError(f"{panel.name} returned {_named(text)} where a text belongs")
            if len(text) > MAX_TEXT:
                raise WrongReturnError(
                    f"{panel.name} returned a text of {len(text)} characters, of at most {MAX_TEXT}"
                )
    return returned


def _texts(panel: Panel, block: object) -> Sequence[object]:
    if isinstance(block, Paragraph):
        return [block.text]
    if isinstance(block, Facts):
        return [text for pair in block.pairs for text in (*pair,)]
    if not isinstance(block, Entry):
        raise WrongReturnError(f"{panel.name} returned {_named(block)} where a block belongs")
    if block.url and safe(block.url) is None:
        raise WrongReturnError(f"{panel.name} returned an address that is not https:// or http://")
    if block.tone not in set(Tone) or len(block.buttons) > MAX_BUTTONS:
        raise WrongReturnError(f"{panel.name} returned an unknown tone or more than {MAX_BUTTONS} buttons")
    for one in block.buttons:
        if not isinstance(one, Button):
            raise WrongReturnError(f"{panel.name} returned {_named(one)} where a button belongs")
    if block.buttons and panel.press is None:
        raise WrongReturnError(f"{panel.name} has a button, but no press")
    texts = (text for one in block.buttons for text in (one.label, one.name, one.value))
    return [block.title, block.detail, block.badge, block.url, *texts]


def _checked_effect(name: str, returned: object) -> InsertText | ShowNotice:
    if not isinstance(returned, InsertText | ShowNotice):
        raise WrongReturnError(f"{name} returned {_named(returned)} instead of InsertText or ShowNotice")
    if not isinstance(returned.text, str) or len(returned.text) > MAX_TEXT:
        raise WrongReturnError(f"{name} returned a text that is no string or longer than {MAX_TEXT}")
    return returned


def _named(value: object) -> str:
    return "None" if value is None else type(value).__name__
