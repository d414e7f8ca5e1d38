"""The commands and what they have in common."""

from __future__ import annotations

import typer

from redis_connectivity.cli import (
    connectivitytest,
    crd,
    diagnose,
    diagnosispages,
    importing,
    lab,
    plan,
    probe,
    prober,
    report,
    run,
    settingstable,
    verify,
    watch,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="redis-connectivity",
    help="Keeps Cloud Run → VPC connector → Redis open, proves it with real traffic, and names the broken hop.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("prober")(prober.prober)
app.command("crd")(crd.crd)
app.command("plan")(plan.plan)
app.command("verify")(verify.verify)
app.command("import")(importing.import_)
app.command("watch")(watch.watch)
app.command("diagnose")(diagnose.diagnose)
app.command("probe")(probe.probe)
app.command("report")(report.report)
app.command("connectivity-test")(connectivitytest.connectivity_test)
app.command("diagnosis-pages", hidden=True)(diagnosispages.diagnosis_pages)
app.command("settings")(settingstable.settings)
lab.attach(app)


def main() -> None:
    """Entry point of the console script."""
    app()
