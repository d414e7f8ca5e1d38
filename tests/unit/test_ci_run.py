"""What CI runs, with stand-ins for `make` and `go`: the script itself is what is looked at."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# More than a pipe holds (64 KiB): who reads one line only and leaves makes this writer end by SIGPIPE.
_TALKATIVE_MAKE = """#!/bin/sh
case "$1" in
  --version)
    echo "GNU Make 4.3"
    line=0
    while [ $line -lt 3000 ]; do echo "more about the licence of this program"; line=$((line+1)); done
    ;;
  *) echo "asked to make: $*"; exit "${MAKE_ANSWERS:-0}" ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository that holds nothing but the script and one commit."""
    root = tmp_path / "clone"
    (root / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", root / ".ci" / "run")
    for name, text in (("make", _TALKATIVE_MAKE), ("go", '#!/bin/sh\necho "go version go1.24.0 linux/amd64"\n')):
        stand_in = tmp_path / "bin" / name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(text)
        stand_in.chmod(0o755)
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", str(root))
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "The only one"], check=True)
    return root


def _run(clone: Path, tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(clone / ".ci" / "run")],
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_names_the_versions_and_makes_the_tests(clone: Path, tmp_path: Path) -> None:
    ran = _run(clone, tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "GNU Make 4.3\n" in ran.stdout
    assert "The only one" in ran.stdout
    assert ran.stdout.endswith("asked to make: test\n")


def test_it_fails_with_the_tests(clone: Path, tmp_path: Path) -> None:
    assert _run(clone, tmp_path, MAKE_ANSWERS="2").returncode == 2
