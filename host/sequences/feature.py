"""The feature *sequences*: steps that follow a customer's message."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("models",),
    routes=("api.runs", "api.sequences"),
    blueprints=("pages.views:bp",),
    jobs=(Job("sequences", "timing:run_due", 0.5),),
    ids={"sequence_id": "", "run_id": "", "version_id": "", "sequence_run_id": "people:ACCOUNT"},
    names={"sequences": "data:NAMES"},
    sentences="audit",
    data="data",
    hooks="hooks",
)
