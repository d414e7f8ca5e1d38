"""The tables of docs/permissions.md are those of the files."""

from pathlib import Path

import yaml

from redis_connectivity_lab.shipped import MANIFESTS, google_role

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "permissions.md").read_text(encoding="utf-8")


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose first heading this is."""
    lines = PAGE[PAGE.index(f"| {first} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_google_table_lists_what_the_roles_list() -> None:
    table = rows("permission")
    for column, role in enumerate(("role", "role-read-only", "role-host-project", "role-service-project"), start=1):
        assert {row[0] for row in table if row[column]} == google_role(role)
    assert all(row[5] for row in table)


def test_the_file_table_lists_the_files() -> None:
    shipped = {path.name for path in (MANIFESTS / "gcp").glob("*.yaml")}
    assert {name.strip(" `") for row in rows("file") for name in row[0].split(",")} == shipped


def test_the_kubernetes_table_lists_what_the_rules_list() -> None:
    shipped = set()
    for body in yaml.safe_load_all((MANIFESTS / "base" / "rbac.yaml").read_text(encoding="utf-8")):
        for rule in body.get("rules", ()):
            names = f" ({', '.join(rule['resourceNames'])})" if "resourceNames" in rule else ""
            shipped |= {(", ".join(rule["verbs"]), f"{one}{names}", body["kind"]) for one in rule["resources"]}
    assert {(row[0], row[1], row[2]) for row in rows("verbs")} == shipped
