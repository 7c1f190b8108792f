"""Telling people how a job ended, by apprise: mail, chat, webhooks.

An address is a URL that may hold a password. So a job names it, and the URLs stay in one text, a
line each, `NAME=URL`: a file that its owner alone may read, or an entry of a Kubernetes Secret that
the exit handler finds in a variable. No URL is in a manifest, a record, a log or an error.
Imported by steps: apprise itself only where something is to be sent.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduler_plugin.errors import JobRefused
from scheduler_plugin.status import JobStatus, Outcome

OCCASIONS = ("failure", "success", "both")
ADDRESSES_VARIABLE = "ARGO_SCHEDULER_ADDRESSES"
"""The variable of the exit handler's environment that holds the text, in a cluster."""

WORDS: Mapping[JobStatus, str] = {JobStatus.COMPLETED: "has completed", JobStatus.FAILED: "failed"}
"""The ends that are told; whoever stops a job knows it."""
_STATUSES: Mapping[str, tuple[JobStatus, ...]] = {
    "failure": (JobStatus.FAILED,),
    "success": (JobStatus.COMPLETED,),
    "both": (JobStatus.FAILED, JobStatus.COMPLETED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Whom to tell of a job, and when."""

    job: str  #: its name
    names: tuple[str, ...]
    on: str  #: one of OCCASIONS
    file: str | None = None  #: with the addresses, unless the variable has them


def read_notice(values: Mapping[str, Any] | None) -> Notice | None:
    """A notice from its JSON object. Raises KeyError or TypeError if it is none."""
    return None if values is None else Notice(**{**values, "names": tuple(values["names"])})


class NoAddress(Exception):  # noqa: N818  an answer, not a defect
    """A name has no address that can be used; one sentence, without a URL."""


# --- when a job is created


def notice(
    job: str, options: Mapping[str, Any], file: Path | None, in_secret: bool
) -> Notice | None:
    """The notice that a job's options ask for; None where nobody is to be told.

    `in_secret` says that the addresses are in a Secret, which is read when the job has ended.
    Raises JobRefused for a name without an address that can be used.
    """
    names = tuple(dict.fromkeys(filter(None, map(str.strip, options["notify"].split(",")))))
    if not names:
        return None
    place = None if file is None else str(file)
    asked = Notice(job=job, names=names, on=options["notify_on"], file=place)
    if file is None and not in_secret:
        raise JobRefused(
            "There are no addresses for notifications here: ask your administrator to list some "
            "and to set c.ArgoScheduler.notification_file, or leave notify out."
        )
    if file is not None:
        try:
            services(asked, read_addresses(file))
        except NoAddress as error:
            raise JobRefused(str(error)) from error
    return asked


# --- when it has ended


def tell(asked: Notice, outcome: Outcome, environ: Mapping[str, str]) -> list[str]:
    """Tell everybody; what went wrong, in sentences. Raises nothing: a job's end is its own."""
    try:
        return _tell(asked, outcome, environ)
    except NoAddress as error:
        return [f"Nobody was told how the job ended. {error}"]
    except ImportError as error:
        return [f"Nobody was told how the job ended: apprise cannot be imported ({error})."]
    except BaseException as error:  # a panic of an extension module is no Exception
        # without its text, which may hold an address
        return [f"Not everybody was told how the job ended: {type(error).__name__} was raised."]


def _tell(asked: Notice, outcome: Outcome, environ: Mapping[str, str]) -> list[str]:
    if outcome.status not in _STATUSES[asked.on]:
        return []
    found = services(asked, _addresses(asked, environ))
    title = f"Notebook job {asked.job!r} {WORDS[outcome.status]}"
    failed = [name for name, service in found if not _sent(service, title, outcome.message)]
    return [f"The notification to {name!r} could not be sent." for name in dict.fromkeys(failed)]


def services(asked: Notice, addresses: str) -> list[tuple[str, Any]]:
    """apprise's services for each name. Raises NoAddress."""
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its warnings quote addresses
    urls = list(_parsed(addresses))
    found = []
    for name in asked.names:
        mine = [url for known, url in urls if known == name]
        if not mine:
            there = ", ".join(sorted({known for known, _ in urls})) or "none"
            raise NoAddress(f"There is no notification address {name!r}: there are {there}.")
        for url in mine:
            service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
            if service is None:
                raise NoAddress(
                    f"The notification address {name!r} is no URL that apprise knows: have the "
                    "administrator correct it."
                )
            found.append((name, service))
    return found


def read_addresses(file: Path) -> str:
    """The text of an operator's file. Raises NoAddress if others can read it, or nobody can."""
    try:
        with file.open(encoding="utf-8") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                raise NoAddress(
                    f"Others can read the notification addresses in {file}: chmod 600 the file."
                )
            return opened.read()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise NoAddress(f"The notification addresses in {file} cannot be read: {why}.") from None


def _addresses(asked: Notice, environ: Mapping[str, str]) -> str:
    if text := environ.get(ADDRESSES_VARIABLE):
        return text
    if asked.file is None:
        raise NoAddress(
            f"The variable {ADDRESSES_VARIABLE} is not set, which the Kubernetes Secret of "
            "c.ArgoScheduler.notification_secret gives to this step."
        )
    return read_addresses(Path(asked.file))


def _parsed(addresses: str) -> Iterable[tuple[str, str]]:
    for line in addresses.splitlines():
        name, equals, url = line.partition("=")
        if equals and not name.lstrip().startswith("#"):
            yield name.strip(), url.strip()


def _sent(service: Any, title: str, message: str | None) -> bool:
    import apprise

    sender = apprise.Apprise()
    sender.add(service)
    kind = apprise.NotifyType.SUCCESS if message is None else apprise.NotifyType.FAILURE
    try:
        return bool(sender.notify(body=message or title, title=title, notify_type=kind))
    except Exception:  # whatever a service raises: its text may hold the address
        return False
