"""What a fault tells in the log, and what it must not."""

import subprocess
import sys

import pytest

_FAULT = """
import structlog
from redis_connectivity.logs import configure_logs
from redis_connectivity.settings import LogFormat, LogLevel

configure_logs(LogLevel.INFO, LogFormat("{form}"))

def read(secret):
    words = ["pass", secret]
    raise ValueError("it went wrong")

try:
    read("".join(["s3", "cret"]))
except ValueError:
    structlog.get_logger("test").exception("fault")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_fault_is_told_with_where_it_was_and_without_the_values_that_were_there(form: str) -> None:
    code = _FAULT.replace("{form}", form)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "it went wrong" in ran.stderr
    assert "read" in ran.stderr, "the function it happened in"
    assert "s3cret" not in ran.stderr
