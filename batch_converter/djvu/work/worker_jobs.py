"""What a worker does for each kind of job; with this all libraries are loaded that jobs need."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from batch_converter.djvu.draw.convert import assemble, convert, convert_part
from batch_converter.djvu.draw.page_loss import merge_part_results, refuse_known_damage
from batch_converter.djvu.draw.picture import draw_first_page
from batch_converter.djvu.jobs.options import ConvertOptions
from batch_converter.djvu.jobs.parts import PartResult
from batch_converter.djvu.read.document import needs_others
from batch_converter.djvu.read.inspect import inspect

if TYPE_CHECKING:
    from collections.abc import Mapping


def do(job: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job; returns the answer.

    Raises:
        FileError: It failed, by the document's fault.
    """
    options = ConvertOptions(**job["options"])
    match job["job"]:
        case "inspect":
            return _inspected(job["source"], options)
        case "needs_others":
            return {"needs_others": needs_others(job["source"])}
        case "part":
            pages = range(job["start"], job["stop"])
            result = convert_part(job["source"], job["target"], pages, options)
            size_bytes = os.stat(job["target"]).st_size  # noqa: PTH116  # a path as str, its bytes kept
            return {"result": asdict(result), "size_bytes": size_bytes}
        case "picture":
            draw_first_page(job["source"], job["target"], job["max_side_px"], options)
            return {}
        case "assemble":
            results = [PartResult(**result) for result in job["results"]]
            warnings = merge_part_results(results, options)
            warnings += assemble(job["source"], job["parts"], job["target"], options)
            return {"warnings": warnings}
        case _:
            return {"warnings": convert(job["source"], job["target"], options).warnings}


def _inspected(source: str, options: ConvertOptions) -> dict[str, Any]:
    """Count pages, unless headers tell already that the document cannot be converted."""
    info = inspect(source, bundled_only=options.bundled_only)
    refuse_known_damage(info, options)
    return {"pages": info.page_count}
