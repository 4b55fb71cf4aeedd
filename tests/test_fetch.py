"""Fetching: what is registered arrives with its bytes, anything else leaves nothing behind."""

import gzip
import io
import lzma
import re
import tarfile
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from tuneprobe import cli
from tuneprobe.corpora import fetch as fetch_module
from tuneprobe.corpora import wordnet_files
from tuneprobe.corpora.fetch import fetch
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.registry import Corpus, CorpusFile, registry
from tuneprobe.errors import UnknownNameError
from tuneprobe.params import load_params

KITE = b"Ann Lee flew it.\n"
WIND = b"It blew.\n"
HAIL = b"It hailed.\n"


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def tar(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def register(monkeypatch: pytest.MonkeyPatch, *files: CorpusFile, **facts: str) -> None:
    """Make `kites`, with these files, the only corpus."""
    facts = {"title": "Kites", "licence": "CC0", "redistribution": "allowed", **facts}
    corpus = Corpus("kites", homepage="https://example.org", counts="2", files=files, **facts)
    monkeypatch.setattr(fetch_module, "get_corpus", lambda name: corpus)


def kites(url: str = "") -> tuple[CorpusFile, CorpusFile]:
    return (
        CorpusFile("part/kite.txt", digest(KITE), url=url and f"{url}/upstream/kite.txt"),
        CorpusFile("wind.txt", digest(WIND), url=url and f"{url}/upstream/wind.txt"),
    )


def is_untouched(data: Path) -> bool:
    """Nothing but the corpus that was there before, no temporary folder."""
    return [path.name for path in data.rglob("*")] == ["kites", "old.txt"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder in which an older version of the corpus lies."""
    (tmp_path / "data" / "kites").mkdir(parents=True)
    (tmp_path / "data" / "kites" / "old.txt").write_text("old")
    return tmp_path / "data"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with both files in other places, one packed, and a file of the same name."""
    (tmp_path / "from" / "b" / "part").mkdir(parents=True)
    (tmp_path / "from" / "a").mkdir()
    (tmp_path / "from" / "a" / "kite.txt").write_bytes(HAIL)
    (tmp_path / "from" / "b" / "part" / "kite.txt.xz").write_bytes(lzma.compress(KITE))
    (tmp_path / "from" / "wind.txt").write_bytes(WIND)
    return tmp_path / "from"


class Pages(BaseHTTPRequestHandler):
    """A web server of a few pages."""

    content: ClassVar = {
        "/upstream/kite.txt": KITE,
        "/upstream/wind.txt": WIND,
        "/mirror/kite.txt.gz": gzip.compress(KITE),
        "/mirror/wind.txt": WIND,
        "/cut/kite.txt.gz": gzip.compress(KITE)[:-9],
        "/changed/kite.txt": HAIL,
    }

    def do_GET(self) -> None:
        found = self.content.get(self.path)
        self.send_response(200 if found is not None else 404)
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web():
    """The address of a running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "SOURCE.txt"
    }


def test_files_are_found_by_path_or_name_packed_or_not(monkeypatch, data, source):
    register(monkeypatch, *kites())
    assert fetch("kites", data, str(source)) == [data / "kites"]
    assert contents(data / "kites") == {"part/kite.txt": KITE, "wind.txt": WIND}


def test_licence_and_origin_lie_beside_the_files(monkeypatch, data, source):
    register(monkeypatch, *kites("https://example.org"), licence="CC BY-SA 3.0")
    fetch("kites", data, str(source))
    note = (data / "kites" / "SOURCE.txt").read_text()
    assert "Licence: CC BY-SA 3.0\n" in note
    assert "wind.txt\n    https://example.org/upstream/wind.txt\n" in note


def test_the_same_bytes_come_whichever_way_they_were_packed(monkeypatch, data, source, web):
    register(monkeypatch, *kites(web))
    fetch("kites", data, str(source))
    from_folder = contents(data / "kites")
    fetch("kites", data, f"{web}/mirror")
    from_mirror = contents(data / "kites")
    fetch("kites", data)
    assert from_folder == from_mirror == contents(data / "kites")


def test_an_archive_is_unpacked_in_its_place(monkeypatch, data, tmp_path):
    packed = tar({"frames/Fly.xml": KITE, "README": WIND})
    register(monkeypatch, CorpusFile("kites.tar.xz", digest(packed), archive=True))
    (tmp_path / "kites.tar.xz").write_bytes(packed)
    fetch("kites", data, str(tmp_path))
    assert contents(data / "kites") == {"frames/Fly.xml": KITE, "README": WIND}


def test_only_the_files_of_a_pattern_are_taken(monkeypatch, data, source):
    register(monkeypatch, *kites())
    fetch("kites", data, str(source), only="wind*")
    assert contents(data / "kites") == {"wind.txt": WIND}


def test_a_pattern_without_files_is_an_error(monkeypatch, data, source):
    register(monkeypatch, *kites())
    with pytest.raises(CorpusError, match=r"no file like 'rain\*'; it has 2 files"):
        fetch("kites", data, str(source), only="rain*")
    assert is_untouched(data)


def test_a_wrong_hash_leaves_nothing_behind(monkeypatch, data, source):
    register(monkeypatch, *kites())
    (source / "wind.txt").write_bytes(HAIL)
    with pytest.raises(
        CorpusError,
        match=rf"wind.txt with sha256 {digest(WIND)}: .*from/wind.txt has {digest(HAIL)}",
    ):
        fetch("kites", data, str(source))
    assert is_untouched(data)


def test_a_truncated_archive_leaves_nothing_behind(monkeypatch, data, source):
    register(monkeypatch, *kites())
    packed = source / "b" / "part" / "kite.txt.xz"
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(CorpusError, match=r"kite.txt.xz has nothing: the archive is cut short"):
        fetch("kites", data, str(source))
    assert is_untouched(data)


def test_a_missing_file_leaves_nothing_behind(monkeypatch, data, source):
    register(monkeypatch, *kites())
    (source / "wind.txt").unlink()
    with pytest.raises(CorpusError, match=r"no file is called wind.txt, wind.txt.gz or wind"):
        fetch("kites", data, str(source))
    assert is_untouched(data)


def test_a_missing_folder_is_one_error(monkeypatch, data, tmp_path):
    register(monkeypatch, *kites())
    with pytest.raises(CorpusError, match="there is no such folder"):
        fetch("kites", data, str(tmp_path / "nowhere"))
    assert is_untouched(data)


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("changed", f"has sha256 {digest(HAIL)}, expected {digest(KITE)}"),
        ("cut", "could not be downloaded: the archive is cut short"),
        ("nowhere", r"does not hold part/kite.txt, packed or not \(404\)"),
    ],
)
def test_a_bad_mirror_leaves_nothing_behind(monkeypatch, data, web, folder, message):
    register(monkeypatch, *kites())
    with pytest.raises(CorpusError, match=message):
        fetch("kites", data, f"{web}/{folder}")
    assert is_untouched(data)


def test_no_network_is_one_error_that_names_the_way_around(monkeypatch, data):
    register(monkeypatch, *kites("http://127.0.0.1:1"))
    with pytest.raises(CorpusError, match=r"could not be downloaded: .*use '--from DIR'"):
        fetch("kites", data)
    assert is_untouched(data)


def test_a_file_that_is_gone_upstream_is_one_error(monkeypatch, data, web):
    register(monkeypatch, CorpusFile("rain.txt", digest(KITE), url=f"{web}/rain.txt"))
    with pytest.raises(CorpusError, match=r"rain.txt is not there any more \(404\)"):
        fetch("kites", data)
    assert is_untouched(data)


def test_a_file_without_an_address_says_why(monkeypatch, data):
    register(monkeypatch, CorpusFile("kite.txt", digest(KITE), only_from="derived by hand"))
    with pytest.raises(CorpusError, match=r"no address upstream \(derived by hand\)"):
        fetch("kites", data)
    assert is_untouched(data)


def test_a_member_outside_the_archive_is_refused(monkeypatch, data, tmp_path):
    packed = tar({"../kite.txt": KITE})
    register(monkeypatch, CorpusFile("kites.tar.xz", digest(packed), archive=True))
    (tmp_path / "kites.tar.xz").write_bytes(packed)
    with pytest.raises(CorpusError, match="lies outside the archive"):
        fetch("kites", data, str(tmp_path))
    assert is_untouched(data)


def wordnet(version: str) -> bytes:
    return (
        f"  1 Do as you like.  \n  2   \n  3 WordNet {version} Copyright 2006\n0001 kite\n".encode()
    )


def test_wordnet_of_another_version_is_refused(monkeypatch, data, tmp_path):
    register(monkeypatch, CorpusFile("data.noun", digest(wordnet("3.0"))), obtain="debian")
    (tmp_path / "data.noun").write_bytes(wordnet("3.1"))
    with pytest.raises(CorpusError, match=r"data.noun is WordNet 3\.1, but .* WordNet 3\.0"):
        fetch("kites", data, str(tmp_path))
    assert is_untouched(data)


@pytest.mark.parametrize("packed", [False, True])
def test_wordnet_comes_with_the_licence_of_its_head(monkeypatch, data, tmp_path, packed):
    register(monkeypatch, CorpusFile("data.noun", digest(wordnet("3.0"))), obtain="debian")
    (tmp_path / "from").mkdir()
    if packed:
        archive = tar({"usr/share/wordnet/data.noun": wordnet("3.0")})
        (tmp_path / "from" / "wordnet-base_3.0-37.tar.xz").write_bytes(archive)
    else:
        (tmp_path / "from" / "data.noun").write_bytes(wordnet("3.0"))
    fetch("kites", data, str(tmp_path / "from"))
    assert contents(data / "kites") == {
        "data.noun": wordnet("3.0"),
        "LICENSE": b"Do as you like.\n\nWordNet 3.0 Copyright 2006\n",
    }


@pytest.mark.parametrize("end", [0, 50])
def test_a_cut_package_of_wordnet_is_one_error(monkeypatch, data, tmp_path, end):
    register(monkeypatch, CorpusFile("data.noun", digest(wordnet("3.0"))), obtain="debian")
    archive = tar({"usr/share/wordnet/data.noun": wordnet("3.0")})
    (tmp_path / "wordnet-base_3.0-37.tar.xz").write_bytes(archive[:end])
    with pytest.raises(CorpusError, match=r"tar\.xz is no whole tar archive"):
        fetch("kites", data, str(tmp_path))
    assert is_untouched(data)


def test_an_installed_wordnet_is_taken_before_any_package(monkeypatch, data, tmp_path):
    register(monkeypatch, CorpusFile("data.noun", digest(wordnet("3.0"))), obtain="debian")
    (tmp_path / "data.noun").write_bytes(wordnet("3.0"))
    monkeypatch.setattr(wordnet_files, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", "")
    fetch("kites", data)
    assert contents(data / "kites")["data.noun"] == wordnet("3.0")


def test_without_apt_the_error_names_the_way_around(monkeypatch, data, tmp_path):
    register(monkeypatch, CorpusFile("data.noun", digest(wordnet("3.0"))), obtain="debian")
    monkeypatch.setattr(wordnet_files, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CorpusError, match=r"no apt-get to get wordnet-base with.*'--from DIR'"):
        fetch("kites", data)
    assert is_untouched(data)


def test_every_file_of_the_registry_has_a_checksum_and_an_origin():
    for corpus in registry().values():
        for file in corpus.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256), file
            assert corpus.obtain == "debian" or bool(file.url) != bool(file.only_from), file
        assert corpus.files or corpus.parts or corpus.obtain == "generate", corpus.name
        assert set(corpus.parts) <= set(registry())


def test_the_table_of_the_docs_names_each_corpus_with_its_licence(root):
    rows = (root / "docs" / "data.md").read_text().splitlines()
    for corpus in registry().values():
        (row,) = (row for row in rows if row.startswith(f"| `{corpus.name}` | [{corpus.title}]"))
        assert f"| {corpus.licence} | {corpus.redistribution} | {corpus.counts} |" in row


def test_every_github_address_names_a_commit():
    for corpus in registry().values():
        for file in corpus.files:
            if "github" in file.url and "github.io" not in file.url:
                assert re.match(
                    r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", file.url
                )


def test_an_unknown_corpus_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match=r"Did you mean 'streusle-4\.2'"):
        fetch("streusle-42", tmp_path)


def test_every_registered_corpus_is_read_by_a_task(root):
    tasks = load_params(root / "params.yaml").tasks
    read = {task.path.split("/")[0] for task in tasks.values()}
    parts = {part for name in read & set(registry()) for part in registry()[name].parts}
    assert set(registry()) == (read | parts | {"wordnet"}) - {"mnli", "framenet-1.7"}  # by hand


@pytest.mark.parametrize("corpus", ["qed", "nq-passages", "trec"])
def test_a_fetch_that_fails_leaves_no_empty_data_folder(tmp_path, corpus):
    (tmp_path / "copies").mkdir()
    with pytest.raises(CorpusError):
        fetch(corpus, tmp_path / "data", str(tmp_path / "copies"))
    assert [path.name for path in tmp_path.iterdir()] == ["copies"]


def test_a_fetch_that_fails_leaves_the_other_corpora_alone(tmp_path):
    (tmp_path / "copies").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine").write_text("kept")
    with pytest.raises(CorpusError):
        fetch("qed", tmp_path / "data", str(tmp_path / "copies"))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine"]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("corpus", "n_files"),
    [
        ("qed", 2),
        ("nq-oracle", 1),
        ("sst-2", 2),
        ("mrpc", 6),
        ("ud-pud", 1),
        ("streusle-4.2", 11),
    ],
)
def test_shared_corpora_are_fetched_whole(shared_data, tmp_path, corpus, n_files):
    fetch(corpus, tmp_path, str(shared_data))
    assert len(contents(tmp_path / corpus)) == n_files


def test_a_mistake_ends_in_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["tuneprobe", "data", "fetch", "qet", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    printed = capsys.readouterr()
    assert stopped.value.code == 2
    assert printed.err.startswith("error: unknown corpus 'qet'. Did you mean 'qed'?")
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_the_list_shows_each_corpus_and_whether_it_is_here(tmp_path):
    (tmp_path / "qed").mkdir()
    shown = CliRunner().invoke(cli.app, ["data", "list", "--data", str(tmp_path)]).stdout
    rows = {line.split()[0]: line.split()[-1] for line in shown.splitlines() if line[:1].strip()}
    assert set(registry()) <= set(rows)
    assert rows["qed"] == "yes"
    assert rows["nq-passages"] != "yes"


@pytest.mark.parametrize("command", ["fetch", "default", "list"])
def test_every_command_has_an_example_in_its_help(command):
    shown = CliRunner().invoke(cli.app, ["data", command, "--help"]).stdout
    assert f"Example: tuneprobe data {command}" in shown
