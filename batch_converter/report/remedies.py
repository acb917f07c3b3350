"""What to do about each error code, for who runs the batch; `docs/errors.md` says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

REMEDIES: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.NOT_DJVU: "Open it in a DjVu viewer: what is cut off or damaged has to be fetched or"
    " scanned again, and an index needs the files of its pages beside it. It is tried again once"
    " it has changed.",
    ErrorCode.UNREADABLE: "Look at its permissions and at the disk that it lies on; the next run"
    " tries it again.",
    ErrorCode.TOO_LARGE: "Split the document, raise `aspose.max_upload_bytes`, or convert it with"
    " `--engine local`; `--retry-failed` takes it up again.",
    ErrorCode.REJECTED: "Settle what the service said, or convert it with `--engine local`;"
    " `--retry-failed` takes it up again.",
    ErrorCode.CONVERSION_ERROR: "Convert it with `--engine local`, or pay for another try of the"
    " service: with `--retry-failed`, or `retry.resubmit_on_error` for all to come.",
    ErrorCode.EXPIRED: "Run the same command again: it is submitted, and paid for, anew.",
    ErrorCode.BAD_RESPONSE: "Run the same command again; if it persists, look at what stands"
    " between you and the service, such as a proxy that answers in its place.",
    ErrorCode.BAD_PDF: "Compare PDF and DjVu by eye: `--retry-failed` converts it anew (paid for),"
    ' also with `--engine local`; `output.page_mismatch = "warn"` takes the PDF as it is.',
    ErrorCode.TIMEOUT: "Run the same command again: its task is asked for before anything is"
    " submitted. If it happens often, raise `--task-timeout`.",
    ErrorCode.NETWORK: "Run the same command again once the service can be reached, which"
    " `batch-converter doctor` tells.",
    ErrorCode.AUTH: "Check the credentials with `batch-converter doctor`, then run the same command"
    " again.",
    ErrorCode.BUDGET: "Run the same command again, with a larger budget where that was spent.",
    ErrorCode.OUTPUT_ERROR: "Make room, or mend the permissions of what the message names, and run"
    " the same command again; of a PDF that is in the way say `--adopt` or `--overwrite`.",
    ErrorCode.ENGINE_ERROR: "Open it in a DjVu viewer: of a damaged one"
    ' `local.on_damage = "keep"` with `--retry-failed` converts the pages that are left. If all of'
    " them can be seen, please report it.",
    ErrorCode.CANCELLED: "Run the same command again.",
}
"""In one or two sentences each; words in backticks are typed as they stand."""
