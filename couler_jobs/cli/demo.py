"""`couler-jobs demo`: a notebook job and a schedule that outlive JupyterLab, shown."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couler_jobs.cli.options import Commands, add_json, command

if TYPE_CHECKING:
    from couler_jobs.demo.jupyter import JupyterLab
    from couler_jobs.demo.show import Say


def add(commands: Commands) -> None:
    """Declare the command."""
    demo = command(
        commands, "demo", run, "show a notebook job and a schedule that outlive JupyterLab"
    )
    demo.add_argument("--keep", action="store_true", help="leave JupyterLab open, until Ctrl-C")
    demo.add_argument(
        "--folder", type=Path, help="where everything is written (default: a temporary folder)"
    )
    demo.add_argument(
        "--pod-template",
        type=Path,
        metavar="FILE",
        help="on a cluster: what a job's pods look like, a JSON object as in "
        "ArgoScheduler.pod_template; --folder has to be a folder that they share",
    )
    add_json(demo)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 1 when anything was not as it should be."""
    from couler_jobs.demo.jupyter import DemoError, JupyterLab
    from couler_jobs.demo.show import end, show

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    with _folder(arguments) as folder:
        lab = JupyterLab(
            project=folder / "project", home=folder / "state", config=config(arguments)
        )
        lab.project.mkdir(parents=True, exist_ok=True)
        try:
            result = show(lab, say)
            if arguments.json:
                print(json.dumps(asdict(result), ensure_ascii=False))
            else:
                say(f"All as it should be, in {result.seconds} s. Project: {lab.project}")
            if arguments.keep:
                _stay_open(lab, say)
        except DemoError as error:
            print(f"The demo failed: {error}", file=sys.stderr)
            return 1
        finally:
            end(lab)
    return 0


def config(arguments: argparse.Namespace) -> dict[str, Any]:
    """The server's configuration. Raises ConfigError for a template that cannot be read."""
    from couler_jobs.errors import ConfigError

    path: Path | None = arguments.pod_template
    if path is None:
        return {}
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"The pod template {path} cannot be read: {error}.") from error
    if not isinstance(template, dict):
        raise ConfigError(f"The pod template {path} is to be a JSON object.")
    return {"ArgoScheduler": {"pod": "template", "pod_template": template}}


@contextlib.contextmanager
def _folder(arguments: argparse.Namespace) -> Iterator[Path]:
    if arguments.folder:
        yield arguments.folder.absolute()
    elif arguments.keep:
        yield Path(tempfile.mkdtemp(prefix="couler-jobs-demo-"))
    else:
        with tempfile.TemporaryDirectory(prefix="couler-jobs-demo-") as name:
            yield Path(name)


def _stay_open(lab: JupyterLab, say: Say) -> None:
    say(f"JupyterLab stays open; Ctrl-C ends it: {lab.link}")
    if lab.process is not None:
        with contextlib.suppress(KeyboardInterrupt):
            lab.process.wait()
