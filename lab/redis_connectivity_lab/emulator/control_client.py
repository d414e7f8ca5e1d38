"""A client of the control endpoints, for tests and commands in other processes. Synchronous, standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request

from redis_connectivity_lab.emulator.ids import Json

__all__ = ["ControlClient", "ControlError"]

#: The class has a method named `list`, which hides the type inside it.
Jsons = list[Json]
Bindings = dict[str, list[str]]


class ControlError(Exception):
    """The emulator has refused a control request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class ControlClient:
    """Speaks to `/lab/v1/` of an emulator. A resource is named as in Lab: kind, project, then place and name."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        # The emulator is on this machine; a proxy from the environment has no business in between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, http: str, path: str, body: Json | None = None, **query: object) -> Json:
        """One request; raises ControlError for a refusal and URLError when nobody answers."""
        parts = "/".join(urllib.parse.quote(part, safe="") for part in path.strip("/").split("/"))
        given = {key: value for key, value in query.items() if value is not None}
        url = f"{self.url}/lab/v1/{parts}" + (f"?{urllib.parse.urlencode(given)}" if given else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is the emulator's
            url, data=data, method=http, headers={"Content-Type": "application/json"}
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                answer: Json = json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise ControlError(error.code, _message(text)) from error
        return answer

    def healthy(self) -> bool:
        """Whether the emulator answers."""
        try:
            return bool(self.request("GET", "health")["status"] == "ok")
        except urllib.error.URLError:
            return False

    def project(self, project: str, **settings: object) -> Json:
        """Make a project or change its settings: number, defaultNetwork, aetVisible, disabledApis, missingImages."""
        return self.request("PUT", f"projects/{project}", settings)

    def reset(self, project: str) -> Json:
        """Empty a project."""
        return self.request("POST", f"projects/{project}/reset")

    def remove_project(self, project: str) -> None:
        """Let a project be gone."""
        self.request("DELETE", f"projects/{project}")

    def put(self, kind: str, project: str, /, *key: str, actor: str | None = None, **fields: object) -> Json:
        """Create or replace a resource, e.g. `put("firewalls", "p", "deny-all", network="n", denied=[…])`."""
        return self.request("PUT", f"projects/{project}/{kind}/{'/'.join(key)}", fields, actor=actor)

    def patch(self, kind: str, project: str, /, *key: str, actor: str | None = None, **fields: object) -> Json:
        """Change a resource by JSON merge patch."""
        return self.request("PATCH", f"projects/{project}/{kind}/{'/'.join(key)}", fields, actor=actor)

    def delete(self, kind: str, project: str, /, *key: str, actor: str | None = None) -> None:
        """Remove a resource."""
        self.request("DELETE", f"projects/{project}/{kind}/{'/'.join(key)}", actor=actor)

    def list(self, kind: str, project: str) -> Jsons:
        """The resources of a kind."""
        found: Jsons = self.request("GET", f"projects/{project}/{kind}")[kind]
        return found

    def allow(self, project: str, bindings: Bindings | None) -> None:
        """Set who may do what in a project; None restores what new projects have."""
        if bindings is None:
            self.request("DELETE", f"projects/{project}/iam")
        else:
            self.request("PUT", f"projects/{project}/iam", {"bindings": bindings})

    def quotas(self, project: str, limits: dict[str, int]) -> None:
        """Set a project's limits per minute; an empty object lifts all."""
        self.request("PUT", f"projects/{project}/quotas", dict(limits))

    def tokens(self, tokens: dict[str, str | None]) -> None:
        """Let tokens stand for principals; None takes one away."""
        self.request("PUT", "tokens", dict(tokens))

    def timings(self, **seconds: float) -> Json:
        """Change how long operations take; without arguments, just read it."""
        return self.request("PATCH", "timings", dict(seconds)) if seconds else self.request("GET", "timings")

    def fault(self, method: str, kind: str = "status", **fields: object) -> str:
        """Put a fault in force; answers its id."""
        return str(self.request("POST", "faults", {"method": method, "kind": kind} | fields)["id"])

    def remove_fault(self, fault_id: str) -> None:
        """End a fault."""
        self.request("DELETE", f"faults/{fault_id}")

    def clear_faults(self) -> None:
        """End all faults."""
        self.request("DELETE", "faults")

    def audit(self, **filters: object) -> Jsons:
        """The audit log: method, project, principal, kind are glob patterns, `since` a record's number."""
        found: Jsons = self.request("GET", "audit", None, **filters)["records"]
        return found

    def audit_summary(self, **filters: object) -> Json:
        """Counts of the audit log: `since`, `project`."""
        return self.request("GET", "audit/summary", None, **filters)

    def clear_audit(self) -> None:
        """Forget the audit log."""
        self.request("DELETE", "audit")

    def topology(self) -> Json:
        """The topology as JSON."""
        return self.request("GET", "topology")


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text
