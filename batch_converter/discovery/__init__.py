"""Sources → a stream of DjVu files. Everything here blocks: run it in a worker thread."""

from __future__ import annotations

from batch_converter.discovery.content import (
    HEAD_BYTES,
    MAGIC,
    is_head_of_document,
    is_head_of_index,
    is_head_of_several,
)
from batch_converter.discovery.filter_files import with_globs_of_files
from batch_converter.discovery.found import Found, Passed, PassedKind, UnreadableSource
from batch_converter.discovery.lists import read_files_from
from batch_converter.discovery.selection import Selection
from batch_converter.discovery.sources import absolute_path, check_sources
from batch_converter.discovery.walk import DiskWalk, WalkPath
from batch_converter.naming import clash_key, clash_name, wanted_output

__all__ = [
    "HEAD_BYTES",
    "MAGIC",
    "DiskWalk",
    "Found",
    "Passed",
    "PassedKind",
    "Selection",
    "UnreadableSource",
    "WalkPath",
    "absolute_path",
    "check_sources",
    "clash_key",
    "clash_name",
    "is_head_of_document",
    "is_head_of_index",
    "is_head_of_several",
    "read_files_from",
    "wanted_output",
    "with_globs_of_files",
]
