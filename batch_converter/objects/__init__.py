"""Object stores: addresses, and one client for all kinds of them, over obstore."""

from __future__ import annotations

from batch_converter.config import STORE_SCHEMES
from batch_converter.objects.address import (
    FILE_SCHEMES,
    ObjectAddress,
    is_object_address,
    key_fault,
)
from batch_converter.objects.client import ObjectClient, ObjectClients, ObjectStatus
from batch_converter.objects.failures import ObjectChangedError, ObjectExistsError, StoreError
from batch_converter.objects.lookup import ObjectLookup
from batch_converter.objects.opening import endpoint_of

__all__ = [
    "FILE_SCHEMES",
    "STORE_SCHEMES",
    "ObjectAddress",
    "ObjectChangedError",
    "ObjectClient",
    "ObjectClients",
    "ObjectExistsError",
    "ObjectLookup",
    "ObjectStatus",
    "StoreError",
    "endpoint_of",
    "is_object_address",
    "key_fault",
]
