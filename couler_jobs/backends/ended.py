"""What cannot be asked of a run that has ended: shared by all backends."""

from __future__ import annotations

from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Phase, RunInfo


def refuse_ended(run: RunInfo, asked: str) -> None:
    """`Rejected` where the run has ended, with what to do instead; `asked` is "resumed", say.

    Argo Server answers a resume of it as if it had been one.
    """
    if not run.ended:
        return
    instead = "submit it anew"
    if run.phase is not Phase.SUCCEEDED:
        instead = f"retry it, which runs again what failed, or {instead}"
    raise Rejected(f"{run.name} has ended as {run.phase}, so it cannot be {asked}: {instead}.")
