"""What Google says about work in progress, as values: Compute's operations and long-running ones."""

from __future__ import annotations

from dataclasses import dataclass

from redis_connectivity.cloud.classify import CallContext, operation_failed
from redis_connectivity.cloud.errors import OperationFailed

__all__ = ["ComputeOperation", "ServiceOperation"]


@dataclass(frozen=True, slots=True)
class ComputeOperation:
    """A global operation of Compute Engine.

    Attributes:
        project: The project it belongs to.
        name: Its name, enough (with the project) to find it again after a restart, for as long as Google
        keeps it.
        status: PENDING, RUNNING or DONE.
        target: The URL of what it works on.
        errors: (code, message) pairs of error.errors[]; empty when it goes or went well.
        http_status: httpErrorStatusCode, when it failed.
    """

    project: str
    name: str
    status: str
    target: str = ""
    errors: tuple[tuple[str, str], ...] = ()
    http_status: int | None = None

    @property
    def done(self) -> bool:
        """True when nothing more will happen, well or not."""
        return self.status == "DONE"

    def failure(self, method: str) -> OperationFailed | None:
        """The error it ended with, if it did."""
        if not self.errors and not self.http_status:
            return None
        code, message = self.errors[0] if self.errors else (f"HTTP_{self.http_status}", "")
        text = "; ".join(part for _, part in self.errors if part) or message
        context = CallContext(self.project, "compute", method, self.target)
        return operation_failed(context, self.name, code, text, status=self.http_status)


@dataclass(frozen=True, slots=True)
class ServiceOperation:
    """A long-running operation (google.longrunning.Operation) of Serverless VPC Access.

    Attributes:
        name: projects/P/locations/R/operations/ID.
        done: True when nothing more will happen, well or not.
        method: The API method that began it, as Google names it (`…VpcAccessService.CreateConnector`).
        target: The full name of what it works on.
        created: RFC 3339 time of its beginning, as given.
        code: The google.rpc.Code it failed with; None when it did not.
        message: Google's words about the failure.
    """

    name: str
    done: bool
    method: str = ""
    target: str = ""
    created: str = ""
    code: int | None = None
    message: str = ""

    @property
    def project(self) -> str:
        """The project in its name, as Google writes it there (an id, or a number)."""
        parts = self.name.split("/")
        return parts[1] if len(parts) > 1 and parts[0] == "projects" else ""

    @property
    def failure(self) -> OperationFailed | None:
        """The error it ended with, if it did."""
        if self.code is None:
            return None
        verb = self.method.rpartition(".")[2] or "operation"
        context = CallContext(self.project, "vpcaccess", verb, self.target)
        return operation_failed(context, self.name, self.code, self.message)
