"""Storage as a group uses it: pushed here, pulled elsewhere, nothing computed twice.

Real DVC under the storage settings that this repository commits, a real server of the S3 protocol,
and a miniature in place of the studies.
"""

import os
import shutil
import signal
import time
from pathlib import Path

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

pytestmark = pytest.mark.slow

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


@pytest.fixture
def server(tmp_path: Path):
    """A running S3 server with one bucket and one key."""
    with served(tmp_path / "s3") as running:
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
    project: Project, server: Server
) -> None:
    for option, value in s3_settings(server).items():
        project.ok("remote", "modify", "--local", "storage", option, value)
    project.ok("push", "--run-cache")
    clone = project.clone("clone").use_s3(server)
    clone.ok("pull", "--run-cache")
    assert clone.ok("repro").ran == []
    assert clone.made() == project.made()
    assert clone.ok("exp", "run", "-n", "faster", "-S", "tune.rate=10").ran == AFTER_TUNE
    assert clone.ok("exp", "run", "-n", "plain", "-S", "focus=plain").ran == ["collect"]


def test_keys_stay_out_of_git(project: Project, server: Server) -> None:
    project.use_s3(server)
    project.git("add", "--all")
    tracked = project.run("git", "ls-files").text.split()
    assert ".dvc/config" in tracked
    assert ".dvc/config.local" not in tracked
    text = "".join((project.folder / name).read_text() for name in tracked)
    assert KEY not in text
    assert SECRET not in text


def test_a_directory_beside_the_checkouts_serves_them_without_any_setting(project: Project) -> None:
    project.ok("push", "--run-cache")
    assert len(objects(project.folder.parent / "tuneprobe-storage")) > N_FILES
    clone = project.clone("clone")
    assert clone.ok("repro", "--pull", "--allow-missing").ran == []
    assert not (clone.folder / "checkpoints" / "mini").exists()  # nothing needed it
    clone.ok("pull", "--run-cache")
    assert clone.ok("repro").ran == []
    assert clone.made() == project.made()


@pytest.mark.parametrize(("protocol", "scheme"), [("webdav", "webdav"), ("sftp", "ssh")])
def test_webdav_and_ssh_serve_too(
    project: Project, tmp_path: Path, protocol: str, scheme: str
) -> None:
    with served(tmp_path / protocol, protocol) as server:
        address = f"{scheme}://127.0.0.1:{server.port}/{BUCKET}"
        login = {"url": address, "user": KEY, "password": SECRET}
        project.use(login).ok("push", "--run-cache")
        clone = project.clone("clone")
        assert clone.use({**login, "password": SECRET[::-1]}).dvc("pull").code != 0
        clone.use(login).ok("pull", "--run-cache")
        assert clone.ok("repro").ran == []
        assert clone.made() == project.made()


def test_a_new_probe_pulls_only_what_it_reads(project: Project) -> None:
    project.ok("push")
    clone = project.clone("clone")
    params = clone.folder / "params.yaml"
    params.write_text(params.read_text().replace("focus: tuned", "focus: plain"))
    assert clone.ok("repro", "--pull", "--allow-missing").ran == ["collect"]
    assert sorted(path.name for path in (clone.folder / "results").glob("*/*")) == [
        "scores.json",
        "scores.json",
    ]
    assert not (clone.folder / "checkpoints" / "mini").exists()


def test_run_records_restore_a_run_whose_lock_is_lost(project: Project) -> None:
    project.ok("push", "--run-cache")
    clone = project.clone("clone")
    clone.ok("pull", "--run-cache", "data")
    (clone.folder / "dvc.lock").unlink()
    assert clone.ok("repro", "--pull").ran == []
    assert clone.made() == project.made()


def test_another_project_gets_and_imports_artifacts(project: Project, tmp_path: Path) -> None:
    project.ok("push")
    other = Project(tmp_path / "other", tmp_path / "other-home")
    for made in (other.folder, other.home):
        made.mkdir()
    other.git("init", "--quiet")
    other.ok("init", "--quiet")
    source = str(project.folder)
    other.ok("get", source, "checkpoints/mini", "--out", "got")
    other.ok("import", source, "checkpoints/mini", "--out", "imported")
    for name in ("got", "imported"):
        assert (other.folder / name / Path(LAYER).name).read_bytes() == project.made()[LAYER]
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
    project: Project, server: Server
) -> None:
    project.use_s3(server).ok("push")
    clone = project.clone("clone").use_s3(server)
    pull = clone.start("dvc", "pull", "--jobs", "1", **ONCE)
    until(lambda: len(objects(cache(clone))) >= 5, "nothing was pulled")
    server.kill()
    pull.communicate(timeout=60)
    assert pull.returncode != 0
    assert all(map(is_whole, objects(cache(clone))))
    server.start()
    clone.ok("pull")
    assert clone.made() == project.made()


def test_a_byte_that_flips_in_the_bucket_is_refused_named_and_repaired(
    project: Project, server: Server
) -> None:
    project.use_s3(server).ok("push")
    damaged = stored(project, server.folder / BUCKET / "miniature")
    flip_a_byte(damaged)
    time.sleep(1.1)  # the server looks at its folder once a second
    clone = project.clone("clone").use_s3(server)
    refused = clone.dvc("pull")
    assert refused.code != 0
    assert not (clone.folder / LAYER).exists()
    assert "up to date" in project.ok("push").text  # DVC alone neither sees nor mends it
    found = project.run("tuneprobe", "check", "--remote", "storage")
    assert found.code == 2
    assert f"{damaged.parent.name}/{damaged.name} ({LAYER})" in found.text
    assert project.run("tuneprobe", "check", "--remote", "storage", "--remove").code == 0
    time.sleep(1.1)
    project.ok("push")
    assert is_whole(damaged)
    clone.ok("pull")
    assert clone.made() == project.made()


def test_a_byte_that_flips_in_the_cache_is_named_and_repaired(project: Project) -> None:
    project.ok("push")
    made = project.made()
    damaged = stored(project, cache(project))
    flip_a_byte(damaged)
    (project.folder / LAYER).unlink()
    project.ok("checkout")
    assert project.made() != made
    assert "up to date" in project.ok("status").text  # DVC trusts a read-only object
    found = project.run("tuneprobe", "check")
    assert found.code == 2
    assert f"{damaged} ({LAYER})" in found.text
    assert f"{project.folder / LAYER} ({LAYER})" in found.text
    assert project.run("tuneprobe", "check", "--remove").code == 0
    project.ok("pull")
    assert project.made() == made
    assert project.run("tuneprobe", "check").code == 0


def test_check_leaves_a_file_that_someone_edited(project: Project) -> None:
    edited = project.folder / LAYER
    edited.unlink()
    edited.write_text("edited")
    assert project.run("tuneprobe", "check", "--remove").text == "nothing is damaged\n"
    assert edited.read_text() == "edited"


def test_check_says_when_storage_cannot_be_reached(project: Project, server: Server) -> None:
    project.use_s3(server)
    server.kill()
    for remote in ("storage", "storaeg"):
        done = project.run("tuneprobe", "check", "--remote", remote, **ONCE)
        assert done.code == 2
        assert [line for line in done.text.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in done.text


@pytest.mark.parametrize("stage", ["prepare", "tune", "probe", "collect"])
def test_a_run_killed_in_any_stage_and_run_again_gives_the_same_bytes(
    project: Project, tmp_path: Path, stage: str
) -> None:
    made = project.made()
    for name in ("examples", "checkpoints", "results", "metrics"):
        shutil.rmtree(project.folder / name)
    shutil.rmtree(cache(project) / "runs")
    run = start_and_wait_in(stage, project, tmp_path)
    run.send_signal(signal.SIGKILL)
    run.wait()
    orphan = int((tmp_path / "waits").read_text())
    os.kill(orphan, 0)  # the stage outlives its DVC, and has half an artifact
    project.ok("repro")
    assert project.made() == made
    (tmp_path / "go").touch()
    until(lambda: not Path(f"/proc/{orphan}").exists(), "the stage still runs")
    assert project.made() == made
    assert "up to date" in project.ok("status").text
    assert list(project.folder.rglob(".*.part")) == []


def test_a_second_run_names_the_first_and_leaves_it_alone(project: Project, tmp_path: Path) -> None:
    made = project.made()
    first = start_and_wait_in("tune", project, tmp_path)
    second = project.dvc("repro", "--force")
    assert second.code != 0
    assert "is busy" in second.text
    assert f"PID {first.pid}" in second.text
    (tmp_path / "go").touch()
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert project.made() == made


def start_and_wait_in(stage: str, project: Project, signals: Path):
    """Start a run of everything; return once `stage` has half its output."""
    settings = {"MINIATURE_WAIT_IN": stage, "MINIATURE_SIGNALS": str(signals)}
    run = project.start("dvc", "repro", "--force", "--no-run-cache", **settings)
    until((signals / "waits").exists, f"{stage} did not start")
    return run
