"""A miniature of the pipeline, DVC in its own process, and a real server of the S3 protocol."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryFile

from forked import Forked

KEY, SECRET, BUCKET = "miniature-key", "miniature-secret", "group"
FORKED = ("dvc", "tuneprobe", "-c")
N_FILES = 24  # of the checkpoint: enough for a transfer to have a middle

PARAMS = """\
focus: tuned
prepare: {words: 5}
tune: {rate: 3}
probe: {scale: 1}
"""

PIPELINE = """\
stages:
  prepare:
    cmd: python -I stages/prepare.py
    deps: [stages/prepare.py, data]
    params: [prepare]
    outs: [examples]
  tune:
    cmd: python -I stages/tune.py
    deps: [stages/tune.py, examples]
    params: [tune]
    outs: [checkpoints/mini]
  probe:
    matrix: {state: [plain, tuned]}
    cmd: python -I stages/probe.py ${item.state}
    deps: [stages/probe.py, examples, checkpoints/mini]
    params: [probe]
    outs: ["results/${item.state}"]
  collect:
    cmd: python -I stages/collect.py
    deps: [stages/collect.py, results/plain, results/tuned]
    params: [focus]
    metrics:
      - metrics/summary.json: {cache: false}
params:
  - params.yaml
artifacts:
  checkpoint:
    path: checkpoints/mini
    type: model
    desc: The tuned encoder
"""

HEADER = """\
import json, os, sys, time
from pathlib import Path
import yaml
from tuneprobe.artifacts import atomic_file, atomic_folder

params = yaml.safe_load(Path("params.yaml").read_text())


def wait_if_told(stage):
    if os.environ.get("MINIATURE_WAIT_IN") == stage:
        signals = Path(os.environ["MINIATURE_SIGNALS"])
        (signals / "about-to").write_text(str(os.getpid()))
        (signals / "about-to").rename(signals / "waits")  # never there without its number
        while not (signals / "go").exists():
            time.sleep(0.01)


"""

SCRIPTS = {
    "prepare": """
words = Path("data/words.txt").read_text().split()[: params["prepare"]["words"]]
with atomic_folder(Path("examples")) as part:
    (part / "half.txt").write_text("half")
    wait_if_told("prepare")
    (part / "words.json").write_text(json.dumps(words))
""",
    "tune": """
words = json.loads(Path("examples/words.json").read_text())
with atomic_folder(Path("checkpoints/mini")) as part:
    for number in range(N_FILES):
        if number == N_FILES // 2:
            wait_if_told("tune")
        weights = [f"{word} {number} {params['tune']['rate']}" for word in words]
        (part / f"layer_{number:02}.txt").write_text("\\n".join(weights))
""".replace("N_FILES", str(N_FILES)),
    "probe": """
state = sys.argv[1]
folder = {"plain": "examples", "tuned": "checkpoints/mini"}[state]
layers = sorted(path for path in Path(folder).iterdir() if path.suffix)
with atomic_folder(Path("results") / state) as part:
    wait_if_told("probe")
    score = sum(layer.stat().st_size for layer in layers) * params["probe"]["scale"]
    (part / "scores.json").write_text(json.dumps({"score": score}))
""",
    "collect": """
scores = json.loads((Path("results") / params["focus"] / "scores.json").read_text())
with atomic_file(Path("metrics/summary.json")) as part:
    part.write_text('{"score": ')
    wait_if_told("collect")
    part.write_text(json.dumps(scores))
""",
}


@dataclass(frozen=True)
class Done:
    """What a command said, and how it ended."""

    code: int
    text: str

    @property
    def ran(self) -> list[str]:
        """Stages that DVC executed."""
        mark = "Running stage '"
        return [line.split("'")[1] for line in self.text.splitlines() if line.startswith(mark)]


@dataclass(frozen=True)
class Project:
    """A checkout of the miniature, with DVC's caches and settings of its own."""

    folder: Path
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DVC_", "GIT_"))}
        for name in ("site", "global", "system"):
            kept[f"DVC_{'SITE_CACHE' if name == 'site' else f'{name.upper()}_CONFIG'}_DIR"] = str(
                self.home / name
            )
        who = {"NAME": "A", "EMAIL": "a@example.org"}
        for role in ("AUTHOR", "COMMITTER"):
            kept |= {f"GIT_{role}_{key}": value for key, value in who.items()}
        bin_folder = str(Path(sys.executable).parent)
        return {
            **kept,
            "DVC_NO_ANALYTICS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "HOME": str(self.home),
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            **more,
        }

    def start(self, *words: str, **more: str) -> Forked:
        return Forked(words, self.folder, self.environment(**more))

    def run(self, *words: str, **more: str) -> Done:
        """A command to its end; what it leaves in the background is not waited for."""
        if words[0] in FORKED:
            running = self.start(*words, **more)
            said = "".join(running.communicate(timeout=120))
            return Done(running.wait(), said)
        settings = {"cwd": self.folder, "env": self.environment(**more), "timeout": 120}
        with TemporaryFile("w+") as said:
            done = subprocess.run(words, stdout=said, stderr=subprocess.STDOUT, **settings)
            said.seek(0)
            return Done(done.returncode, said.read())

    def dvc(self, *words: str, **more: str) -> Done:
        return self.run("dvc", *words, **more)

    def ok(self, *words: str, **more: str) -> Done:
        """A DVC command that must succeed."""
        done = self.dvc(*words, **more)
        assert done.code == 0, f"dvc {' '.join(words)} ended with {done.code}\n{done.text}"
        return done

    def git(self, *words: str) -> None:
        done = self.run("git", *words)
        assert done.code == 0, done.text

    def clone(self, name: str) -> "Project":
        """A fresh clone elsewhere, which shares no cache with this checkout."""
        home = self.home.parent / f"{name}-home"
        home.mkdir()
        folder = self.home.parent / name
        self.git("clone", "--quiet", str(self.folder), str(folder))
        return Project(folder, home)

    def use_s3(self, server: "Server", secret: str = SECRET) -> "Project":
        """As `dvc remote modify --local storage ...` does, without starting DVC five times."""
        return self.use(s3_settings(server, secret))

    def use(self, settings: dict[str, str]) -> "Project":
        """Settings of the remote `storage` for this checkout alone."""
        lines = [f"    {option} = {value}" for option, value in settings.items()]
        text = "\n".join(["['remote \"storage\"']", *lines, ""])
        (self.folder / ".dvc" / "config.local").write_text(text)
        return self

    def copy(self, folder: Path) -> "Project":
        """This checkout, its cache and what lies beside it, in another folder."""
        shutil.copytree(self.folder.parent, folder, dirs_exist_ok=True)
        return Project(folder / self.folder.name, folder / self.home.name)

    def made(self) -> dict[str, bytes]:
        """Every artifact of the run, by its name."""
        folders = ("examples", "checkpoints", "results", "metrics")
        files = (path for name in folders for path in (self.folder / name).rglob("*"))
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(files)
            if path.is_file() and "/." not in path.as_posix().removeprefix(str(self.folder))
        }


def miniature(root: Path, folder: Path) -> Project:
    """Write the miniature under the storage settings that the checkout at `root` commits."""
    project = Project(folder / "origin", folder / "origin-home")
    for made in (project.folder / "stages", project.folder / "data", project.home):
        made.mkdir(parents=True)
    project.git("init", "--quiet", "--initial-branch=main")
    project.ok("init", "--quiet")
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        shutil.copy(root / name, project.folder / name)
    for name, text in SCRIPTS.items():
        source = f"import sys\nsys.path.insert(0, {str(root / 'src')!r})\n"
        (project.folder / "stages" / f"{name}.py").write_text(source + HEADER + text.lstrip())
    (project.folder / "params.yaml").write_text(PARAMS)
    (project.folder / "dvc.yaml").write_text(PIPELINE)
    (project.folder / "data" / "words.txt").write_text(" ".join(f"w{n}" for n in range(50)))
    project.ok("add", "--quiet", "data")
    return project


def committed_run(project: Project) -> Project:
    """Run the miniature and commit what Git keeps of it."""
    assert project.ok("repro").ran == ["prepare", "tune", "probe@plain", "probe@tuned", "collect"]
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "Run the miniature")
    return project


class Server:
    """`rclone serve`: a real protocol (s3 with real signatures) over plain files."""

    def __init__(self, folder: Path, protocol: str = "s3", *options: str) -> None:
        self.folder = folder
        self.protocol = protocol
        self.options = options
        (folder / BUCKET).mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def url(self, scheme: str) -> str:
        """The address of the bucket's folder in a protocol that knows folders."""
        return f"{scheme}://127.0.0.1:{self.port}/{BUCKET}"

    def start(self) -> None:
        rclone = Path(sys.executable).parent / "rclone"
        login = ["--user", KEY, "--pass", SECRET]
        options = ["--auth-key", f"{KEY},{SECRET}"] if self.protocol == "s3" else login
        options += [
            *self.options,
            "--addr",
            f"127.0.0.1:{self.port}",
            "--dir-cache-time",
            "200ms",
            "--config",
            "",
        ]
        options += ["--vfs-cache-mode", "writes"] if self.protocol == "sftp" else []
        options += ["--cache-dir", str(self.folder.parent / "served"), *self.options]
        self.process = subprocess.Popen(
            [rclone, "serve", self.protocol, *options, self.folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, f"the {self.protocol} server does not answer")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def objects(self) -> list[Path]:
        return objects(self.folder / BUCKET / "miniature")


def s3_settings(server: Server, secret: str = SECRET) -> dict[str, str]:
    """Options of a remote in the bucket of the server."""
    return {
        "url": f"s3://{BUCKET}/miniature",
        "endpointurl": f"http://127.0.0.1:{server.port}",
        "region": "us-east-1",
        "access_key_id": KEY,
        "secret_access_key": secret,
    }


@contextmanager
def served(folder: Path, protocol: str = "s3", *options: str) -> Iterator[Server]:
    """A running server, stopped at the end."""
    server = Server(folder, protocol, *options)
    try:
        yield server
    finally:
        server.kill()


def objects(storage: Path) -> list[Path]:
    """Files of a DVC cache or remote that are named by their MD5."""
    return sorted(path for path in (storage / "files" / "md5").rglob("*") if path.is_file())


def is_whole(path: Path) -> bool:
    """Whether an object's bytes are those that its name says."""
    return md5(path.read_bytes()).hexdigest() == path.parent.name + path.name.split(".")[0]


def until(true: Callable[[], bool], complaint: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.01)
