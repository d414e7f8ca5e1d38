"""Where the control plane's programs come from: the order of the ways, and that a bad download is never used."""

import fcntl
import io
import re
import threading
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import pytest
from rich.console import Console

from redis_connectivity_lab.controlplane import binaries, download, gobuild, pins
from redis_connectivity_lab.controlplane.binaries import BinariesError, find
from redis_connectivity_lab.controlplane.progress import Progress
from support.archives import archive, serving

OFFICIAL = f"/envtest-v{pins.ARCHIVE_VERSION}/envtest-v{pins.ARCHIVE_VERSION}-{pins.platform_key()}.tar.gz"


def programs_in(folder: Path, version: str = "v1.37.2") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for program in pins.PROGRAMS:
        (folder / program).write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        (folder / program).chmod(0o755)
    return folder


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(told: io.StringIO) -> Progress:
    return Progress(Console(file=told, width=500), heartbeat=0.01)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An empty machine: nothing on PATH, nothing cached, no archive, no Go."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache"), binaries.URL_VARIABLE: "none"}


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small archive that carries the pinned checksum."""
    content, checksum = archive()
    monkeypatch.setitem(pins.ARCHIVE_CHECKSUMS, pins.platform_key(), checksum)
    return content


def cached(env: Mapping[str, str]) -> list[str]:
    return sorted(path.name for path in binaries.cache_folder(env).iterdir() if path.name != "lock")


def test_the_assets_folder_comes_first(env: dict[str, str], tmp_path: Path) -> None:
    programs_in(tmp_path / "bin")
    env[binaries.ASSETS_VARIABLE] = str(programs_in(tmp_path / "assets"))
    found = find(env)
    assert found.etcd == tmp_path / "assets" / "etcd"
    assert found.kube_apiserver == tmp_path / "assets" / "kube-apiserver"
    assert found.kubectl == tmp_path / "assets" / "kubectl"


def test_an_assets_folder_without_them_is_an_error_and_not_a_hint(env: dict[str, str], tmp_path: Path) -> None:
    programs_in(tmp_path / "bin")
    (programs_in(tmp_path / "assets") / "etcd").unlink()
    env[binaries.ASSETS_VARIABLE] = str(tmp_path / "assets")
    with pytest.raises(BinariesError, match=r"KUBEBUILDER_ASSETS is .*assets, which lacks one of etcd"):
        find(env)


def test_path_comes_before_the_cache(env: dict[str, str], tmp_path: Path) -> None:
    programs_in(binaries.cache_folder(env) / binaries._archived())
    programs_in(tmp_path / "bin")
    assert find(env).source == f"PATH ({tmp_path / 'bin'})"


def test_a_lone_kubectl_on_path_does_not_count(env: dict[str, str], tmp_path: Path) -> None:
    programs_in(tmp_path / "bin")
    (tmp_path / "bin" / "etcd").unlink()
    programs_in(binaries.cache_folder(env) / binaries._archived())
    assert find(env).source.startswith("the cache")


@pytest.mark.parametrize("version", ["v1.31.9", "v0.0.0", "nonsense"])
def test_an_old_server_on_path_does_not_count(env: dict[str, str], tmp_path: Path, version: str) -> None:
    programs_in(tmp_path / "bin", version)
    with pytest.raises(BinariesError, match=r"PATH: kube-apiserver is .*, needed is 1\.32"):
        find(env)


def test_what_was_built_comes_before_what_was_downloaded(env: dict[str, str]) -> None:
    programs_in(binaries.cache_folder(env) / binaries._archived())
    programs_in(binaries.cache_folder(env) / binaries._built())
    assert binaries._built() in find(env).source


def test_the_cache_needs_no_network(env: dict[str, str]) -> None:
    programs_in(binaries.cache_folder(env) / binaries._archived())
    with serving({}) as (url, asked):
        find({**env, binaries.URL_VARIABLE: url})
    assert asked == []


def test_the_cache_follows_the_user(tmp_path: Path) -> None:
    assert binaries.cache_folder({"HOME": "/home/ann"}) == Path("/home/ann/.cache/redis-connectivity/controlplane")
    assert binaries.cache_folder({"HOME": "/home/ann", "XDG_CACHE_HOME": str(tmp_path)}).parent.parent == tmp_path


def test_the_official_archive_is_installed_and_found_again(
    env: dict[str, str], progress: Progress, pinned: bytes
) -> None:
    with serving({OFFICIAL: pinned}) as (url, asked):
        env[binaries.URL_VARIABLE] = f"{url}/"
        first = find(env, progress)
        second = find(env, progress)
    assert asked == [OFFICIAL]
    assert first.source.startswith("the official archive")
    assert second.source.startswith("the cache")
    assert first.kubectl == second.kubectl
    assert cached(env) == [binaries._archived()]


def test_a_bad_checksum_is_never_installed(env: dict[str, str], progress: Progress, told: io.StringIO) -> None:
    content, _ = archive()  # not what the pins say
    with serving({OFFICIAL: content}) as (url, _), pytest.raises(BinariesError) as error:
        find({**env, binaries.URL_VARIABLE: url}, progress)
    assert "the official archive:" in str(error.value)
    assert "is not used: its SHA-512 is" in str(error.value)
    assert "is not used: its SHA-512 is" in told.getvalue()
    assert "go build: there is no `go` on PATH" in str(error.value)
    assert "PATH: no etcd, kube-apiserver, kubectl" in str(error.value)
    assert cached(env) == []


def test_a_failing_download_goes_on_to_the_build(
    env: dict[str, str], progress: Progress, told: io.StringIO, tmp_path: Path
) -> None:
    go = tmp_path / "bin" / "go"  # writes what it is told to build, as go does
    go.write_text(
        "#!/bin/sh\n"
        'test "$CGO_ENABLED $GOWORK" = "0 off" && test -s go.sum || exit 9\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'echo "#!/bin/sh" > "$2"; /bin/chmod 755 "$2"\n'
    )
    go.chmod(0o755)
    with serving({}) as (url, _):
        found = find({**env, binaries.URL_VARIABLE: url}, progress)
    assert found.source.startswith("go build")
    assert "404" in told.getvalue()
    assert "go build kube-apiserver (2 of 3)" in told.getvalue() or "building etcd" in told.getvalue()
    assert cached(env) == [binaries._built()]
    assert sorted(path.name for path in found.etcd.parent.iterdir()) == sorted(pins.PROGRAMS)


def test_a_failing_build_tells_what_go_said_and_leaves_nothing(
    env: dict[str, str], progress: Progress, tmp_path: Path
) -> None:
    go = tmp_path / "bin" / "go"
    go.write_text("#!/bin/sh\necho 'go: go.mod requires go >= 1.26.0' >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(BinariesError, match=r"ended with 1:\ngo: go.mod requires go >= 1\.26\.0"):
        find(env, progress)
    assert cached(env) == []


def test_nobody_listening_falls_through_with_a_reason(env: dict[str, str], progress: Progress) -> None:
    with serving({}) as (url, _):
        pass
    with pytest.raises(BinariesError, match=r"cannot be fetched: .*[Cc]onnection refused"):
        find({**env, binaries.URL_VARIABLE: url}, progress)


def test_leftovers_of_a_killed_process_are_removed(env: dict[str, str], progress: Progress, pinned: bytes) -> None:
    programs_in(binaries.cache_folder(env) / ".unfinished-abc")
    (binaries.cache_folder(env) / binaries._archived()).mkdir()  # there, but incomplete
    with serving({OFFICIAL: pinned}) as (url, _):
        find({**env, binaries.URL_VARIABLE: url}, progress)
    assert cached(env) == [binaries._archived()]


def test_two_at_once_make_it_once(env: dict[str, str], progress: Progress, pinned: bytes) -> None:
    cache = binaries.cache_folder(env)
    cache.mkdir(parents=True)
    results: list[str] = []
    with serving({OFFICIAL: pinned}) as (url, asked):
        env[binaries.URL_VARIABLE] = url
        threads = [threading.Thread(target=lambda: results.append(find(env, progress).source)) for _ in range(4)]
        with (cache / "lock").open("w") as lock:  # all four pile up behind it
            fcntl.flock(lock, fcntl.LOCK_EX)
            for thread in threads:
                thread.start()
        for thread in threads:
            thread.join()
    assert asked == [OFFICIAL]
    assert len(results) == 4


def test_an_archive_that_lacks_a_program_is_refused(tmp_path: Path, progress: Progress) -> None:
    content, checksum = archive(("etcd", "kubectl"))
    (tmp_path / "out").mkdir()
    with serving({"/a": content}) as (url, _), pytest.raises(download.DownloadError, match="lacks kube-apiserver"):
        download.fetch(download.Archive(f"{url}/a", checksum), tmp_path / "out", progress)


def test_an_archive_cannot_choose_where_to_write(tmp_path: Path, progress: Progress) -> None:
    content, checksum = archive(extra=("../../evil", "/abs/evil"))
    (tmp_path / "deep" / "out").mkdir(parents=True)
    with serving({"/a": content}) as (url, _):
        download.fetch(download.Archive(f"{url}/a", checksum), tmp_path / "deep" / "out", progress)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(pins.PROGRAMS)


def test_no_archive_for_an_unknown_platform() -> None:
    with pytest.raises(download.DownloadError, match="no official archive for plan9-mips"):
        download.Archive.official("https://example.invalid", "plan9-mips")


def test_the_pins_and_the_go_modules_agree() -> None:
    modules = resources.files(gobuild.__name__.rpartition(".")[0]) / "gomod"
    kubernetes = (modules / "kubernetes" / "go.mod").read_text()
    etcd = (modules / "etcd" / "go.mod").read_text()
    assert re.findall(r"k8s\.io/kubernetes (v\S+)", kubernetes) == [f"v{pins.KUBERNETES_VERSION}"]
    assert re.findall(r"go\.etcd\.io/etcd/server/v3 (v\S+)", etcd) == [f"v{pins.ETCD_VERSION}"]
    staging = set(re.findall(r"=> k8s\.io/\S+ (v\S+)", kubernetes))
    assert staging == {f"v0.{pins.KUBERNETES_VERSION.partition('.')[2]}"}
    assert all((modules / name / "go.sum").read_text().count(" h1:") > 50 for name in ("etcd", "kubernetes"))


def test_progress_shows_life_where_there_is_no_terminal(told: io.StringIO) -> None:
    progress = Progress(Console(file=told, width=200), heartbeat=0.01)
    release = threading.Event()

    class Watched(io.StringIO):
        def write(self, text: str) -> int:
            if "so far" in text:
                release.set()
            return told.write(text)

    with Progress(Console(file=Watched(), width=200), heartbeat=0.01).step("building [x]"):
        assert release.wait(10)
    assert "building [x] (" in told.getvalue()
    with pytest.raises(ValueError, match="boom"), progress.step("other"):
        raise ValueError("boom")
    assert "other: failed after 0 s" in told.getvalue()
