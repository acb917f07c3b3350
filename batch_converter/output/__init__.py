"""Bytes → a checked PDF under its final name, or nothing."""

from __future__ import annotations

from batch_converter.output.backlog import Backlog
from batch_converter.output.checking import Verify, check_pdf, page_difference
from batch_converter.output.expected import ExpectedPdf, PageSize
from batch_converter.output.files import (
    hash_file,
    temporary_folder,
    unread_reason,
    write_all,
    write_pieces,
    writing,
)
from batch_converter.output.grouped_folder_sync import GroupedFolderSync
from batch_converter.output.object_pdfs import ObjectPdfs
from batch_converter.output.pdf_store import PdfStore
from batch_converter.output.pdf_writer import PdfWriter
from batch_converter.output.store import OutputLook, OutputStore
from batch_converter.output.writability import (
    GROWTH,
    MARGIN_BYTES,
    check_takes_files,
    is_disk_failure,
    wanted_bytes,
)
from batch_converter.storage import nearest_folder

__all__ = [
    "GROWTH",
    "MARGIN_BYTES",
    "Backlog",
    "ExpectedPdf",
    "GroupedFolderSync",
    "ObjectPdfs",
    "OutputLook",
    "OutputStore",
    "PageSize",
    "PdfStore",
    "PdfWriter",
    "Verify",
    "check_pdf",
    "check_takes_files",
    "hash_file",
    "is_disk_failure",
    "nearest_folder",
    "page_difference",
    "temporary_folder",
    "unread_reason",
    "wanted_bytes",
    "write_all",
    "write_pieces",
    "writing",
]
