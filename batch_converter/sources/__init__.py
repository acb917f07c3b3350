"""Where documents come from: the contract of stores, the disk, and what a run was asked for."""

from __future__ import annotations

from batch_converter.sources.disk import DiskSources
from batch_converter.sources.given import OpenSources, Sources, selected, source_address
from batch_converter.sources.objects import ObjectSources
from batch_converter.sources.store import (
    DISK,
    BuildStore,
    SourceInspector,
    SourceStore,
    SourceStores,
    SourceWalk,
)

__all__ = [
    "DISK",
    "BuildStore",
    "DiskSources",
    "ObjectSources",
    "OpenSources",
    "SourceInspector",
    "SourceStore",
    "SourceStores",
    "SourceWalk",
    "Sources",
    "selected",
    "source_address",
]
