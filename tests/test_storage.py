"""Storage as a group uses it: pushed here, pulled elsewhere, nothing computed twice.

Real DVC under the storage settings that this repository commits, a real server of the S3 protocol,
and a miniature in place of the studies.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest
from miniature import (
    BUCKET,
    KEY,
    N_FILES,
    SECRET,
    Project,
    Server,
    committed_run,
    is_whole,
    miniature,
    objects,
    s3_settings,
    served,
    until,
)

from tuneprobe.storage import StorageError, held, require_remote

pytestmark = pytest.mark.slow

CHECKSUMS = [("REQUEST", "CALCULATION"), ("RESPONSE", "VALIDATION")]  # of S3: as the Makefile has
ONCE = {"AWS_MAX_ATTEMPTS": "1"}  # the default tries for minutes before it gives up
AFTER_TUNE = ["tune", "probe@plain", "probe@tuned", "collect"]
LAYER = "checkpoints/mini/layer_03.txt"


@pytest.fixture(scope="module")
def trained(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The miniature, run and committed."""
    return committed_run(miniature(root, tmp_path_factory.mktemp("trained")))


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A copy that a test may harm."""
    return trained.copy(tmp_path)


@pytest.fixture(scope="module")
def pushed(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The miniature, pushed into the folder beside it."""
    project = trained.copy(tmp_path_factory.mktemp("pushed"))
    project.ok("push", "--run-cache")
    return project


@pytest.fixture
def shared(pushed: Project, tmp_path: Path) -> Project:
    """A copy of checkout and remote that a test may harm."""
    return pushed.copy(tmp_path)


@pytest.fixture
def server(tmp_path: Path):
    """A running S3 server with one bucket and one key."""
    with served(tmp_path / "s3") as running:
        yield running


@pytest.fixture(scope="module")
def bucket(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an S3 server to which the miniature was pushed."""
    folder = tmp_path_factory.mktemp("bucket")
    project = trained.copy(folder / "pushing")
    with served(folder / "s3") as running:
        for option, value in s3_settings(running).items():
            project.ok("remote", "modify", "--local", "storage", option, value)
        project.ok("push", "--run-cache")
    return folder / "s3"


@pytest.fixture
def full_server(bucket: Path, tmp_path: Path):
    """A running S3 server that has everything."""
    with served(shutil.copytree(bucket, tmp_path / "s3")) as running:
        yield running


def cache(project: Project) -> Path:
    return project.folder / ".dvc" / "cache"


def stored(project: Project, storage: Path, name: str = LAYER) -> Path:
    """The object of an artifact's file in a cache or remote."""
    content = (project.folder / name).read_bytes()
    return next(path for path in objects(storage) if path.read_bytes() == content)


def flip_a_byte(path: Path) -> None:
    """Damage a file as a disk does: neither its size nor its permissions change."""
    mode, content = path.stat().st_mode, bytearray(path.read_bytes())
    content[3] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)


def test_what_is_pushed_to_s3_is_pulled_elsewhere_and_no_stage_runs(
    project: Project, full_server: Server
) -> None:
    clone = project.clone("clone").use_s3(full_server)
    clone.ok("pull", "--run-cache")
    assert clone.ok("repro").ran == []
    assert clone.made() == project.made()
    assert clone.ok("exp", "run", "-n", "faster", "-S", "tune.rate=10").ran == AFTER_TUNE


def test_an_object_above_the_size_that_is_sent_in_parts(project: Project, server: Server) -> None:
    checksums = {f"AWS_{way}_CHECKSUM_{what}": "when_required" for way, what in CHECKSUMS}
    vectors = project.folder / "vectors.bin"
    vectors.write_bytes(os.urandom(60_000_000))
    digest = md5(vectors.read_bytes()).hexdigest()
    project.use_s3(server).ok("add", "vectors.bin")
    project.ok("push", "vectors.bin.dvc", **checksums)
    assert [path.stat().st_size for path in server.objects()] == [60_000_000]
    project.git("add", "vectors.bin.dvc")
    project.git("commit", "--quiet", "--message", "Add vectors")
    clone = project.clone("clone").use_s3(server)
    clone.ok("pull", "vectors.bin.dvc", **checksums)
    assert md5((clone.folder / "vectors.bin").read_bytes()).hexdigest() == digest


def test_keys_stay_out_of_git(project: Project, server: Server) -> None:
    project.use_s3(server)
    project.git("add", "--all")
    tracked = project.run("git", "ls-files").text.split()
    assert ".dvc/config" in tracked
    assert ".dvc/config.local" not in tracked
    text = "".join((project.folder / name).read_text() for name in tracked)
    assert KEY not in text
    assert SECRET not in text


def test_a_directory_beside_the_checkouts_serves_them_without_any_setting(shared: Project) -> None:
    assert len(objects(shared.folder.parent / "tuneprobe-storage")) > N_FILES
    clone = shared.clone("clone")
    assert clone.ok("repro", "--pull", "--allow-missing").ran == []
    assert not (clone.folder / "checkpoints" / "mini").exists()  # nothing needed it
    as_installed = str(Path(sys.executable).parent / "dvc")  # the other tests fork it
    done = clone.run(as_installed, "pull", "--run-cache")
    assert done.code == 0, done.text
    assert clone.ok("repro").ran == []
    assert clone.made() == shared.made()


def test_webdav_serves_too(project: Project, tmp_path: Path) -> None:
    with served(tmp_path / "webdav", "webdav") as server:
        login = {"url": server.url("webdav"), "user": KEY}
        by_password = {**login, "password": SECRET}
        pushed_and_pulled(project, by_password, by_password, {**login, "password": SECRET[::-1]})


def test_ssh_serves_too_by_password_and_by_key(project: Project, tmp_path: Path) -> None:
    known, unknown = (ssh_key(tmp_path / name) for name in ("known", "unknown"))
    with served(tmp_path / "ssh", "sftp", "--authorized-keys", f"{known}.pub") as server:
        login = {"url": server.url("ssh"), "user": KEY}
        by_password, by_key = {**login, "password": SECRET}, {**login, "keyfile": str(known)}
        pushed_and_pulled(project, by_password, by_key, {**login, "keyfile": str(unknown)})


def ssh_key(path: Path) -> Path:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(path)
    key.write_public_key(f"{path}.pub")
    return path


def pushed_and_pulled(
    project: Project, pusher: dict[str, str], puller: dict[str, str], stranger: dict[str, str]
) -> None:
    """Push with one login, pull with another, be refused with a third; then nothing runs."""
    project.use(pusher).ok("push", "--run-cache")
    clone = project.clone("clone")
    assert clone.use(stranger).dvc("pull").code != 0
    clone.use(puller).ok("pull", "--run-cache")
    assert clone.ok("repro").ran == []
    assert clone.made() == project.made()


def test_a_new_probe_pulls_only_what_it_reads(shared: Project) -> None:
    clone = shared.clone("clone")
    params = clone.folder / "params.yaml"
    params.write_text(params.read_text().replace("focus: tuned", "focus: plain"))
    assert clone.ok("repro", "--pull", "--allow-missing").ran == ["collect"]
    pulled = [path.name for path in (clone.folder / "results").glob("*/*")]
    assert sorted(set(pulled) - {"SHA256SUMS"}) == ["scores.json"]
    assert pulled.count("scores.json") == 2
    assert not (clone.folder / "checkpoints" / "mini").exists()


def test_run_records_restore_a_run_whose_lock_is_lost(shared: Project) -> None:
    clone = shared.clone("clone")
    clone.ok("pull", "--run-cache", "data")
    (clone.folder / "dvc.lock").unlink()
    assert clone.ok("repro", "--pull").ran == []
    assert clone.made() == shared.made()


def test_another_project_gets_and_imports_artifacts(shared: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other", tmp_path / "other-home")
    for made in (other.folder, other.home):
        made.mkdir()
    other.git("init", "--quiet")
    other.ok("init", "--quiet")
    source = str(shared.folder)
    other.ok("get", source, "checkpoints/mini", "--out", "got")
    other.ok("import", source, "checkpoints/mini", "--out", "imported")
    for name in ("got", "imported"):
        assert (other.folder / name / Path(LAYER).name).read_bytes() == shared.made()[LAYER]
    assert "rev_lock" in (other.folder / "imported.dvc").read_text()


def test_a_wrong_key_is_refused_in_a_sentence(project: Project, server: Server) -> None:
    refused = project.use_s3(server, secret="wrong").dvc("push", **ONCE)
    assert refused.code != 0
    assert "Forbidden" in refused.text
    assert "Traceback" not in refused.text
    assert server.objects() == []


def test_a_push_that_the_server_cut_off_is_completed_by_the_next(
    project: Project, server: Server
) -> None:
    push = project.use_s3(server).start("dvc", "push", "--jobs", "1", **ONCE)
    until(lambda: len(server.objects()) >= 5, "nothing was pushed")
    server.kill()
    push.communicate(timeout=60)
    assert push.returncode != 0
    assert len(server.objects()) < N_FILES
    server.start()
    project.ok("push")
    assert all(map(is_whole, server.objects()))
    clone = project.clone("clone").use_s3(server)
    clone.ok("pull")
    assert clone.made() == project.made()


def test_a_pull_that_the_server_cut_off_is_completed_by_the_next(
    project: Project, full_server: Server
) -> None:
    clone = project.clone("clone").use_s3(full_server)
    pull = clone.start("dvc", "pull", "--jobs", "1", **ONCE)
    until(lambda: len(objects(cache(clone))) >= 5, "nothing was pulled")
    full_server.kill()
    pull.communicate(timeout=60)
    assert pull.returncode != 0
    assert all(map(is_whole, objects(cache(clone))))
    full_server.start()
    clone.ok("pull")
    assert clone.made() == project.made()


def test_a_byte_that_flips_in_the_bucket_is_refused_named_and_repaired(
    project: Project, full_server: Server
) -> None:
    project.use_s3(full_server)
    damaged = stored(project, full_server.folder / BUCKET / "miniature")
    flip_a_byte(damaged)
    time.sleep(0.3)  # the server looks at its folder five times a second
    clone = project.clone("clone").use_s3(full_server)
    refused = clone.dvc("pull")
    assert refused.code != 0
    assert not (clone.folder / LAYER).exists()
    assert "up to date" in project.ok("push").text  # DVC alone neither sees nor mends it
    found = project.run("tuneprobe", "check", "--remote", "storage")
    assert found.code == 2
    assert f"{damaged.parent.name}/{damaged.name} ({LAYER})" in found.text
    assert project.run("tuneprobe", "check", "--remote", "storage", "--remove").code == 0
    time.sleep(0.3)
    project.ok("push")
    assert is_whole(damaged)
    clone.ok("pull")
    assert clone.made() == project.made()


def test_a_byte_that_flips_in_the_cache_is_named_and_repaired(shared: Project) -> None:
    made = shared.made()
    damaged = stored(shared, cache(shared))
    flip_a_byte(damaged)
    (shared.folder / LAYER).unlink()
    shared.ok("checkout")
    assert shared.made() != made
    assert "up to date" in shared.ok("status").text  # DVC trusts a read-only object
    found = shared.run("tuneprobe", "check")
    assert found.code == 2
    assert f"{damaged} ({LAYER})" in found.text
    assert f"{shared.folder / LAYER} ({LAYER})" in found.text
    assert shared.run("tuneprobe", "check", "--remove").code == 0
    shared.ok("pull")
    assert shared.made() == made
    assert is_whole(damaged)


def test_check_leaves_a_file_that_someone_edited(project: Project) -> None:
    edited = project.folder / LAYER
    edited.unlink()
    edited.write_text("edited")
    assert project.run("tuneprobe", "check", "--remove").text == "nothing is damaged\n"
    assert edited.read_text() == "edited"


def test_check_says_how_many_artifacts_are_here(project: Project) -> None:
    shutil.rmtree(project.folder / "examples")
    assert project.run("tuneprobe", "check").text == "nothing is damaged\n"  # it is in the cache
    for name in ("checkpoints", "results", "data"):
        shutil.rmtree(project.folder / name)
    shutil.rmtree(cache(project))
    none = project.run("tuneprobe", "check")
    assert none.code == 1
    assert re.match(r"0 of \d+ artifacts are here: 'make recorded' brings", none.text)


def test_a_remote_folder_that_is_missing_is_one_line(project: Project) -> None:
    project.ok("remote", "modify", "--local", "storage", "url", "../nowhere")
    for words in (["pull"], ["check", "--remote", "storage"]):
        done = project.run("tuneprobe", *words)
        assert done.code == 2
        (line,) = done.text.splitlines()
        assert line.startswith("error: the remote 'storage' (")
        assert "nowhere" in line
        assert "is not there or holds nothing: run 'dvc push'" in line


def test_pull_is_that_of_dvc_where_the_remote_is_there(shared: Project) -> None:
    clone = shared.clone("clone")
    assert clone.run("tuneprobe", "pull").code == 0
    assert clone.made() == shared.made()


def test_a_remote_of_some_artifacts_brings_those(project: Project) -> None:
    project.ok("remote", "add", "few", str(project.folder.parent / "few"))
    project.ok("push", "--remote", "few", "results/plain")
    project.git("commit", "--quiet", "--all", "--message", "Add a remote")
    clone = project.clone("clone")
    done = clone.run("tuneprobe", "pull", "--remote", "few")
    assert done.code == 0
    assert "1 of 5 artifacts are here; 'dvc repro' computes the other 4\n" in done.text
    assert not (clone.folder / "results" / "tuned").exists()
    assert (clone.folder / "results" / "plain" / "scores.json").is_file()
    project.ok("remote", "add", "other", str(project.folder.parent / "other"))
    (project.folder / "unknown").write_text("of no commit")
    project.ok("add", "--quiet", "unknown")
    project.ok("push", "--remote", "other", "unknown")
    shutil.copy(project.folder / ".dvc" / "config", clone.folder / ".dvc" / "config")
    none = clone.run("tuneprobe", "pull", "--remote", "other")
    assert none.code == 2
    assert "holds none of the 5 artifacts of this commit" in none.text


def test_check_says_when_storage_cannot_be_reached(project: Project, server: Server) -> None:
    project.use_s3(server)
    server.kill()
    for remote in ("storage", "storaeg"):
        done = project.run("tuneprobe", "check", "--remote", remote, **ONCE)
        assert done.code == 2
        assert [line for line in done.text.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in done.text


def test_a_run_killed_in_every_stage_and_run_again_gives_the_same_bytes(
    project: Project, tmp_path: Path
) -> None:
    made, orphans = project.made(), {}
    for name in ("examples", "checkpoints", "results", "metrics", ".dvc/cache"):
        shutil.rmtree(project.folder / name)
    (project.folder / "dvc.lock").unlink()
    for stage in ("prepare", "tune", "probe", "collect"):
        signals = tmp_path / stage
        signals.mkdir()
        run = start_and_wait_in(stage, project, signals, "--no-run-cache")
        run.send_signal(signal.SIGKILL)
        run.wait()
        orphans[signals] = int((signals / "waits").read_text())
    for orphan in orphans.values():
        os.kill(orphan, 0)  # the stage outlives its DVC, and has half an artifact
    project.ok("repro")
    assert project.made() == made
    for signals, orphan in orphans.items():
        (signals / "go").touch()
        until(lambda process=Path(f"/proc/{orphan}"): not process.exists(), "the stage still runs")
    assert project.made() == made
    assert list(project.folder.rglob(".*.part")) == []


def test_a_second_run_names_the_first_and_leaves_it_alone(project: Project, tmp_path: Path) -> None:
    made = project.made()
    first = start_and_wait_in("tune", project, tmp_path, "--force", "--no-run-cache")
    second = project.dvc("repro", "--force")
    assert second.code != 0
    assert "is busy" in second.text
    assert f"PID {first.pid}" in second.text
    (tmp_path / "go").touch()
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert project.made() == made


def start_and_wait_in(stage: str, project: Project, signals: Path, *options: str):
    """Start a run; return once `stage` has half its output."""
    settings = {"MINIATURE_WAIT_IN": stage, "MINIATURE_SIGNALS": str(signals)}
    run = project.start("dvc", "repro", *options, **settings)
    until((signals / "waits").exists, f"{stage} did not start")
    return run


def test_a_recorded_run_holds_its_results_alone_and_refuses_others(project: Project) -> None:
    other = project.folder / "recorded" / "files" / "md5" / "ab" / ("c" * 30)
    other.parent.mkdir(parents=True)
    other.write_text("of an earlier run")
    done = project.run("tuneprobe", "record")
    assert (done.code, done.text[:26]) == (0, "recorded/ holds 2 artifact"), done.text
    assert not other.exists()
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "Record")
    clone = project.clone("clone")
    assert "2 of 5 artifacts" in clone.run("tuneprobe", "pull", "--remote", "recorded").text
    made = project.made().items()
    results = {name: content for name, content in made if name.startswith("results/")}
    assert {n: c for n, c in clone.made().items() if n != "metrics/summary.json"} == results

    scores = project.folder / "results" / "plain" / "scores.json"
    scores.unlink()
    scores.write_text("edited")
    refused = project.run("tuneprobe", "record")
    assert refused.code == 2
    assert "1 of 2 results and pages here are not what dvc.lock has (results/plain" in refused.text


class FewNames:
    """The file system of a remote: what is there, and no list of all objects."""

    def __init__(self, there: set[str]) -> None:
        self.there = there

    def exists(self, path: str) -> bool:
        return path == "remote" or path in self.there

    def ls(self, path: str, detail: bool) -> Iterator[str]:
        assert not detail
        return iter({f"{path}/{name[:2]}" for name in self.there})

    def relpath(self, path: str, _root: str) -> str:
        return path

    def unstrip_protocol(self, path: str) -> str:
        return path

    def find(self, _path: str) -> None:
        raise AssertionError("a server may read each object to list it")


def made_up(there: set[str], stages: dict[str, dict[str, str]]) -> Any:
    """A repository of stages with the MD5 of their outputs, and a remote that has some of them."""
    fs = FewNames(there)
    odb = SimpleNamespace(fs=fs, path="remote", oid_to_path=lambda oid: oid)

    class Out(SimpleNamespace):
        __hash__ = object.__hash__

    outs = [
        Out(
            stage=SimpleNamespace(addressing=name),
            fs_path=path,
            use_cache=True,
            hash_info=SimpleNamespace(value=oid),
        )
        for name, made in stages.items()
        for path, oid in made.items()
    ]
    cloud = SimpleNamespace(get_remote_odb=lambda _: odb)
    index = SimpleNamespace(outs=outs)
    config = {"core": {"remote": "storage"}}
    return SimpleNamespace(cloud=cloud, index=index, config=config, fs=fs, root_dir="")


STAGES = {
    "probe@one": {"results/one": "aa1"},
    "probe@two": {"results/two": "bb2"},
    "report": {"report/index.html": "cc3", "report/figures": "dd4"},
    "tune@one": {"checkpoints/one": "ee5"},
}


@pytest.mark.parametrize(
    ("there", "targets"),
    [
        ({"aa1", "bb2", "cc3", "dd4", "ee5"}, []),
        ({"aa1", "bb2", "cc3"}, ["report/index.html", "probe"]),
        ({"bb2"}, ["results/two"]),
    ],
)
def test_few_targets_are_given_to_dvc_each_of_which_costs_seconds(
    there: set[str], targets: list[str]
) -> None:
    repo = made_up(there, STAGES)
    assert require_remote(repo, None) == "storage"
    found = held(repo, "storage")
    assert (found.there, found.of, found.targets) == (len(there), 5, targets)


def test_a_remote_without_objects_or_whose_package_is_absent_is_a_sentence() -> None:
    repo = made_up(set(), STAGES)
    with pytest.raises(StorageError, match="is not there or holds nothing"):
        require_remote(repo, None)

    def absent(_: str) -> None:
        raise ImportError("webdav is supported, but requires 'dvc-webdav' to be installed")

    repo.cloud.get_remote_odb = absent
    with pytest.raises(StorageError, match=r"'dvc-webdav' to be installed \(pip install -e"):
        require_remote(repo, None)


def test_make_remote_forgets_what_an_earlier_address_had(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "Makefile", tmp_path)
    shutil.copytree(root / ".dvc", tmp_path / ".dvc", ignore=lambda *_: ["cache", "tmp", "plots"])
    local = tmp_path / ".dvc" / "config.local"
    local.write_text(
        "[cache]\n    dir = elsewhere\n['remote \"storage\"']\n    url = s3://bucket\n"
        "    endpointurl = http://127.0.0.1:1\n"
    )
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    installed = tmp_path / "env" / ".installed"
    (installed.parent / "bin").mkdir(parents=True)
    (installed.parent / "bin" / "dvc").symlink_to(Path(sys.executable).parent / "dvc")
    make = [
        "make",
        "-o",
        str(installed),
        "remote",
        f"VENV={installed.parent}",
        "URL=webdav://host/group",
    ]
    done = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "needs pip install -e '.[webdav]'" in done.stdout
    assert "url = webdav://host/group" in local.read_text()
    assert "endpointurl" not in local.read_text()
    assert "dir = elsewhere" in local.read_text()
