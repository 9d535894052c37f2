"""Outgoing webhooks: endpoints of other programs, their events, and deliveries."""

from host.features.feature import Feature, Switch, noop

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("pages.views:bp",),
    routes=("api",),
    consumers={"webhooks": "consumer:consumer"},
    sentences="audit",
    sealed={"endpoints": ("secret", "old_secret")},
    data="data",
    hooks="hooks",
    senders="sending:Senders",
    switch=Switch(
        "hook",
        noop("Webhooks"),
        noop("%(who)s turned off webhooks on this Lobby server."),
        noop("Send events from this Lobby server to your own programs."),
        noop("Endpoints and the delivery log are kept."),
        noop("When you turn it on again, new events are sent. Events that happened in between are not."),
    ),
)
