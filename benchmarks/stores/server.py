"""An S3 server (moto) in a process of its own, which counts what it is asked.

    python -m benchmarks.stores.server

prints where it listens. `GET /-/counts` tells the requests so far and the processor time.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

COUNTS: Final = "/-/counts"


class Counted:
    """Passes requests on, and counts them."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._requests = 0

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as moto does, but for the counts."""
        if environ["PATH_INFO"] == COUNTS:
            body = json.dumps({"requests": self._requests, "cpu_s": time.process_time()}).encode()
            headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
            start_response("200 OK", headers)
            return [body]
        with self._lock:
            self._requests += 1
        return self._application(environ, start_response)


def main() -> None:
    """Serve until killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # noqa: TID251  # not our log
    application = Counted(DomainDispatcherApplication(create_backend_app))
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler
    )
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
