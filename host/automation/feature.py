"""The feature *automation*: greetings, away messages and routing. Rules build on it."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.automation",),
    routes=("api.account_settings",),
    jobs=(
        Job("automation", "running:run_due", 0.5, "running:is_due"),
        Job("hand out", "routing:hand_out", 2.0, "routing:due"),
    ),
    consumers={"automation": "consuming:consumer"},
    data="data",
    hooks="overview",
)
