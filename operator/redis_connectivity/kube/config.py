"""Where the Kubernetes API is and who we are there: a kubeconfig's context, or the pod's own service account."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import yaml
from lightkube import KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

__all__ = ["KubeConfigError", "load_config"]

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeConfigError(Exception):
    """The kubeconfig is missing or unusable; the message says what to do."""


def load_config(kubeconfig: Path | None, context: str | None) -> SingleConfig:
    """The API server to speak to.

    A given kubeconfig comes first, then the pod's service account, then $KUBECONFIG, then ~/.kube/config.

    Raises:
        KubeConfigError: none of them is usable.
    """
    try:
        if kubeconfig is None and context is None and (_SERVICE_ACCOUNT / "token").exists():
            return _single(KubeConfig.from_service_account(), None)
        given = kubeconfig or Path(os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)[0])
        return _single(KubeConfig.from_file(given), context)
    except (ConfigError, KeyError, TypeError, ValueError, AttributeError, OSError, yaml.YAMLError) as error:
        where = f"kubeconfig {kubeconfig}" if kubeconfig else "the kubeconfig"
        chosen = f" with context {context}" if context else ""
        problem = " ".join(str(error).split())
        if isinstance(error, KeyError):
            problem = f"it has no {error}"
        elif isinstance(error, AttributeError | TypeError):
            problem = "it is not a kubeconfig"
        raise KubeConfigError(
            f"cannot use {where}{chosen}: {problem}. Give one by --kubeconfig (and --context), or run in a pod."
        ) from error


def _single(config: KubeConfig, context: str | None) -> SingleConfig:
    single = config.get(context)
    if single is None:
        raise ConfigError("no current context is set")
    return single
