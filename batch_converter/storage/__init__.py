"""Files on the disk: the one place that knows what makes them last."""

from __future__ import annotations

from batch_converter.storage.durable import (
    check_takes_names,
    hash_file,
    make_folder,
    make_subfolder,
    missing_folders,
    nearest_folder,
    sync_file,
    sync_folder,
)
from batch_converter.storage.parts import new_part
from batch_converter.storage.relocation import (
    Relocation,
    SourceChangedError,
    Stage,
    finish,
    is_same_place,
    relocate,
    stage,
)
from batch_converter.storage.scratch import ScratchFolder
from batch_converter.storage.source_bytes import (
    FileBytes,
    OpenSource,
    SourceBytes,
    SourceStatus,
    file_status,
)

__all__ = [
    "FileBytes",
    "OpenSource",
    "Relocation",
    "ScratchFolder",
    "SourceBytes",
    "SourceChangedError",
    "SourceStatus",
    "Stage",
    "check_takes_names",
    "file_status",
    "finish",
    "hash_file",
    "is_same_place",
    "make_folder",
    "make_subfolder",
    "missing_folders",
    "nearest_folder",
    "new_part",
    "relocate",
    "stage",
    "sync_file",
    "sync_folder",
]
