"""From the exceptions of Google's Python libraries to the one taxonomy of this package."""

from __future__ import annotations

import google.auth.exceptions
import requests
from google.api_core import exceptions as api_exceptions
from google.protobuf import json_format  # type: ignore[import-untyped]  # ships no annotations

from redis_connectivity.cloud.classify import CallContext, classify
from redis_connectivity.cloud.errors import CloudError, Invalid, Retryable, Unauthenticated

__all__ = ["from_exception", "from_response"]


def from_exception(error: Exception, context: CallContext) -> CloudError | None:
    """The `CloudError` that a library's exception means, or None when it is none of theirs (a bug of ours).

    A `CloudError` passes through, with the call's context filled in where it had none.
    """
    if isinstance(error, CloudError):
        error.project = error.project or context.project
        error.method = error.method or context.method
        error.resource = error.resource or context.resource
        return error
    if isinstance(error, api_exceptions.GoogleAPICallError):
        return _from_api_error(error, context)
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return _from_auth_error(error, context)
    if isinstance(error, requests.exceptions.RequestException):
        return _from_transport_error(error, context)
    if isinstance(error, (json_format.ParseError, UnicodeDecodeError)):
        # A 200 with something else than the API's JSON: a captive proxy, a truncated body.
        return _plain(Retryable, f"the answer could not be read: {error}", "badAnswer", context)
    return None


def from_response(response: requests.Response, context: CallContext) -> CloudError:
    """The error of a plain HTTP answer of 400 or more."""
    return classify(response.status_code, response.content, context, headers=response.headers)


def _from_api_error(error: api_exceptions.GoogleAPICallError, context: CallContext) -> CloudError:
    response = error.response
    if isinstance(response, requests.Response):
        return from_response(response, context)
    body = {"error": {"message": error.message, "errors": error.errors, "details": error.details}}
    return classify(int(error.code or 500), body, context)


def _from_auth_error(error: google.auth.exceptions.GoogleAuthError, context: CallContext) -> CloudError:
    reason = type(error).__name__
    if isinstance(error, google.auth.exceptions.TransportError) or error.retryable:
        return _plain(Retryable, f"no token could be fetched: {error}", reason, context)
    return _plain(Unauthenticated, str(error), reason, context)


def _from_transport_error(error: requests.exceptions.RequestException, context: CallContext) -> CloudError:
    if isinstance(error, requests.exceptions.Timeout):
        return _plain(Retryable, f"no answer in time: {error}", "timeout", context)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return _plain(Invalid, f"the endpoint cannot be used: {error}", "endpoint", context)
    return _plain(Retryable, f"no connection: {error}", "connection", context)


def _plain(kind: type[CloudError], message: str, reason: str, context: CallContext) -> CloudError:
    return kind(
        message,
        project=context.project,
        service=context.service,
        method=context.method,
        resource=context.resource,
        reason=reason,
    )
