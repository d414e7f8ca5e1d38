"""Where Google's services are reached: their public hosts, or private, restricted or emulated ones."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Endpoints"]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """A base URL per service; None for Google's own.

    Given as `https://host`, `http://host:port` or a bare host (then https). A trailing slash means nothing.
    """

    compute: str | None = None
    vpcaccess: str | None = None
    redis: str | None = None
    redis_cluster: str | None = None
    memorystore: str | None = None
    logging: str | None = None
    run: str | None = None
    iam_credentials: str | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None:
                object.__setattr__(self, item.name, _normalised(item.name, value))


def _normalised(service: str, value: str) -> str | None:
    text = value.strip().rstrip("/")
    if not text:
        return None
    if "://" not in text:
        return f"https://{text}"
    scheme = text.partition("://")[0]
    if scheme not in ("http", "https"):
        msg = f"the {service} endpoint {value!r} must be an http or https URL"
        raise ValueError(msg)
    return text
