"""Reports: the amount of work, and how long customers waited."""

from host.features.feature import Feature, Switch, noop

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("pages.views:bp", "pages.section_views:bp"),
    routes=("api",),
    consumers={"reports": "counting:consumer"},
    commands={"reports": "cli:group"},
    data="data",
    hooks="hooks",
    switch=Switch(
        "chart",
        noop("Reports"),
        noop("%(who)s turned off reports on this Lobby server."),
        noop("Shows how much work there was and how long customers waited."),
        noop("Existing figures are kept."),
        noop("When you turn it on again, counting starts at that moment; the time in between stays empty."),
    ),
)
