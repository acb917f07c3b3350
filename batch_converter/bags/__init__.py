"""The PDFs that the ledger knows as converted, as a BagIt bag (RFC 8493)."""

from __future__ import annotations

from batch_converter.bags.making import Bag, make_bag

__all__ = ["Bag", "make_bag"]
