"""`python -m redis_connectivity_lab.emulator`: the emulator as a process."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from redis_connectivity_lab.emulator.emulator import Emulator
from redis_connectivity_lab.emulator.timings import Timings

_SPEEDS = {"lab": Timings, "instant": Timings.instant, "realistic": Timings.realistic}


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m redis_connectivity_lab.emulator",
        description="Google Cloud's REST for networks, firewall rules, Serverless VPC Access and Memorystore, emulated "
        "on one port. It starts empty; fill it through /lab/v1/ (see --project).",
        epilog="Point Google's clients at it with ClientOptions(api_endpoint=URL) and AnonymousCredentials; "
        "vpcaccess and redis need transport='rest'.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--speed",
        choices=sorted(_SPEEDS),
        default="lab",
        help="how long operations take: seconds (lab), about what Google takes (realistic), or nothing (instant)",
    )
    parser.add_argument(
        "--project",
        action="append",
        default=[],
        metavar="ID",
        help="make this project, with the network `default`; may be given several times",
    )
    return parser.parse_args(argv)


async def _serve(arguments: argparse.Namespace) -> None:
    emulator = Emulator(_SPEEDS[arguments.speed]())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await emulator.start(arguments.host, arguments.port)
    try:
        for project in arguments.project:
            emulator.lab.project(project, default_network=True)
        # The first line is the URL alone, so that another process can read it.
        sys.stdout.write(f"{emulator.url}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await emulator.stop()


def main(argv: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code."""
    arguments = _arguments(argv)
    try:
        asyncio.run(_serve(arguments))
    except OSError as error:
        sys.stderr.write(f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror or error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
