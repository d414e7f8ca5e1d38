"""An archive as the official one is laid out, and a web server that serves it."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROGRAMS = ("etcd", "kube-apiserver", "kubectl")


def archive(programs: tuple[str, ...] = PROGRAMS, extra: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """A tar.gz with small shell scripts as programs, and its SHA-512."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in (*(f"controller-tools/envtest/{program}" for program in programs), *extra):
            body = b"#!/bin/sh\necho ok\n"
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(body), 0o755
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue(), hashlib.sha512(buffer.getvalue()).hexdigest()


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """The base URL of a server on loopback that has `files` (path → content), and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
