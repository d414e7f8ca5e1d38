"""The product's prober with the relay as its dial; started by the agent, ends with it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from ipaddress import IPv4Network
from pathlib import Path

from redis_connectivity.probes.prober import PRIVATE_RANGES, serve
from redis_connectivity_lab.dataplane.relay import relay_dial

__all__ = ["main"]


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):  # a pipe nobody writes to: it ends when the agent does
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve until told to stop, or until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--relay", type=Path, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--unix-socket", type=Path, required=True)
    parser.add_argument("--via", required=True)
    parser.add_argument("--allow", type=IPv4Network, action="append")
    options = parser.parse_args()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    dial = relay_dial(options.relay, options.source)
    allow = options.allow or PRIVATE_RANGES
    asyncio.run(serve(unix_socket=options.unix_socket, allow=allow, via=options.via, dial=dial))


if __name__ == "__main__":
    main()
