"""Bulk actions: one change of many conversations."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("views:bp",),
    routes=("api",),
    jobs=(Job("bulk actions", "actions:step", 0.5, "actions:due"),),
    ids={"bulk_id": ""},
    data="data",
)
