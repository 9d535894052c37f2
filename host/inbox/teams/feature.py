"""Teams: groups of members to assign conversations to, and their accounts."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("views:bp",),
    routes=("api",),
    ids={"team_id": ""},
    names={"teams": "models:NAMES"},
    sentences="audit",
)
