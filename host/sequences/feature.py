"""The feature *sequences*: steps that follow a customer's message."""

from host.features.feature import Feature, Job, Switch, noop

FEATURE = Feature(
    __package__,
    models=("models",),
    routes=("api.numbers", "api.runs", "api.sequences"),
    blueprints=("pages.views:bp",),
    views=("pages.moving_views", "pages.people_views", "pages.toml_views"),
    jobs=(
        Job("sequences", "waits:run_due", 0.5, "waits:is_due"),
        Job("sequence calls", "program_calls:call_due", 0.5, "program_calls:is_due"),
    ),
    ids={"sequence_id": "", "run_id": "", "version_id": "", "sequence_run_id": "people:ACCOUNT"},
    names={"sequences": "data:NAMES"},
    sentences="audit",
    sealed={"sequence_secrets": ("secret",)},
    data="data",
    hooks="hooks",
    switch=Switch(
        "split",
        noop("Sequences"),
        noop("%(who)s turned off sequences on this Lobby server."),
        noop("Ask customers, wait for their answers and hand over to people, step by step."),
        noop("Sequences and their runs are kept. Customers who are in one go to your team."),
        noop("When you turn it on again, only new messages start sequences."),
    ),
)
