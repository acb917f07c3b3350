"""Programs and packages that conversions need beside our own, looked for before any begins."""

from __future__ import annotations

from batch_converter.djvu.work.ocr_tools import missing_tools
from batch_converter.djvu.work.pdfa_tools import missing_checker
from batch_converter.errors import ConfigError


def lacking_programs(*, ocr: str, pdfa: bool) -> str:
    """Say what these settings need and this machine lacks; empty if nothing; blocking.

    Args:
        ocr: Languages, as `local.ocr` names them; empty for no OCR.
        pdfa: Whether PDFs are PDF/A.
    """
    if ocr and (lacking := missing_tools(ocr)):
        return f"local.ocr = {ocr!r}: {lacking}"
    if pdfa and (lacking := missing_checker()):
        return f"local.pdfa = true: {lacking}"
    return ""


def check_programs(*, ocr: str, pdfa: bool) -> None:
    """Make sure that nothing lacks; blocking.

    Raises:
        ConfigError: Something does; the message names it.
    """
    if lacking := lacking_programs(ocr=ocr, pdfa=pdfa):
        raise ConfigError(lacking)
