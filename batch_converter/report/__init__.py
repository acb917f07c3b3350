"""A finished run as others read it: JSON, CSV, HTML, metrics, manifest, failures, summary."""

from __future__ import annotations

from batch_converter.report.atomic_writer import ensure_apart, ensure_writable
from batch_converter.report.csv_report import write_csv_report
from batch_converter.report.estimate import estimate_json_text, human_estimate
from batch_converter.report.failed_list import write_failed_list
from batch_converter.report.files import check_report_files, write_report_files
from batch_converter.report.html_report import write_html_report
from batch_converter.report.human import human_merged, human_summary
from batch_converter.report.json_report import (
    SCHEMA,
    json_report_text,
    summary_json,
    write_json_report,
)
from batch_converter.report.manifest import write_manifest
from batch_converter.report.metrics_file import write_metrics_file
from batch_converter.report.status import human_status, status_json_text

__all__ = [
    "SCHEMA",
    "check_report_files",
    "ensure_apart",
    "ensure_writable",
    "estimate_json_text",
    "human_estimate",
    "human_merged",
    "human_status",
    "human_summary",
    "json_report_text",
    "status_json_text",
    "summary_json",
    "write_csv_report",
    "write_failed_list",
    "write_html_report",
    "write_json_report",
    "write_manifest",
    "write_metrics_file",
    "write_report_files",
]
