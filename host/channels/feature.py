"""Channel accounts, their settings and their problems."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("host.models.channels",),
    blueprints=("pages.views:bp", "pages.sign_in_views:bp"),
    views=(
        "pages.asking_views",
        "pages.automation_views",
        "pages.diagnose_views",
        "pages.file_views",
        "pages.history_views",
        "pages.message_views",
        "pages.overview_views",
        "pages.workspace_views",
    ),
    routes=(
        "api.accounts",
        "api.connections",
        "api.diagnosis",
        "api.greetings",
    ),
    sentences="audit",
    sealed={"sign_ins": ("candidates",)},
    data="data",
    hooks="overview",
)
