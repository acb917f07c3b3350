"""Object stores: addresses, and one client for all kinds of them, over obstore."""

from __future__ import annotations

from batch_converter.objects.address import (
    FILE_SCHEMES,
    STORE_SCHEMES,
    ObjectAddress,
    is_object_address,
)
from batch_converter.objects.client import ObjectClient, ObjectClients, ObjectStatus
from batch_converter.objects.failures import ObjectChangedError, ObjectExistsError, StoreError

__all__ = [
    "FILE_SCHEMES",
    "STORE_SCHEMES",
    "ObjectAddress",
    "ObjectChangedError",
    "ObjectClient",
    "ObjectClients",
    "ObjectExistsError",
    "ObjectStatus",
    "StoreError",
    "is_object_address",
]
