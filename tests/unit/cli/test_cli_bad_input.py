"""What people mistype on the command line: exit code 1 or 2, one sentence that names the culprit, never a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from redis_connectivity.cli.main import app
from redis_connectivity.cli.run import load_settings

RESOURCE = {
    "apiVersion": "redisconnectivity.io/v1alpha1",
    "kind": "RedisConnectivity",
    "metadata": {"name": "chat", "namespace": "staging"},
    "spec": {
        "environment": "staging",
        "projectId": "acme-staging",
        "region": "us-central1",
        "connector": {"ipCidrRange": "10.2.0.0/28"},
        "redis": {"memorystore": {"instance": "chat-cache"}},
    },
}
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "lab", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
    "current-context": "lab",
}
FILES: Mapping[str, bytes] = {
    "good.yaml": yaml.safe_dump(RESOURCE).encode(),
    "wide.yaml": yaml.safe_dump(RESOURCE).replace("/28", "/24").encode(),
    "two-faults.yaml": yaml.safe_dump(RESOURCE).replace("/28", "/24").replace("us-central1", "us").encode(),
    "unknown-field.yaml": yaml.safe_dump(RESOURCE).replace("instance:", "instanz:").encode(),
    "other-version.yaml": yaml.safe_dump({**RESOURCE, "apiVersion": "redisconnectivity.io/v9"}).encode(),
    "no-name.yaml": yaml.safe_dump({**RESOURCE, "metadata": {}}).encode(),
    "text-for-metadata.yaml": yaml.safe_dump({**RESOURCE, "metadata": "chat"}).encode(),
    "list-for-spec.yaml": yaml.safe_dump({**RESOURCE, "spec": [1]}).encode(),
    "no-spec.yaml": yaml.safe_dump({**RESOURCE, "spec": None}).encode(),
    "second-is-bad.yaml": b"---\n".join([b"", *(yaml.safe_dump(one).encode() for one in (RESOURCE, RESOURCE))]).replace(
        b"instance: chat-cache", b"instance: Chat", 1
    ),
    "pod.yaml": b"kind: Pod\n",
    "empty.yaml": b"",
    "not.yaml": b"a: [b\n",
    "binary.yaml": b"\xff\xfe\x00",
    "evil.yaml": b"!!python/object/apply:os.system ['true']\n",
    "kubeconfig": yaml.safe_dump(KUBECONFIG).encode(),
    "no-current-context": yaml.safe_dump({k: v for k, v in KUBECONFIG.items() if k != "current-context"}).encode(),
    "stale.yaml": b"# an older one\n",
}


@dataclass(frozen=True)
class Case:
    """A command line, perhaps with an environment, and what is to be read. `{folder}` has the files."""

    line: str
    words: tuple[str, ...]
    code: int = 1
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        given = " ".join(f"{key}={value}" for key, value in self.env.items())
        return f"{given} {self.line}".strip().replace("{folder}/", "")


def setting(flag: str, value: str, *words: str, code: int = 1) -> list[Case]:
    """A bad setting, by its flag and by its environment variable; both are told, whichever was used."""
    variable = f"REDIS_CONNECTIVITY_{flag.removeprefix('--').replace('-', '_').upper()}"
    told = (flag, variable, *words)
    return [Case(f"run {flag}={value}", told, code), Case("run", told, code, {variable: value})]


NUMBER = "should be a valid number"
URL = "must be an http or https URL with a host, such as https://compute.googleapis.com"
CASES = [
    # --- plan
    Case("plan", ("Missing argument", "FILE"), code=2),
    Case("plan {folder}/absent.yaml", ("cannot read", "absent.yaml", "No such file")),
    Case("plan {folder}", ("cannot read", "Is a directory")),
    Case("plan {folder}/not.yaml", ("not.yaml is not YAML", "line 1")),
    Case("plan {folder}/binary.yaml", ("binary.yaml is not YAML",)),
    Case("plan {folder}/evil.yaml", ("evil.yaml is not YAML", "could not determine a constructor")),
    Case("plan {folder}/empty.yaml", ("no RedisConnectivity resource in", "empty.yaml")),
    Case("plan {folder}/pod.yaml", ("no RedisConnectivity resource in", "pod.yaml")),
    Case(
        "plan {folder}/other-version.yaml",
        ("(document 1)", "redisconnectivity.io/v9", "this operator knows redisconnectivity.io/v1alpha1"),
    ),
    Case("plan {folder}/no-name.yaml", ("(document 1)", "metadata.name is missing")),
    Case("plan {folder}/text-for-metadata.yaml", ("metadata.name is missing",)),
    Case("plan {folder}/list-for-spec.yaml", ("chat is not valid", "spec: Input should be a valid dictionary")),
    Case("plan {folder}/no-spec.yaml", ("chat is not valid", "spec.environment: Field required")),
    Case("plan {folder}/wide.yaml", ("chat is not valid", "spec.connector.ipCidrRange: 10.2.0.0/24 must be a /28")),
    Case(
        "plan {folder}/two-faults.yaml",
        ("spec.connector.ipCidrRange: 10.2.0.0/24 must be a /28", "spec.region: 'us' must be a region such as"),
    ),
    Case("plan {folder}/unknown-field.yaml", ("spec.redis.memorystore.instanz: Extra inputs are not permitted",)),
    Case("plan {folder}/good.yaml {folder}/pod.yaml {folder}/wide.yaml", ("wide.yaml (document 1)", "must be a /28")),
    Case("plan {folder}/second-is-bad.yaml", ("(document 1)", "spec.redis.memorystore.instance: 'Chat' must be 1 to")),
    Case("plan {folder}/good.yaml --nope", ("No such option: --nope",), code=2),
    Case(
        "plan {folder}/good.yaml --kubeconfig {folder}/absent",
        ("cannot use kubeconfig", "absent", "not found", "--kubeconfig"),
    ),
    Case(
        "plan {folder}/good.yaml --kubeconfig {folder}/kubeconfig --context prod",
        ("with context prod", "'prod' not found", "--context"),
    ),
    Case("plan {folder}/good.yaml --kubeconfig {folder}/kubeconfig", ("the cluster cannot be asked",)),
    Case(
        "plan {folder}/good.yaml",
        ("--compute-endpoint (REDIS_CONNECTIVITY_COMPUTE_ENDPOINT): 'ftp://x'", URL),
        env={"REDIS_CONNECTIVITY_COMPUTE_ENDPOINT": "ftp://x"},
    ),
    Case("plan {folder}/good.yaml -o xml", ("'xml' is not one of 'text', 'json'",), code=2),
    # --- import
    Case("import --region us-central1", ("Missing option '--project'",), code=2),
    Case(
        "import --project acme-staging --region us-central1 --host-project 12345",
        ("--host-project", "must be a project's id"),
        code=2,
    ),
    Case("import --project acme-staging", ("Missing option '--region'",), code=2),
    Case(
        "import --project Acme --region us-central1",
        ("--project", "'Acme' must be a project's id, not its number or title"),
        code=2,
    ),
    Case(
        "import --project acme-staging --region us-central1-a",
        ("--region", "'us-central1-a' must be a region such as us-central1"),
        code=2,
    ),
    Case(
        "import --project acme-staging --region us-central1 --namespace=-x",
        ("--namespace", "'-x' must be a namespace: 1 to 63 characters"),
        code=2,
    ),
    # --- run: settings
    *setting("--poll-interval", "abc", NUMBER, code=2),
    *setting("--poll-interval", "0", "greater than or equal to 0.2"),
    *setting("--poll-interval", "-3", "greater than or equal to 0.2"),
    *setting("--poll-interval", "3601", "less than or equal to 3600"),
    *setting("--resync-interval", "inf", "should be a finite number"),
    *setting("--lease-duration", "nan", "should be a finite number"),
    *setting("--status-heartbeat", "1", "greater than or equal to 30"),
    *setting("--workers", "0", "greater than or equal to 1"),
    *setting("--workers", "1.5", "should be a valid integer", code=2),
    *setting("--workers", "many", "should be a valid integer", code=2),
    *setting("--cloud-threads", "129", "less than or equal to 128"),
    *setting("--compute-read-budget", "0", "greater than or equal to 1"),
    *setting("--health-port", "65536", "less than or equal to 65535"),
    *setting("--health-port", "-1", "greater than or equal to 0"),
    *setting("--health-port", "http", "should be a valid integer", code=2),
    *setting("--log-level", "loud", "'loud' is not one of", "'warning'", code=2),
    *setting("--log-format", "xml", "'xml' is not one of", "'console'", code=2),
    *setting("--credentials", "key", "'key' is not one of 'adc', 'anonymous'", code=2),
    *setting("--compute-endpoint", "compute.example.com", "'compute.example.com'", URL),
    *setting("--vpcaccess-endpoint", "ftp://vpc.example.com", "'ftp://vpc.example.com'", URL),
    *setting("--redis-endpoint", "https://", "'https://'", URL),
    *setting("--namespaces", "staging,My_Team", "'My_Team' must be a namespace"),
    *setting("--namespace", "System", "'System' must be a namespace"),
    Case("run --namespace=", ("--namespace (REDIS_CONNECTIVITY_NAMESPACE): '' must be a namespace",)),
    Case("run --identity=", ("--identity (REDIS_CONNECTIVITY_IDENTITY): String should have at least 1 character",)),
    Case("run --poll-intervall 3", ("No such option: --poll-intervall",), code=2),
    Case("run now", ("unexpected extra argument", "now"), code=2),
    # --- run: the cluster
    Case("run", ("cannot use the kubeconfig", "not found", "--kubeconfig", "run in a pod")),
    Case("run --kubeconfig {folder}/absent", ("cannot use kubeconfig", "absent", "not found", "--kubeconfig")),
    Case("run --kubeconfig {folder}/not.yaml", ("cannot use kubeconfig", "not.yaml", "--kubeconfig")),
    Case("run --kubeconfig {folder}/binary.yaml", ("cannot use kubeconfig", "binary.yaml", "--kubeconfig")),
    Case(
        "run --kubeconfig {folder}/empty.yaml",
        ("cannot use kubeconfig", "empty.yaml: it is not a kubeconfig", "--kubeconfig"),
    ),
    Case("run --kubeconfig {folder}/pod.yaml", ("cannot use kubeconfig", "it has no 'clusters'")),
    Case("run --kubeconfig {folder}/no-current-context", ("cannot use kubeconfig", "context", "--context")),
    Case(
        "run --kubeconfig {folder}/kubeconfig --context prod",
        ("kubeconfig with context prod", "'prod' not found", "--context"),
    ),
    # --- crd
    Case("crd --check {folder}/stale.yaml", ("stale.yaml is stale", "run: redis-connectivity crd --output")),
    Case("crd --check {folder}/binary.yaml", ("binary.yaml is stale", "redis-connectivity crd --output")),
    Case("crd --check {folder}/absent.yaml", ("cannot read", "absent.yaml", "redis-connectivity crd --output")),
    Case("crd --output {folder}/no/such/folder.yaml", ("cannot write", "No such file or directory")),
    # --- prober
    Case("prober --port http", ("--port", "should be a valid integer"), code=2),
    Case("prober --port 65536", ("--port", "PORT", "should be less than or equal to 65535"), code=2),
    Case("prober --port=-1", ("--port", "should be greater than or equal to 0"), code=2),
    Case("prober", ("--port", "PORT", "should be a valid integer"), code=2, env={"PORT": "8080/tcp"}),
    Case("prober", ("--port", "PORT", "should be less than or equal to 65535"), code=2, env={"PORT": "99999"}),
    Case(
        "prober --allow 10.0.0.0/33", ("--allow", "10.0.0.0/33", "is no range", "write one such as 10.0.0.0/8"), code=2
    ),
    Case("prober --allow 10.0.0.1/8", ("--allow", "10.0.0.1/8 has host bits set"), code=2),
    Case("prober --allow everything", ("--allow", "everything", "is no range"), code=2),
    Case("prober --allow 10.0.0.0/8 --allow ::/0", ("--allow", "::/0", "is no range"), code=2),
    # --- nothing of the kind
    Case("rum", ("No such command 'rum'",), code=2),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def plain(text: str) -> str:
    """What was said, without frames and line breaks."""
    return " ".join(re.sub("[╭╮╰╯│─]", " ", text).split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_ends_in_one_clear_sentence(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing of this machine's own may answer in place of what is being tested.
    monkeypatch.setenv("KUBECONFIG", str(folder / "nowhere"))
    monkeypatch.delenv("PORT", raising=False)
    line = [part.replace("{folder}", str(folder)) for part in case.line.split()]

    done = CliRunner().invoke(app, line, env={"TERMINAL_WIDTH": "200", **case.env})

    assert done.exit_code == case.code
    # An exception that nobody caught is a traceback in a terminal.
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.stdout == ""
    for word in case.words:
        assert word.replace("{folder}", str(folder)) in plain(done.stderr)
    assert "Value error" not in done.stderr or case.code == 2


def test_the_same_from_a_shell(folder: Path) -> None:
    command = [sys.executable, "-m", "redis_connectivity", "run", "--kubeconfig", str(folder / "not.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"Error: cannot use kubeconfig {folder}/not.yaml: ")


def test_lists_of_names_are_taken_with_commas_and_spaces() -> None:
    assert load_settings({"namespaces": "staging, production test"}).namespaces == ("staging", "production", "test")


def test_an_empty_endpoint_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # As a template leaves it where nothing was filled in.
    monkeypatch.setenv("REDIS_CONNECTIVITY_COMPUTE_ENDPOINT", "")
    assert load_settings({}).compute_endpoint is None


def test_a_fresh_crd_passes_its_check() -> None:
    fresh = Path(__file__).resolve().parents[3] / "crds" / "redisconnectivities.redisconnectivity.io.yaml"
    assert CliRunner().invoke(app, ["crd", "--check", str(fresh)]).exit_code == 0
