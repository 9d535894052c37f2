"""Contacts: details, notes, consent, blocks, merging and export."""

from host.features.feature import Feature

FEATURE = Feature(
    __package__,
    models=("models",),
    blueprints=("pages.blueprint:bp",),
    views=(
        "pages.attribute_views",
        "pages.list_views",
        "pages.list_export",
        "pages.merge_views",
        "pages.page_views",
    ),
    routes=("api.attributes", "api.contacts"),
    consumers={"joining": "joining:consumer"},
    ids={
        "contact_id": "data:CONTACT",
        "identity_id": "data:IDENTITY",
        "attribute_id": "",
        "entry_id": "",
        "merge_id": "",
    },
    names={"identities": "models:IDENTITY_NAMES"},
    sentences="audit",
    data="data",
)
