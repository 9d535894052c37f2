"""Files of messages."""

from host.features.feature import Feature, Job

FEATURE = Feature(
    __package__,
    models=("host.models.media",),
    of_desk=("file_removals",),
    blueprints=("pages.views:bp",),
    routes=("api.downloads", "api.uploads"),
    jobs=(
        Job("received files", "fetching:fetch_due", 1.0, "fetching:due"),
        Job("expired files", "expiry:purge_due", 300.0),
        Job("files", "file_removal:clean_up", 300.0),
    ),
    data="data",
)
