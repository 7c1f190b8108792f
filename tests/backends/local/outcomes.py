"""Run a manifest with the pure engine and real processes, and write down what became of it.

The runner here is as small as it can be: one process a step, a private folder for the files that
steps write to fixed paths under /tmp, and time that runs as fast as the processes do.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.engine import Engine
from couler_jobs.backends.local.references import References, resolved
from couler_jobs.backends.local.values import (
    Cached,
    Decision,
    Ended,
    Event,
    Launch,
    Lookup,
    Request,
)
from couler_jobs.spec.status import NodeInfo, progress

SAMPLES = Path(__file__).parents[2] / "samples" / "outcomes"
RUN, UID = "case-x1", "11111111-2222-3333-4444-555555555555"
_NOT_FOUND = "failed to find name in PATH: exec: {0!r}: stat {0}: no such file or directory"


def cases() -> Iterator[dict[str, Any]]:
    """Every recorded case."""
    for path in sorted(SAMPLES.glob("*.json")):
        yield json.loads(path.read_text("utf-8"))
    for name in ("random", "more"):
        with gzip.open(SAMPLES / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


class Runner:
    """Carries out what the engine decides, with one process a step."""

    def __init__(self, manifest: Mapping[str, Any], folder: Path, speed: float = 1.0) -> None:
        self.engine = Engine(manifest, name=RUN, uid=UID, created_at=self._now())
        self.nodes: dict[str, NodeInfo] = {}
        self._cache: dict[str, Mapping[str, Any]] = {}
        self._folder, self._speed = folder, speed
        self._running: dict[str, tuple[Launch, subprocess.Popen[bytes], Path]] = {}

    def run(self, requests: list[tuple[float, Request]] | None = None) -> Decision:
        """Until the workflow has ended. `requests` are made so many seconds after the start."""
        began, waiting = self._now(), list(requests or ())
        decision = self._carry_out(())
        while not decision.ended:
            events: list[Event] = [event for event in self._poll() if event]
            while waiting and self._now() - began >= waiting[0][0]:
                events.append(waiting.pop(0)[1])
            due = decision.wake_at is not None and decision.wake_at <= self._now()
            if events or due:
                decision = self._carry_out(events)
            else:
                assert self._running or decision.wake_at is not None or waiting, "it hangs"
                time.sleep(0.002)
        for _, process, _ in self._running.values():
            process.kill()
            process.wait()
        return decision

    @staticmethod
    def _now() -> float:
        return time.time()

    def _carry_out(self, events: Any) -> Decision:
        decision = self.engine.advance(self._now(), events)
        self.nodes |= {node.name: node for node in decision.changed}
        for found in decision.remember:
            self._cache[found.key] = found.outputs
        if decision.lookups:
            return self._carry_out([self._cached(asked) for asked in decision.lookups])
        failed = [ended for launch in decision.launch if (ended := self._start(launch))]
        for name in decision.kill:
            os.killpg(self._running[name][1].pid, signal.SIGTERM)
        return self._carry_out(failed) if failed else decision

    def _cached(self, asked: Lookup) -> Cached:
        now = self._now()
        outputs = self._cache.get(asked.key)
        return Cached(node=asked.node, at=now, outputs=outputs, created_at=now)

    def _start(self, launch: Launch) -> Ended | None:
        folder = self._folder / str(len(list(self._folder.iterdir())))
        folder.mkdir()
        command = [*map(self._private(folder), (*launch.command, *launch.args))]
        if launch.source is not None:
            (folder / "script").write_text(self._private(folder)(launch.source), "utf-8")
            command.append(str(folder / "script"))
        if command[0] == "python3":
            command[0] = sys.executable
        env = resolved({"PATH": os.environ["PATH"], **launch.env}, (), References(folder))
        for given in launch.inputs:
            path = Path(self._private(folder)(given.path))
            path.write_text(given.text or "", "utf-8")
        try:
            with (folder / "stdout").open("wb") as out:
                process = subprocess.Popen(
                    command,
                    stdout=out,
                    stderr=subprocess.DEVNULL,
                    env=env,
                    start_new_session=True,
                )
        except FileNotFoundError:
            why = _NOT_FOUND.format(command[0]).replace("'", '"')
            return Ended(node=launch.node, at=self._now(), exit_code=64, error=why)
        self._running[launch.node] = (launch, process, folder)
        return None

    @staticmethod
    def _private(folder: Path) -> Any:
        return lambda text: text.replace("/tmp/", f"{folder}/")

    def _poll(self) -> Iterator[Ended | None]:
        for name, (launch, process, folder) in list(self._running.items()):
            code = process.poll()
            if code is not None:
                del self._running[name]
                yield self._ended(launch, code, folder)

    def _ended(self, launch: Launch, code: int, folder: Path) -> Ended:
        parameters: dict[str, str] = {}
        missing: list[str] = []
        for file in launch.output_parameters:
            path = Path(self._private(folder)(file.path))
            if path.exists():
                parameters[file.name] = path.read_text("utf-8").removesuffix("\n")
            elif file.default is not None:
                parameters[file.name] = file.default
            else:
                missing.append(file.name)
        result = (folder / "stdout").read_text("utf-8").removesuffix("\n")
        return Ended(
            node=launch.node,
            at=self._now(),
            exit_code=128 - code if code < 0 else code,
            result=result if launch.wants_result else None,
            parameters=parameters,
            missing=tuple(missing),
        )


def outcome(runner: Runner, decision: Decision) -> dict[str, Any]:
    """What became of a run, in the form of the recorded cases."""
    infos = runner.nodes.values()
    return {
        "phase": decision.phase.value,
        "message": anonymous(decision.message),
        "progress": progress(infos),
        "nodes": {anonymous(node.name): seen(node, runner.nodes) for node in infos},
    }


def anonymous(text: str) -> str:
    """A text without what differs from run to run."""
    return text.replace(RUN, "NAME").replace(UID, "UID")


def seen(node: NodeInfo, nodes: Mapping[str, NodeInfo]) -> dict[str, Any]:
    """One node in the form of the recorded cases."""
    message = node.message
    for other in nodes.values():
        if other.id != RUN:
            message = message.replace(other.id, other.display_name)
    found = {
        "displayName": anonymous(node.display_name),
        "type": node.type,
        "phase": node.phase.value,
        "message": anonymous(message),
        "inputs": {key: anonymous(value) for key, value in node.inputs.items()},
        "outputs": json.loads(anonymous(json.dumps(node.outputs))),
    }
    memoized = {} if node.memoization is None else {"memoized": node.memoization["hit"]}
    return {**{key: value for key, value in found.items() if value}, **memoized}


def recorded(case: Mapping[str, Any]) -> dict[str, Any]:
    """What Argo made of a case, in the same form."""
    result = case["outcome"]
    nodes = {}
    for node in result["nodes"]:
        kept = {key: node[key] for key in node if key != "name"}
        outputs = dict(kept.get("outputs") or {})
        values = {k: v for k, v in (outputs.get("parameters") or {}).items() if v is not None}
        if "parameters" in outputs:
            outputs["parameters"] = values
        kept["outputs"] = {key: value for key, value in outputs.items() if value or value == ""}
        nodes[node["name"]] = {k: v for k, v in kept.items() if v or k == "memoized"}
    return {
        "phase": result["phase"],
        "message": (result["message"] or "").replace("NAME-ID", "NAME-ID"),
        "progress": result["progress"],
        "nodes": nodes,
    }
