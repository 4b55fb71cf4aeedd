"""Where independent calls run: processes of this machine, or the workers of a dask cluster.

A cluster is the user's own; the environment variable TUNEPROBE_CLUSTER has the address of its
scheduler. Calls end in any order, and dask starts a call again whose worker was lost: a call must
give the same wherever, whenever and however often it runs.

The cluster is asked through dask's own client, not through joblib's backend of that name: with
joblib 1.6, a call that dask gives up is waited for without end, and a large argument is put on one
worker, which may take it along.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from tuneprobe.errors import TuneprobeError, UnknownNameError

if TYPE_CHECKING:
    from distributed import Client, Future

ADDRESS = "TUNEPROBE_CLUSTER"


class ClusterError(TuneprobeError):
    """A cluster that is not there, or that cannot do the work."""


class WorkerLostError(TuneprobeError):
    """A process of this machine that ended before its work did."""


def outcomes(
    function: Callable[..., Any], calls: Sequence[tuple], *, backend: str, processes: int
) -> Iterator[Any]:
    """What ``function(*call)`` gives for each of `calls`, in the order in which they end.

    Parameters
    ----------
    function : callable
        A module-level function.
    backend : str
        ``local`` or ``dask``.
    processes : int
        Of this machine; a cluster has its own number of workers.

    Raises
    ------
    ClusterError
        If no scheduler answers, the workers lack this package, or a call has cost too many of them.
    WorkerLostError
        If a process of this machine was killed.
    """
    backends = {"local": _local_outcomes, "dask": _dask_outcomes}
    if backend not in backends:
        raise UnknownNameError("backend", backend, backends)
    yield from backends[backend](function, calls, processes)


def unreadable_here(file: Path | str) -> ClusterError:
    """What a worker raises that does not see a file of the run."""
    return ClusterError(
        f"the worker on {gethostname()} cannot read {file}: the folder of the run must be on a "
        "file system that all machines share, under one path."
    )


def different_here(what: str) -> ClusterError:
    """What a worker raises that would compute from something else than its caller."""
    return ClusterError(
        f"the worker on {gethostname()} has another {what}: start all workers anew, in this "
        "checkout and environment."
    )


def _local_outcomes(
    function: Callable[..., Any], calls: Sequence[tuple], processes: int
) -> Iterator[Any]:
    with parallel_config(backend="loky", inner_max_num_threads=1):
        run = Parallel(n_jobs=processes, return_as="generator_unordered")
        try:
            yield from run(delayed(function)(*call) for call in calls)
        except TerminatedWorkerError as error:
            raise WorkerLostError(
                "a worker process was killed, most often because memory ran out: lower "
                "TUNEPROBE_WORKERS and run the same command again; it goes on with what is left."
            ) from error


def _dask_outcomes(
    function: Callable[..., Any], calls: Sequence[tuple], _processes: int
) -> Iterator[Any]:
    with _cluster() as client:
        from distributed import as_completed

        futures = [client.submit(function, *call, pure=False) for call in calls]
        for future in as_completed(futures):
            yield _outcome(future)
            future.release()


def _cluster() -> "Client":
    """A client of the user's cluster; it leaves the cluster running."""
    address = os.environ.get(ADDRESS)
    if not address:
        raise ClusterError(
            f"TUNEPROBE_BACKEND is 'dask' but {ADDRESS} is not set: export "
            f"{ADDRESS}=tcp://HOST:8786, the address of your scheduler, or TUNEPROBE_BACKEND=local."
        )
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "TUNEPROBE_BACKEND is 'dask' but distributed is not installed: "
            "pip install 'tuneprobe[cluster]'."
        ) from None
    try:
        return Client(address)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no dask scheduler answers at {ADDRESS}={address} ({error}): "
            "start one with 'dask scheduler', or correct the address."
        ) from None


def _outcome(future: "Future") -> Any:
    """What a call gave; where the cluster failed it, one sentence."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise ClusterError(
            f"a unit was given up after {error.allowed_failures + 1} of its workers died, the last "
            f"{error.last_worker.address}: see its log; often the memory was too small."
        ) from None
    except CancelledError as error:
        raise ClusterError(
            f"the cluster gave up a unit ({str(error).splitlines()[0]}): run the stage again, "
            "it goes on with the units that are left."
        ) from None
    except RuntimeError as error:
        if not isinstance(error.__cause__, ImportError):
            raise
        raise ClusterError(
            f"a worker cannot load the code ({error.__cause__}): start the workers in this "
            "environment, with this checkout installed."
        ) from None
