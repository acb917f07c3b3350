from __future__ import annotations

import pytest

from batch_converter.config import load_settings
from batch_converter.config.service_links import is_service_link
from batch_converter.errors import ConfigError

KUBERNETES = {
    "BATCH_CONVERTER_SERVICE_HOST": "10.96.12.7",
    "BATCH_CONVERTER_SERVICE_PORT": "8080",
    "BATCH_CONVERTER_SERVICE_PORT_HTTP": "8080",
    "BATCH_CONVERTER_SERVICE_PORT_HTTP_METRICS": "9090",
    "BATCH_CONVERTER_PORT": "tcp://10.96.12.7:8080",
    "BATCH_CONVERTER_PORT_8080_TCP": "tcp://10.96.12.7:8080",
    "BATCH_CONVERTER_PORT_8080_TCP_PROTO": "tcp",
    "BATCH_CONVERTER_PORT_8080_TCP_PORT": "8080",
    "BATCH_CONVERTER_PORT_8080_TCP_ADDR": "10.96.12.7",
}
NEIGHBOURS = {
    "BATCH_CONVERTER_WEB_SERVICE_HOST": "fd00:10:96::7",
    "BATCH_CONVERTER_WEB_PORT": "udp://[fd00:10:96::7]:53",
    "BATCH_CONVERTER_WEB_PORT_53_UDP": "udp://[fd00:10:96::7]:53",
    "BATCH_CONVERTER_WEB_PORT_53_UDP_PROTO": "udp",
    "BATCH_CONVERTER_SERVICE_PORT": "tcp://10.96.12.7:80",  # of a "batch-converter-service"
    "BATCH_CONVERTER_2_PORT_9_SCTP_ADDR": "10.0.0.1",
}


@pytest.mark.parametrize("links", [KUBERNETES, NEIGHBOURS])
def test_a_clusters_links_are_passed_over_with_a_warning(links: dict[str, str]) -> None:
    loaded = load_settings(environ=links)
    assert loaded.origins == {}
    (warning,) = loaded.warnings
    assert all(name in warning for name in links)


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("BATCH_CONVERTER_SERVE_PORT", "8080", "serve.port"),
        ("BATCH_CONVERTER_PORT", "8080", "serve.port"),
        ("BATCH_CONVERTER_SERVE_HOST", "10.0.0.1", "serve.host"),
        ("BATCH_CONVERTER_SERVICE_HOST", "a-name", ""),
        ("BATCH_CONVERTER_SERVICE__PORT", "8080", "serve.port"),
        ("BATCH_CONVERTER_PORT_8080_TCP_PROTO", "http", ""),
        ("BATCH_CONVERTER_POLING__INTERVAL", "3", "polling.interval"),
    ],
)
def test_a_setting_misspelt_stays_an_error(name: str, value: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown key .* {name}; the nearest .*{nearest}"):
        load_settings(environ={name: value})


def test_a_setting_of_ours_is_no_link_whatever_its_value() -> None:
    assert load_settings(environ={"BATCH_CONVERTER_SERVE__PORT": "81"}).settings.serve.port == 81
    with pytest.raises(ConfigError, match=r"serve\.port"):
        load_settings(environ={"BATCH_CONVERTER_SERVE__PORT": "tcp://10.0.0.1:80"})


def test_name_and_value_must_fit_each_other() -> None:
    assert not is_service_link("BATCH_CONVERTER_PORT_TCP", "tcp://10.0.0.1:80")
    assert not is_service_link("BATCH_CONVERTER_PORTS", "tcp://10.0.0.1:80")
    assert not is_service_link("BATCH_CONVERTER_SERVICE_PORT", "\u0661")
