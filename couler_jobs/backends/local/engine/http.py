"""The http template: a request, and the body of its reply."""

from __future__ import annotations

import math
from typing import Any

from couler_jobs.backends.local.engine.leaves import Pod, began
from couler_jobs.backends.local.engine.records import HTTP, Node
from couler_jobs.backends.local.engine.templates import seconds
from couler_jobs.backends.local.values import Ended, Launch
from couler_jobs.spec.status import Phase


class Http(Pod):
    """A request. On a cluster Argo's agent sends it, and no pod is made.

    So nothing of a pod counts here either: not the parallelism, no exit code, no
    `activeDeadlineSeconds` (`workflow/controller/operator.go`,
    `failNodesWithoutCreatedPodsAfterDeadlineOrShutdown`).
    """

    kind = HTTP

    def _launch(self) -> Launch:
        work = {"http": self._filled.body["http"]}
        name = self._filled.template.name
        return Launch(node=self._call.name, template=name, command=(), work=work, grace=1.0)

    def _deadlines(self, node: Node) -> list[tuple[float, str]]:
        timeout, deadline = self._filled.body.get("timeout"), self._run.deadline
        found = []
        if timeout:
            found.append((began(node, self._run.now) + math.floor(seconds(timeout)), "timeout"))
        if deadline is not None and not self._call.on_exit:
            found.append((deadline, "Step exceeded its deadline"))
        return found

    def _outputs(self, ended: Ended) -> dict[str, Any]:
        return {} if ended.result is None else {"result": ended.result}

    def _verdict(self, ended: Ended) -> tuple[Phase, str]:
        if self._why:
            return Phase.FAILED, self._why
        if self._why is not None:
            return Phase.FAILED, f"Stopped with strategy '{self._run.shutdown}'"
        if ended.exit_code is None:
            return Phase.ERROR, ended.error
        if ended.exit_code:
            killed = f"The request was ended before it was answered ({ended.exit_code})."
            return Phase.FAILED, ended.error or killed
        return Phase.SUCCEEDED, ""
