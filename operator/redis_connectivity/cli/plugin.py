"""`kubectl redisconnectivity …`: the commands for people, against kubectl's current context."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from redis_connectivity.cli import connectivitytest, diagnose, plan, probe, report, verify, watch
from redis_connectivity.settings import ENV_PREFIX

__all__ = ["app", "main"]

app = typer.Typer(
    name="kubectl redisconnectivity",
    help="Cloud Run → VPC connector → Redis: what would change, what is broken, and how it is now.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("plan")(plan.plan)
app.command("verify")(verify.verify)
app.command("diagnose")(diagnose.diagnose)
app.command("probe")(probe.probe)
app.command("report")(report.report)
app.command("connectivity-test")(connectivitytest.connectivity_test)
app.command("watch")(watch.watch)


def main() -> None:
    """Entry point of `kubectl-redisconnectivity`, which kubectl finds on PATH."""
    # As kubectl does: $KUBECONFIG, else ~/.kube/config. Where there is neither, the command itself says so.
    own = f"{ENV_PREFIX}KUBECONFIG"
    if own not in os.environ:
        file = Path(os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or Path.home() / ".kube" / "config")
        if file.exists():
            os.environ[own] = str(file)
    app(prog_name="kubectl redisconnectivity")
