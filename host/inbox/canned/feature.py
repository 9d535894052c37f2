"""Canned replies and macros: texts and actions that people use repeatedly."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("pages.reply_views:bp", "pages.macro_views:bp"),
    routes=("api",),
    ids={"canned_id": "", "canned_file_id": "", "macro_id": ""},
    sentences="audit",
    data="data",
)
