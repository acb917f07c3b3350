"""The recognition settings that may go with a submission, and their values."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)

from batch_converter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LANGUAGE_NAMES: Final = """
    Afrikaans Albanian Arabic Awadhi Azerbaijani Belorussian Bemba Bengali Betawi Bhojpuri Bikol
    Bosnian Bouyei Bulgarian Cantonese Catalan Cebuano Chattisgarhi Chechen Chichewa Chinese
    Croatian Czech Danish Devanagari Dhundari Dimli Dong Dutch English Estonian Finnish French
    Galician Gan Garhwali Georgian German Gilaki Greek Gusii HWT_ENG Hakka Haryanvi Hausa Hebrew
    Hiligaynon Hindi Hmong Hungarian Ilocano Indonesian Italian Japanese Javanese Kabardian
    Kanauji Kannada Kanuri Kapampangan Kazah Kiche Kikongo Konkani Korean Kumauni Kurdish Lamani
    Latin Latvian Lithuanian Low_German Luguru Luo Macedonian Magahi Maithili Makassar Makua
    Malagasy Malay Malvi Marathi Marwari Meru Mewari Mewati Min_Bei Min_Dong Min_Nan Minangkabau
    Muong Musi Nandi Ndebele Nepali Netherlands Norwegian Occitan Oromo Palembang Pangasinan
    Persian Polish Portuguese Pu_Xian Quechua Rajbanshi Romanian Russian Rwanda Sasak Serbian
    Serbo_Croatian Serer_Sine Shona Slovak Slovene Somali Sotho_Northern Sotho_Southern Spanish
    Sukuma Sundanese Swahili Swati Swedish Tagalog Tamil Telugu Thai Tibetan Tonga Tsonga Tswana
    Tumbuka Turkish Turkmen Ukrainan Umbundu Urdu Uyghur Uzbek Vietnamese Wagdi Waray_Waray
    Wolaytta Wu Xhosa Xiang Yao Yoruba Zhuang Zulu
"""
LANGUAGES: Final = frozenset(_LANGUAGE_NAMES.split())
"""As the service's OpenAPI file spells them, misspellings included."""


def _known_language(value: str) -> str:
    if value not in LANGUAGES:
        near = difflib.get_close_matches(value.capitalize(), sorted(LANGUAGES), n=1, cutoff=0.0)
        msg = f"{value!r} is not a known language; the nearest is {near[0]!r}"
        raise ValueError(msg)
    return value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Rectangle(_Model):
    topLeftX: StrictInt | None = None  # noqa: N815  # the wire's spelling
    topLeftY: StrictInt | None = None  # noqa: N815  # the API's spelling
    bottomRightX: StrictInt | None = None  # noqa: N815  # the API's spelling
    bottomRightY: StrictInt | None = None  # noqa: N815  # the API's spelling


class _Region(_Model):
    rect: _Rectangle | None = None
    order: StrictInt | None = None


class RecognitionSettings(_Model):
    """`settings` of a submission; the field names are the wire's.

    Of the result types only those are allowed that bring a PDF.
    """

    language: Annotated[str, AfterValidator(_known_language)] | None = None
    rotate: StrictInt | None = Field(default=None, alias="Rotate")
    makeSkewCorrect: StrictBool | None = None  # noqa: N815  # the API's spelling
    makeSpellCheck: StrictBool | None = None  # noqa: N815  # the API's spelling
    makeContrastCorrection: StrictBool | None = None  # noqa: N815  # the API's spelling
    makeBinarization: StrictBool | None = None  # noqa: N815  # the API's spelling
    makeUpsampling: StrictBool | None = None  # noqa: N815  # the API's spelling
    dsrMode: (  # noqa: N815  # the API's spelling
        Literal[
            "Regions",
            "DsrNoFilter",
            "DsrAndFilter",
            "NoDsrNoFilter",
            "TextDetector",
            "DsrPlusDetector",
            "PolygonalTextDetector",
            "LineDetector",
        ]
        | None
    ) = None
    dsrConfidence: (  # noqa: N815  # the API's spelling
        Literal["Default", "Low", "LowMid", "Mid", "MidHigh", "High", "Ultra", "All"] | None
    ) = None
    resultType: (  # noqa: N815  # the API's spelling
        Literal["Pdf", "TextAndPdf", "PdfAndHocr", "TextAndPdfAndHocr"] | None
    ) = None
    resultTypeTable: Literal["Text", "Excel", "Csv", "CsvAndExcel"] | None = None  # noqa: N815  # the API's spelling
    regions: list[_Region] | None = None


_NAMES: Final = tuple(
    field.alias or name for name, field in RecognitionSettings.model_fields.items()
)


def checked_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings as they are, if the service documents them all.

    Raises:
        ConfigError: A name or a value is not documented; the message names it and
            the nearest known one.
    """
    for name in settings:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.0)
            msg = f"unknown key 'aspose.settings.{name}'; the nearest known key is {near[0]!r}"
            raise ConfigError(msg)
    try:
        RecognitionSettings.model_validate(dict(settings))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error
    return dict(settings)


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"aspose.settings.{'.'.join(map(str, item['loc']))}: "
        + item["msg"].removeprefix("Value error, ")
        for item in error.errors(include_url=False)
    )
