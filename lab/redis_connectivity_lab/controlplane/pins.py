"""What the lab's control plane is made of: versions, checksums and where the official archive lives."""

from __future__ import annotations

import platform
from typing import Final

__all__ = [
    "ARCHIVE_BASE_URL",
    "ARCHIVE_CHECKSUMS",
    "ARCHIVE_VERSION",
    "ETCD_VERSION",
    "KUBERNETES_VERSION",
    "MINIMUM_KUBERNETES",
    "PROGRAMS",
    "platform_key",
]

#: The programs that make a control plane, and the client that goes with it.
PROGRAMS: Final = ("etcd", "kube-apiserver", "kubectl")

#: What `go build` makes; gomod/*/go.mod and go.sum pin the rest (a test holds them together).
KUBERNETES_VERSION: Final = "1.37.2"
ETCD_VERSION: Final = "3.7.3"

#: The oldest API server on PATH that will do: CEL's CIDR library (1.31), selectable fields of CRDs (1.32).
MINIMUM_KUBERNETES: Final = (1, 32)

#: The archive that Kubernetes' controller-tools publish for tests; they publish SHA-512.
ARCHIVE_VERSION: Final = "1.36.2"
ARCHIVE_BASE_URL: Final = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
ARCHIVE_CHECKSUMS: Final = {
    "darwin-amd64": "b4fe9f973cd1992e3880f8b230ed32c0c243b83371591e3e3315f4404df2cdbe"
    "f8ee94eeb9bb245b7e5feb987d5c4a76c43e0877654ab73f00d7bbc2b9984514",
    "darwin-arm64": "9278f9e5af556b2f1f2d139769c1f0d717c7b4426917fdebdba898bcb725a916"
    "e4910d6160886194ff9be9589ea7c5c32c2b8ae0754703874b7c8ba8ddfc41ce",
    "linux-amd64": "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
    "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08",
    "linux-arm64": "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
    "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac",
}


def platform_key() -> str:
    """This machine in the words of Go and of the archive: `linux-amd64`."""
    machine = platform.machine().lower()
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    return f"{platform.system().lower()}-{names.get(machine, machine)}"
