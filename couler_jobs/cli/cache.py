"""`couler-jobs cache`: what memoized steps left on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from couler_jobs.cli.exits import Exit
from couler_jobs.cli.options import Commands, add_json, command, seconds
from couler_jobs.cli.screen import print_json
from couler_jobs.errors import NotFound

if TYPE_CHECKING:
    from couler_jobs.backends.local.cache import Cache, CacheEntry


def add(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser(
        "cache",
        help="list or clear the results that steps remember on this machine",
        description="The results of memoized steps on this machine. In a cluster they are config "
        "maps with the label workflows.argoproj.io/configmap-type=Cache: see them with kubectl.",
    )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = command(inner, "list", list_entries, "list what is remembered, newest first")
    clearing = command(inner, "clear", clear, "forget what is remembered; its steps run again")
    for one in (listing, clearing):
        one.add_argument("cache", nargs="?", metavar="CACHE", help="only this one (default: all)")
        add_json(one)
    clearing.add_argument("--key", help="only the entry of this key")
    clearing.add_argument(
        "--older-than", type=seconds, metavar="SECONDS", help="only what was made before that"
    )


def list_entries(arguments: argparse.Namespace) -> int:
    """Print a line an entry."""
    found = _cache().entries(arguments.cache)
    if arguments.json:
        print_json([_as_json(entry) for entry in found])
    else:
        for entry in found:
            print(f"{entry.cache}  {entry.key}  {_time(entry.created_at)}  {entry.size} bytes")
    return Exit.OK


def clear(arguments: argparse.Namespace) -> int:
    """Forget entries, and print how many."""
    cache = _cache()
    if arguments.cache and not cache.entries(arguments.cache):
        raise NotFound(f"No step has left a result in a cache {arguments.cache!r} on this machine.")
    number = cache.clear(arguments.cache, arguments.key, arguments.older_than)
    if arguments.json:
        print_json({"forgotten": number})
    else:
        print(f"{number} {'result' if number == 1 else 'results'} forgotten")
    return Exit.OK


def _cache() -> Cache:
    from couler_jobs.backends.local.client import LocalBackend
    from couler_jobs.config import Settings

    return LocalBackend(Settings.load().home).cache


def _as_json(entry: CacheEntry) -> dict[str, object]:
    times = {name: _time(getattr(entry, name)) for name in ("created_at", "last_hit_at")}
    return {**asdict(entry), **times}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
