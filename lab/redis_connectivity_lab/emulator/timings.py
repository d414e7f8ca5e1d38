"""How long Google takes: seconds per kind of operation, changeable while the emulator runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

__all__ = ["Timings"]


@dataclass(slots=True)
class Timings:
    """Seconds from an operation's start to its end.

    The defaults are quick enough to watch. Terraform allows 20 minutes for a connector and minutes are usual; see
    `realistic`. `operation_pending` is how long a Compute operation stays PENDING before it runs: recorded answers
    to an insert are RUNNING already, so it is 0 unless asked for.
    """

    operation_pending: float = 0.0
    firewall: float = 0.5
    network: float = 1.0
    subnetwork: float = 1.0
    connector_create: float = 3.0
    connector_update: float = 2.0
    connector_delete: float = 2.0
    redis_create: float = 3.0
    redis_update: float = 2.0
    redis_delete: float = 2.0
    run_deploy: float = 1.0
    run_delete: float = 0.5
    connectivity_test: float = 1.0
    #: The longest that a container may take to listen (Cloud Run's default startup probe: 240 s).
    run_startup: float = 240.0
    #: The longest that `operations.wait` blocks (Compute API: 2 minutes).
    wait_max: float = 120.0

    @classmethod
    def realistic(cls) -> Timings:
        """About what the real thing takes."""
        return cls(
            operation_pending=0.5,
            firewall=6,
            network=12,
            subnetwork=12,
            connector_create=150,
            connector_update=180,
            connector_delete=90,
            redis_create=300,
            redis_update=240,
            redis_delete=120,
            run_deploy=15,
            run_delete=8,
            connectivity_test=60,
        )

    @classmethod
    def instant(cls) -> Timings:
        """Nothing takes time, but every operation still goes through RUNNING to DONE."""
        return cls(
            firewall=0,
            network=0,
            subnetwork=0,
            connector_create=0,
            connector_update=0,
            connector_delete=0,
            redis_create=0,
            redis_update=0,
            redis_delete=0,
            run_deploy=0,
            run_delete=0,
            connectivity_test=0,
        )

    def update(self, values: dict[str, object]) -> None:
        """Set several at once; all or nothing. Raises ValueError for unknown names and bad values."""
        known = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no timing is named {name!r}; there are {', '.join(sorted(known))}")
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"timing {name} takes a number of seconds >= 0, not {value!r}")
        for name, value in values.items():
            setattr(self, name, value)

    def to_json(self) -> dict[str, float]:
        """All of them by name."""
        return asdict(self)
