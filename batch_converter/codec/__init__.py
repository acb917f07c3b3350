"""Base64 and JSON in pieces of any size: pure, in constant memory."""

from __future__ import annotations

from batch_converter.codec.base64_text import (
    GATHER_BYTES,
    READ_BYTES,
    Base64Decoder,
    Base64Frame,
    JsonBase64Decoder,
)
from batch_converter.codec.bodies import (
    Envelope,
    EnvelopeScanner,
    Piece,
    Signal,
    Submission,
    SubmissionScanner,
)
from batch_converter.codec.json_walk import MAX_DEPTH, MAX_MARKS, MAX_SKELETON_BYTES

__all__ = [
    "GATHER_BYTES",
    "MAX_DEPTH",
    "MAX_MARKS",
    "MAX_SKELETON_BYTES",
    "READ_BYTES",
    "Base64Decoder",
    "Base64Frame",
    "Envelope",
    "EnvelopeScanner",
    "JsonBase64Decoder",
    "Piece",
    "Signal",
    "Submission",
    "SubmissionScanner",
]
