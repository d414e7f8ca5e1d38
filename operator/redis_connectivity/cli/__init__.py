"""The command line `redis-connectivity`."""

from redis_connectivity.cli.main import main

__all__ = ["main"]
