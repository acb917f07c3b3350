"""The page at `/`: what this is, and where its endpoints are."""

from __future__ import annotations

import html
from typing import Final

from batch_converter.server.openapi import VERSION
from batch_converter.wire import CONVERT_PATH, ID_PARAMETER, STATUS_PATH, TOKEN_PATH

_ENDPOINTS: Final = (
    (f"POST {TOKEN_PATH}", "credentials become an access token"),
    (f"POST {CONVERT_PATH}", "submit a DjVu; the answer is a task id"),
    (f"GET {CONVERT_PATH}?{ID_PARAMETER}=TASK", "status, and the PDF once it is there"),
    (f"DELETE {CONVERT_PATH}?{ID_PARAMETER}=TASK", "cancel the task or delete its PDF"),
    (f"GET {STATUS_PATH}?{ID_PARAMETER}=TASK", "status only"),
    ("GET /health", "whether the service is up"),
    ("GET /metrics", "counters for Prometheus"),
    ("GET /openapi.json", "the description for machines"),
)
_ROWS: Final = "\n".join(
    f"<tr><td><code>{html.escape(call)}</code></td><td>{html.escape(about)}</td></tr>"
    for call, about in _ENDPOINTS
)

PAGE: Final = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>batch-converter</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 3rem auto; padding: 0 1rem;
  color-scheme: light dark }}
td {{ padding: .2rem 1rem .2rem 0; vertical-align: top }}
</style>
</head>
<body>
<h1>batch-converter</h1>
<p>This is a conversion service, version {VERSION}: DjVu documents become PDFs over the interface of
Aspose.OCR Cloud v5.0, on this machine. Point a client of that service, or
<code>batch-converter convert --base-url</code>, at this address.</p>
<table>
{_ROWS}
</table>
<p>Results are kept for 24 hours after submission.</p>
</body>
</html>
"""
"""The HTML text; it needs nothing from elsewhere."""
