"""Files on the disk: the one place that knows what makes them last."""

from __future__ import annotations

from batch_converter.storage.durable import (
    hash_file,
    make_folder,
    make_subfolder,
    missing_folders,
    nearest_folder,
    sync_file,
    sync_folder,
)
from batch_converter.storage.reading import hash_file_in
from batch_converter.storage.scratch import ScratchFolder

__all__ = [
    "ScratchFolder",
    "hash_file",
    "hash_file_in",
    "make_folder",
    "make_subfolder",
    "missing_folders",
    "nearest_folder",
    "sync_file",
    "sync_folder",
]
