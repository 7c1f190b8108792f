"""`couler-jobs demo`: a notebook job and a schedule that outlive JupyterLab, shown."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couler_jobs.cli.exits import Terminated, terminable
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
        "ArgoScheduler.pod_template: image, container (with volumeMounts), template (with "
        "volumes), spec, labels; --folder has to be a folder that they share",
    )
    add_json(demo)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 1 when anything was not as it should be.

    Raises ConfigError, before JupyterLab starts, where nothing says what a job's pods look like.
    """
    from couler_jobs.demo.jupyter import DemoError, JupyterLab
    from couler_jobs.demo.show import end, show

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    settings = config(arguments)
    # a closed terminal ends it as SIGTERM does any command: its JupyterLab goes with it
    with terminable(signal.SIGHUP), _folder(arguments) as folder:
        lab = JupyterLab(project=folder / "project", home=folder / "state", config=settings)
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
            end(lab, say)
    return 0


def config(arguments: argparse.Namespace) -> dict[str, Any]:
    """The server's configuration.

    Raises ConfigError for a template that cannot be read, or that is needed and not given.
    """
    from couler_jobs.errors import ConfigError
    from scheduler_plugin.pod import like_template

    path: Path | None = arguments.pod_template
    if path is None:
        _refuse_pods_unknown()
        return {}
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"The pod template {path} cannot be read: {error}.") from error
    if not isinstance(template, dict):
        raise ConfigError(f"The pod template {path} is to be a JSON object.")
    like_template(template)
    return {"ArgoScheduler": {"pod": "template", "pod_template": template}}


def _refuse_pods_unknown() -> None:
    """On a cluster, and outside of a pod that could be the pattern, a template has to be given."""
    from couler_jobs.backends.choose import chosen_name
    from couler_jobs.config import Settings
    from couler_jobs.errors import ConfigError
    from scheduler_plugin.pod import form

    backend = chosen_name(Settings.load())
    if backend != "local" and form("", os.environ) == "template":
        raise ConfigError(
            f"Jobs go to a cluster here (backend {backend}), and nothing says what their pods look "
            "like: give --pod-template FILE, a JSON object with an image, a container with "
            "volumeMounts and a template with volumes, for a folder that pods share with this "
            "machine, and --folder, a path in it; or set COULER_JOBS_BACKEND=local to run the demo "
            "on this machine."
        )


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
        try:
            lab.process.wait()
        except Terminated:
            raise
        except KeyboardInterrupt:  # what it says above
            return
