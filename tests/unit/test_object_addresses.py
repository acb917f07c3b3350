"""Addresses of objects, and what failures of a store are called."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.config import RemoteSettings, RetrySettings
from batch_converter.discovery import read_files_from
from batch_converter.errors import UsageError
from batch_converter.objects import (
    ObjectAddress,
    ObjectChangedError,
    ObjectExistsError,
    StoreError,
    is_object_address,
)
from batch_converter.objects.address import key_fault
from batch_converter.objects.failures import failure
from batch_converter.objects.opening import load_obstore, open_store
from batch_converter.sources import source_address
from batch_converter.storage import SourceStatus

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=20)
KEYS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@given(scheme=st.sampled_from(["s3", "gs", "az", "https", "http"]), key=KEYS)
def test_an_address_is_read_as_it_is_written(scheme: str, key: str) -> None:
    if key_fault(key) is not None:
        return
    address = ObjectAddress(scheme=scheme, place="place.example", key=key)
    assert ObjectAddress.parse(str(address)) == address
    assert is_object_address(str(address))
    assert source_address(str(address)) == str(address)


@pytest.mark.parametrize(
    ("given_as", "scheme", "place", "key"),
    [
        ("s3://b", "s3", "b", ""),
        ("s3://b/", "s3", "b", ""),
        ("gs://b.c-d_e/x/", "gs", "b.c-d_e", "x"),
        ("az://$root/x%20y", "az", "$root", "x%20y"),
        ("https://h:81/a%20b/%C3%A4.djvu", "https", "h:81", "a b/ä.djvu"),
    ],
)
def test_the_parts_of_an_address(given_as: str, scheme: str, place: str, key: str) -> None:
    address = ObjectAddress.parse(given_as)
    assert (address.scheme, address.place, address.key) == (scheme, place, key)
    assert address.below("n").name == address.beside("n").name == "n"
    assert is_object_address(str(address.below("n")))


@pytest.mark.parametrize("given_as", ["/s3://b", "s3:/b", "s4://b", "x", "", "a/s3://b", "S3://b"])
def test_what_is_a_path(given_as: str) -> None:
    assert not is_object_address(given_as)


@pytest.mark.parametrize(
    "given_as",
    [
        "s3://",
        "s3:///k",
        "s3://a b/k",
        "https://",
        "s3://b/a//b",
        "https://h/%FF.djvu",
        "https://h/a%2Fb.djvu",
        "https://h/a%2fb.djvu",
        "https://h/a%7F.djvu",
        "https://h/%2e%2e/a.djvu",
    ],
)
def test_what_no_object_can_have(given_as: str) -> None:
    with pytest.raises(UsageError):
        ObjectAddress.parse(given_as)


@pytest.mark.parametrize(
    "key", ["a/../b", "./a", "a\x00", "a\x1f", "a\x7f", "\udcff", "a//b", "a/"]
)
def test_keys_that_cannot_be_reached(key: str) -> None:
    assert key_fault(key) is not None


@pytest.mark.parametrize("key", ["a\x20", "a\x7e", "a\x80", "a\u200b", "%2e%2e/a", "a\\b"])
def test_keys_beside_those(key: str) -> None:
    assert key_fault(key) is None


def test_addresses_in_a_list_lose_white_space(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(" s3://b/x.djvu \r\n\ts3://b/y z.djvu\n")
    assert list(read_files_from(str(listed))) == ["s3://b/x.djvu", "s3://b/y z.djvu"]


def test_versions_are_told_by_etag_where_both_have_one() -> None:
    known = SourceStatus(1, 10, "a")
    assert known.is_same(SourceStatus(1, 11, "a"))
    assert not known.is_same(SourceStatus(1, 10, "b"))
    assert not known.is_same(SourceStatus(2, 10, "a"))
    assert known.is_same(SourceStatus(1, 10))
    assert not SourceStatus(1, 11).is_same(known)


# Failures


def answered(status: int, code: str = "") -> str:
    body = f"<Error><Code>{code}</Code><Message>the secret is hunter2</Message></Error>"
    return (
        "Generic S3 error: Error performing GET http://h/b?X-Amz-Signature=hunter2 - Server"
        f" returned non-2xx status code: {status} Some Reason: {body}"
    )


@pytest.mark.parametrize(
    ("kind", "text", "said", "is_passing"),
    [
        ("GenericError", answered(503, "SlowDown"), "answered 503 SlowDown", True),
        ("GenericError", answered(500), "answered 500", True),
        ("GenericError", answered(429), "answered 429", True),
        ("GenericError", answered(400, "Odd"), "answered 400 Odd", False),
        ("GenericError", answered(404, "NoSuchBucket"), "no such bucket", False),
        ("GenericError", answered(301, "PermanentRedirect"), "remote.region", False),
        ("PermissionDeniedError", answered(403, "AccessDenied"), "access is denied", False),
        ("PermissionDeniedError", answered(403), "refuses these credentials (403)", False),
        ("UnauthenticatedError", answered(401), "refuses these credentials", False),
        ("GenericError", "HTTP error: error sending request hunter2", "be reached", True),
        ("GenericError", "GET http://169.254.169.254/latest hunter2", "no credentials", False),
        ("InvalidPathError", 'Path "a//b" contained empty', "'a//b'", False),
        ("NotSupportedError", "hunter2", "failed (NotSupportedError)", False),
    ],
)
def test_failures_are_told_without_what_the_store_says(
    kind: str, text: str, said: str, *, is_passing: bool
) -> None:
    error = getattr(load_obstore(ObjectAddress.parse("s3://b")).exceptions, kind)(text)
    meant = failure(error)
    assert isinstance(meant, StoreError)
    assert meant.is_passing is is_passing
    assert said in str(meant.strerror)
    assert "hunter2" not in str(meant)


def test_failures_that_are_told_apart_by_kind() -> None:
    errors = load_obstore(ObjectAddress.parse("s3://b")).exceptions
    assert isinstance(failure(errors.AlreadyExistsError("")), ObjectExistsError)
    assert isinstance(failure(errors.PreconditionError("")), ObjectChangedError)
    gone = failure(FileNotFoundError("x"))
    assert isinstance(gone, FileNotFoundError)
    assert gone.errno == errno.ENOENT


# Stores are made of addresses and settings, without asking anybody


@pytest.mark.parametrize(
    ("address", "kind", "variables"),
    [
        ("s3://bucket/x", "S3Store", {}),
        ("gs://bucket/x", "GCSStore", {}),
        ("az://box/x", "AzureStore", {"AZURE_STORAGE_ACCOUNT_NAME": "name"}),
        ("https://example.org/x.djvu", "HTTPStore", {}),
    ],
)
@pytest.mark.parametrize("anonymous", [True, False])
def test_each_kind_of_store_is_made(
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    kind: str,
    variables: dict[str, str],
    *,
    anonymous: bool,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    remote = RemoteSettings(region="eu-central-1", anonymous=anonymous)
    parsed = ObjectAddress.parse(address)
    base = ObjectAddress(scheme=parsed.scheme, place=parsed.place, key="")
    assert type(open_store(base, remote, RetrySettings())).__name__ == kind


def test_a_malformed_environment_is_told_without_its_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", "hunter2 is no JSON")
    with pytest.raises(UsageError, match="gs://b cannot be used") as caught:
        open_store(ObjectAddress.parse("gs://b"), RemoteSettings(), RetrySettings())
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
