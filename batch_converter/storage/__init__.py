"""Files on the disk: the one place that knows what makes them last."""

from __future__ import annotations

from batch_converter.storage.durable import (
    copy_file,
    hash_file,
    make_folder,
    make_subfolder,
    nearest_folder,
    sync_file,
    sync_folder,
)
from batch_converter.storage.reading import hash_file_in

__all__ = [
    "copy_file",
    "hash_file",
    "hash_file_in",
    "make_folder",
    "make_subfolder",
    "nearest_folder",
    "sync_file",
    "sync_folder",
]
