"""Teams: members whom conversations can be assigned to together, and the accounts they look after."""

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
