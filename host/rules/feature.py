"""The feature *rules and campaigns*: run actions when an event happens."""

from host.features.feature import Feature, Switch, noop

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("pages.views:bp",),
    views=("pages.campaign_views",),
    routes=("api.campaigns", "api.rules"),
    ids={"rule_id": ""},
    names={"rules": "data:NAMES"},
    sentences="audit",
    data="data",
    hooks="hooks",
    switch=Switch(
        "bolt",
        noop("Rules and campaigns"),
        noop("%(who)s turned off rules and campaigns on this Lobby server."),
        noop("Answer, assign, label or close automatically when something happens."),
        noop("Rules, campaigns and their logs are kept. Pending actions are canceled."),
        noop("When you turn it on again, they act only on new events."),
    ),
)
