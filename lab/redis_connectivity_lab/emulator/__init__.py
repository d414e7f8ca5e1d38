"""Google Cloud's REST as it is on the wire, as strict as Google, with operations that take time."""

from __future__ import annotations

from redis_connectivity_lab.emulator.control_client import ControlClient, ControlError
from redis_connectivity_lab.emulator.emulator import Emulator
from redis_connectivity_lab.emulator.faults import Fault, FaultKind
from redis_connectivity_lab.emulator.thread import EmulatorThread
from redis_connectivity_lab.emulator.timings import Timings

__all__ = ["ControlClient", "ControlError", "Emulator", "EmulatorThread", "Fault", "FaultKind", "Timings"]
