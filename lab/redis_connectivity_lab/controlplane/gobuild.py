"""The last way to a control plane: `go build` from the Go modules that gomod/ pins, go.sum and all."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from redis_connectivity_lab.controlplane import pins
from redis_connectivity_lab.controlplane.progress import Progress

__all__ = ["BUILDS", "Build", "BuildError", "build", "digest"]


class BuildError(Exception):
    """`go build` is not possible or did not work."""


@dataclass(frozen=True, slots=True)
class Build:
    """One program: the folder in gomod/ that pins it, the package that is its main, linker variables."""

    program: str
    module: str
    package: str
    variables: tuple[str, ...] = ()


#: What `--version` tells, and what clients call themselves in `User-Agent`.
_VERSION = tuple(
    f"k8s.io/{package}/version.gitVersion=v{pins.KUBERNETES_VERSION}" for package in ("component-base", "client-go/pkg")
)

BUILDS = (
    Build("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Build("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", _VERSION),
    Build("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", _VERSION),
)


def _modules() -> Traversable:
    return resources.files(__package__) / "gomod"


def digest() -> str:
    """A short name for exactly what would be built: changes with any pinned module."""
    whole = hashlib.sha256(repr(BUILDS).encode())
    for module in ("etcd", "kubernetes"):
        for name in ("go.mod", "go.sum"):
            whole.update((_modules() / module / name).read_bytes())
    return whole.hexdigest()[:12]


def build(destination: Path, progress: Progress, env: Mapping[str, str]) -> None:
    """Builds the programs into the folder `destination`.

    Raises:
        BuildError: There is no Go, or a build failed; the message has the end of what Go said.
    """
    go = shutil.which("go", path=env.get("PATH"))
    if go is None:
        raise BuildError("there is no `go` on PATH (Go 1.26 or newer builds the control plane: https://go.dev/dl/)")
    progress.say(
        f"building etcd {pins.ETCD_VERSION} and Kubernetes {pins.KUBERNETES_VERSION} from source:"
        " about 7 minutes on 2 cores, once; the result is kept in the cache"
    )
    for number, one in enumerate(BUILDS, start=1):
        with progress.step(f"go build {one.program} ({number} of {len(BUILDS)})"):
            _build(go, one, destination, env)


def _build(go: str, one: Build, destination: Path, env: Mapping[str, str]) -> None:
    # A copy: Go may touch the folder of a main module, and that of an installed package can be read-only.
    source = destination / f".src-{one.module}"
    source.mkdir(exist_ok=True)
    for name in ("go.mod", "go.sum"):
        (source / name).write_bytes((_modules() / one.module / name).read_bytes())
    flags = " ".join(["-s", "-w", *(f"-X {variable}" for variable in one.variables)])
    command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", flags]
    output = str(destination / one.program)
    # GOWORK off: a workspace file above the cache folder would take the pins' place.
    environment = {**os.environ, **env, "CGO_ENABLED": "0", "GOWORK": "off"}
    done = subprocess.run(
        [*command, "-o", output, one.package],
        cwd=source,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise BuildError(f"go build {one.package} ended with {done.returncode}:\n{tail}")
