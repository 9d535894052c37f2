"""Open the store named in a setting."""

from __future__ import annotations

from pathlib import Path

from host.core.config import Config
from host.core.storage.base import Store
from host.core.storage.folder import FolderStore
from host.core.storage.s3 import S3Store

FOLDER = "attachments"
"""Folder of files in the data folder, by default."""


def opened(config: Config, where: str | None = None) -> Store:
    """Return the store at *where*, which has the format of LOBBY_FILES; None: the desk's store.

    :raises StoreAwayError: if it cannot be used with its settings.
    """
    where = config.files if where is None else where
    own = config.data / FOLDER
    if where.startswith("s3://"):
        bucket, _, prefix = where.removeprefix("s3://").partition("/")
        return S3Store(
            bucket,
            prefix,
            staging=own,
            endpoint=config.files_endpoint,
            region=config.files_region,
            access_key=config.files_access_key,
            secret_key=config.files_secret_key,
        )
    path = Path(where) if where else own
    return FolderStore(path, shared=path != own)
