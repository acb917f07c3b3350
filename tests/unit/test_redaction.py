"""No spelling of a secret is told, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.redaction import MASK, Redactor
from tests.support.spellings import SPELLINGS

SECRETS: Final = (
    "s3cr3t+of/the=tests",
    'p"ss/w\u00f6rd+1 &<x>\\',
    "0123456789abcdef0123456789ABCDEF",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3-jVm_HzG",
    "\U0001f511 and words  in it",
)

CHARACTER_BY_CHARACTER: Final = (
    "plain",
    "JSON, all of it escaped",
    "quoted, all of it",
    "HTML by number",
    "HTML",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", SECRETS, ids=["sign", "hard", "hex", "jwt", "blanks"])
def test_every_spelling_is_masked(secret: str, spelling: str) -> None:
    echo = SPELLINGS[spelling](secret)
    assert Redactor(secret).redact(f'said "{echo}", twice: {echo}') == (
        f'said "{MASK}", twice: {MASK}'
    )


@pytest.mark.parametrize("around", ["{}", "x{}", "us{}", "user:{}", "{}x", "{}:yz", "user:{}!"])
@pytest.mark.parametrize("secret", SECRETS, ids=["sign", "hard", "hex", "jwt", "blanks"])
def test_base64_is_masked_wherever_the_secret_begins_in_it(secret: str, around: str) -> None:
    data = around.format(secret).encode()
    for whole in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        for echo in (whole, whole.rstrip("="), quote(whole, safe=""), json.dumps(whole)):
            told = Redactor(secret).redact(f"[{echo}]")
            assert MASK in told
            # A digit is six bits: of the secret's own, less than a byte is left at each end.
            assert len(told) - len(MASK) <= len(echo) - len(secret.encode()) * 8 // 6 + 4


@pytest.mark.slow
@given(st.data(), st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=4))
def test_any_mixture_of_spellings_is_masked(data: st.DataObject, secret: str) -> None:
    chosen = [data.draw(st.sampled_from(CHARACTER_BY_CHARACTER)) for _ in secret]
    echo = "".join(SPELLINGS[way](char) for way, char in zip(chosen, secret, strict=True))
    assert Redactor(secret).redact(f"<<{echo}>>") == f"<<{MASK}>>"


@pytest.mark.parametrize("sign", ["\\", "%", "&"])
def test_a_secret_that_ends_like_an_escape_leaves_nothing_of_its_own(sign: str) -> None:
    for way in CHARACTER_BY_CHARACTER:
        echo = "000" + SPELLINGS[way](sign)
        assert Redactor(f"000{sign}").redact(f"<<{echo}>>") == f"<<{MASK}>>", way


@given(st.text())
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Redactor("hunter2-hunter2-hunter2").redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Basic Electronics.djvu",
        "basic mathematics, volume 2",
        "Bearer of bad news",
        "The Bearer Bonds2.djvu",
        "password: none",
        "100 % of Tom & Jerry \\ Co",
        "tokens: 3",
    ],
)
def test_words_are_no_credentials(text: str) -> None:
    assert Redactor().redact(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sent Bearer abc.def-ghi=", "sent Bearer ***"),
        ("'authorization': 'bearer eyJhbGciOi'", "'authorization': 'bearer ***'"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("Basic%20dXNlcjpwYXNzdw==", "Basic%20***"),
        ("?access_token=abcdefgh&x=1", "?access_token=***&x=1"),
        ('{"access_token": "abcd.efgh", "x": 1}', '{"access_token": "***", "x": 1}'),
        (r"{\"client_secret\":\"abcdefgh\"}", r"{\"client_secret\":\"***\"}"),
        ("client_id=a&client_secret=abcd%2Fefgh", "client_id=a&client_secret=***"),
    ],
)
def test_credentials_that_nobody_added_are_known_by_where_they_stand(
    text: str, expected: str
) -> None:
    assert Redactor().redact(text) == expected


def test_the_longest_secret_wins_and_the_repr_shows_none() -> None:
    redactor = Redactor("abcd", "abcdef", "x", "")
    assert redactor.redact("abcdef abcd x") == "*** *** x"
    assert "abcd" not in repr(redactor)


def test_a_secret_is_kept_for_good_and_of_tokens_the_last_ones() -> None:
    redactor = Redactor("the-account")
    for number in range(100):
        redactor.add_token(f"token-{number:03}")
    assert redactor.redact("the-account token-099 token-095") == "*** *** ***"
    assert redactor.redact("token-000") == "token-000"
    assert repr(redactor) == "Redactor(9 secrets)"
