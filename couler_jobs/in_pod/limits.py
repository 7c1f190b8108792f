"""What a kernel may have of this machine, where no pod sees to it.

Memory is RLIMIT_DATA: private writable memory, of each process by itself. (RLIMIT_AS would count
what libraries only reserve.) Processors are an affinity, which what the kernel starts inherits.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from couler_jobs.in_pod.request import NotebookRequest


def limit(pid: int, request: NotebookRequest) -> Iterator[str]:
    """Apply a request's limits to a process; a sentence for each, also for what cannot be applied.

    The process is to be a new one: threads that it has keep the processors that they had.
    """
    if request.memory is not None:
        yield _memory(pid, request.memory)
    if request.processors is not None:
        yield _processors(pid, request.processors)
    if request.not_here:
        names = ", ".join(request.not_here)
        yield f"Of the compute type {names} means nothing here: the notebook runs on this machine."


def _memory(pid: int, wanted: int) -> str:
    amount = f"{wanted / 2**20:g} MiB"
    try:
        _, hardest = resource.prlimit(pid, resource.RLIMIT_DATA)
        if hardest != resource.RLIM_INFINITY:
            wanted = min(wanted, hardest)
        resource.prlimit(pid, resource.RLIMIT_DATA, (wanted, wanted))
    except OSError as error:
        return f"The memory limit of {amount} could not be applied: {error.strerror}."
    return f"Each process of the notebook may have {amount} of memory."


def _processors(pid: int, wanted: int) -> str:
    there = sorted(os.sched_getaffinity(pid))
    if wanted >= len(there):
        return f"The notebook runs on {len(there)} processors, all that there are."
    first = pid % len(there)  # not all notebooks on the same ones
    chosen = {there[(first + number) % len(there)] for number in range(wanted)}
    try:
        os.sched_setaffinity(pid, chosen)
    except OSError as error:
        return f"The limit of {wanted} processors could not be applied: {error.strerror}."
    return f"The notebook runs on {wanted} of {len(there)} processors."
