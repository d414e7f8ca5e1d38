"""`python -m redis_connectivity_lab.controlplane`: makes the programs ready, says where they are."""

from __future__ import annotations

import sys

from rich.console import Console

from redis_connectivity_lab.controlplane.binaries import BinariesError, find


def main() -> int:
    """Prints the programs' places; 1 when there is no way to them."""
    try:
        found = find()
    except BinariesError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"control plane from {found.source}", markup=False)
    for path in (found.etcd, found.kube_apiserver, found.kubectl):
        out.print(f"  {path}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
