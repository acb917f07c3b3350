"""Settings: what they are, and where each value comes from."""

from __future__ import annotations

from batch_converter.config.after import move_dir
from batch_converter.config.aspose import AsposeSettings
from batch_converter.config.in_force import settings_of_run, told
from batch_converter.config.layers import CREDENTIALS, LoadedSettings, load_settings
from batch_converter.config.names import is_loopback, split_url
from batch_converter.config.places import STORE_SCHEMES, is_store_address
from batch_converter.config.remote import RemoteSettings
from batch_converter.config.run_variables import RUN_VARIABLES
from batch_converter.config.section import Section, written_like
from batch_converter.config.serving import ServeSettings
from batch_converter.config.settings import (
    STATE_DIR_NAME,
    InputSettings,
    LocalSettings,
    ReportSettings,
    RetrySettings,
    Settings,
    parse_shard,
    settings_with,
)

__all__ = [
    "CREDENTIALS",
    "RUN_VARIABLES",
    "STATE_DIR_NAME",
    "STORE_SCHEMES",
    "AsposeSettings",
    "InputSettings",
    "LoadedSettings",
    "LocalSettings",
    "RemoteSettings",
    "ReportSettings",
    "RetrySettings",
    "Section",
    "ServeSettings",
    "Settings",
    "is_loopback",
    "is_store_address",
    "load_settings",
    "move_dir",
    "parse_shard",
    "settings_of_run",
    "settings_with",
    "split_url",
    "told",
    "written_like",
]
