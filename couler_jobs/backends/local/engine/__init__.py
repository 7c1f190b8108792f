"""The engine: a manifest and the states of its nodes in, what to start and what has ended out.

Pure: no file, clock, process or chance. It is the reference reading of Argo's semantics as of 4.1;
where it decides, the comment beside it says what Argo does there.
"""

from __future__ import annotations

from couler_jobs.backends.local.engine.driver import Engine
from couler_jobs.backends.local.engine.reset import reset_for_retry

__all__ = ["Engine", "reset_for_retry"]
