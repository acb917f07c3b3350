"""Bytes → a checked PDF under its final name, or nothing."""

from __future__ import annotations

from batch_converter.output.checking import Verify, check_pdf, page_difference
from batch_converter.output.expected import ExpectedPdf, PageSize
from batch_converter.output.files import free_bytes, hash_file
from batch_converter.output.parts import PartFile, PartFolder
from batch_converter.output.places import is_lost, wanted_bytes
from batch_converter.storage import nearest_folder

__all__ = [
    "ExpectedPdf",
    "PageSize",
    "PartFile",
    "PartFolder",
    "Verify",
    "check_pdf",
    "free_bytes",
    "hash_file",
    "is_lost",
    "nearest_folder",
    "page_difference",
    "wanted_bytes",
]
