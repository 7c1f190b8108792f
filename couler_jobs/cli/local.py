"""`couler-jobs local`: the daemon that starts runs on schedule on this machine."""

from __future__ import annotations

import argparse
import json

from couler_jobs.cli.options import Commands, add_json, command


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser(
        "local",
        help="serve the schedules of this machine",
        description="Serve the schedules of this machine. Whoever makes a schedule starts the "
        "daemon; `serve` is for those who want it under systemd or the like.",
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command(inner, "serve", serve, "serve in the foreground, until SIGTERM or Ctrl-C")
    add_json(command(inner, "status", status, "say whether a daemon runs, and what it serves"))
    command(inner, "stop", stop, "end the daemon; schedules stay, but nothing starts their runs")


def serve(arguments: argparse.Namespace) -> int:
    """Serve until told to end."""
    import logging

    from couler_jobs.backends.local import daemon
    from couler_jobs.config import Settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    return daemon.serve(Settings.load().home, forever=True)


def status(arguments: argparse.Namespace) -> int:
    """Print whether a daemon runs and which schedules there are."""
    from couler_jobs.backends.local import daemon
    from couler_jobs.backends.local.client import LocalBackend
    from couler_jobs.config import Settings

    backend = LocalBackend(Settings.load().home)
    running = daemon.running(backend.home)
    served = [{"name": c.name, "schedules": list(c.schedules)} for c in backend.crons.all()]
    if arguments.json:
        pid = running and running.pid
        print(json.dumps({"pid": pid, "home": str(backend.home.root), "schedules": served}))
        return 0
    print(f"A daemon runs (process {running.pid})." if running else "No daemon runs.")
    for cron in served:
        print(f"{cron['name']}: {', '.join(cron['schedules'])}")
    return 0


def stop(arguments: argparse.Namespace) -> int:
    """End the daemon."""
    from couler_jobs.backends.local import daemon
    from couler_jobs.backends.local.home import open_home
    from couler_jobs.config import Settings

    ended = daemon.stop(open_home(Settings.load().home))
    print("The daemon has ended." if ended else "No daemon runs.")
    return 0
