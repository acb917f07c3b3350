"""The last runs of several state directories as one: shards of an archive, told together."""

from __future__ import annotations

from batch_converter.merging.merged_run import MergedRun, merged_run

__all__ = ["MergedRun", "merged_run"]
