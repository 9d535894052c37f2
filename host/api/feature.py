"""The API for other programs, and its keys."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.api_keys",),
    blueprints=("key_views:bp", "views:bp"),
    routes=("about",),
    jobs=(Job("expiring keys", "expiring:notify_due", 300.0),),
    sentences="audit",
    commands={"openapi": "host.cli.desk:openapi"},
    data="data",
)
