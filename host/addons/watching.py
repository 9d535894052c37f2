"""Having everything an addon contributes counted by :mod:`host.addons.watch`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from host.addons import watch
from host.addons.collect import Contribution
from host.addons.watch import F
from host.sdk.channel import ChannelAdapter

METHODS = tuple(
    name for name, value in vars(ChannelAdapter).items() if callable(value) and not name.startswith("_")
)


def watched(found: Contribution, release: str) -> Contribution:
    """Return *found* with every function of it counted, under the addon's slug and version.

    An adapter's methods are wrapped on the object itself: it stays what it is for whoever asks for its class.
    """
    slug = found.slug

    def count(what: str, function: F) -> F:
        return watch.of_process().watched(slug, release, what, function)

    for adapter in found.channels:
        for name in METHODS:
            with suppress(AttributeError, TypeError):  # an adapter without a __dict__ is used as it is
                setattr(adapter, name, count(name, getattr(adapter, name)))
    return replace(
        found,
        webhooks=tuple(
            replace(
                route,
                authenticate=count("authenticate", route.authenticate),
                verify=None if route.verify is None else count("verify", route.verify),
            )
            for route in found.webhooks
        ),
        receivers=tuple(
            replace(one, start=count(f"receiver {one.name}", one.start)) for one in found.receivers
        ),
        cards=tuple(
            replace(
                card,
                connect=count("connect", card.connect),
                status=count("card status", card.status),
                disconnect=count("disconnect", card.disconnect),
                actions=tuple(
                    replace(action, run=count(f"action {action.name}", action.run)) for action in card.actions
                ),
            )
            for card in found.cards
        ),
        admin_page=None
        if found.admin_page is None
        else replace(found.admin_page, context=count("admin page", found.admin_page.context)),
        jobs=tuple(replace(job, run=count(f"job {job.name}", job.run)) for job in found.jobs),
    )
