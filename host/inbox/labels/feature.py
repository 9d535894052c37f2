"""Labels: names with a colour that sort the conversations of a workspace."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("views:bp",),
    routes=("api",),
    ids={"label_id": ""},
    names={"labels": "models:NAMES"},
    sentences="audit",
)
