"""Where an artifact lies: one word for each of Argo's stores.

What names a bucket, endpoint or credentials may be left out where Argo's artifact repository is
configured with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from couler_jobs.dsl.braces import EXPANDED
from couler_jobs.dsl.entries import Entry, config_selector, secret_selector
from couler_jobs.errors import DeclarationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """An artifact in Argo's words, without its name and path: `fields` is JSON text."""

    fields: str
    path: str | None = None  #: where a step finds or leaves it, in its container

    def mapping(self) -> dict[str, Any]:
        """The fields."""
        found: dict[str, Any] = json.loads(self.fields)
        return found

    def __repr__(self) -> str:
        return f"the artifact {', '.join(self.mapping()) or self.path}"


def located(kind: str, more: Mapping[str, Any] | None = None, /, **fields: Any) -> Location:
    """An artifact of this kind; None is left out, and secrets are written by their names.

    `more` are further fields in Argo's words. Raises `DeclarationError` for what is no JSON.
    """
    given = {n: _field(n, value) for n, value in fields.items() if value not in (None, "", False)}
    try:
        text = json.dumps({kind: given | dict(more or {})}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"The artifact {kind} is no JSON: {error}.") from None
    return Location(fields=text)


def _field(name: str, value: Any) -> Any:
    if name.endswith("Secret"):
        return secret_selector(value, name)
    return config_selector(value, name) if isinstance(value, Entry) else value


def s3(
    key: str,
    *,
    bucket: str | None = None,
    endpoint: str | None = None,
    region: str | None = None,
    insecure: bool = False,
    access_key: Entry | None = None,
    secret_key: Entry | None = None,
    **more: Any,
) -> Any:
    """An object, or all below a key that ends in `/`, in S3 or what speaks it.

    insecure: HTTP without TLS. access_key, secret_key: `cj.secret("name", "key")`. more: further
    fields in Argo's words, such as `useSDKCreds=True`.
    """
    return located(
        "s3",
        more,
        key=key,
        bucket=bucket,
        endpoint=endpoint,
        region=region,
        insecure=insecure,
        accessKeySecret=access_key,
        secretKeySecret=secret_key,
    )


def oss(
    key: str,
    *,
    bucket: str | None = None,
    endpoint: str | None = None,
    access_key: Entry | None = None,
    secret_key: Entry | None = None,
    **more: Any,
) -> Any:
    """An object in Alibaba Cloud's OSS; options as `s3`."""
    return located(
        "oss",
        more,
        key=key,
        bucket=bucket,
        endpoint=endpoint,
        accessKeySecret=access_key,
        secretKeySecret=secret_key,
    )


def gcs(key: str, *, bucket: str | None = None, service_account_key: Entry | None = None) -> Any:
    """An object in Google Cloud Storage; service_account_key: `cj.secret("name", "key")`."""
    return located("gcs", key=key, bucket=bucket, serviceAccountKeySecret=service_account_key)


def azure(
    blob: str,
    *,
    container: str | None = None,
    endpoint: str | None = None,
    account_key: Entry | None = None,
    **more: Any,
) -> Any:
    """A blob in Azure's storage; account_key: `cj.secret("name", "key")`."""
    return located(
        "azure",
        more,
        blob=blob,
        container=container,
        endpoint=endpoint,
        accountKeySecret=account_key,
    )


def url(address: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
    """What an HTTP address answers with; headers: text by name. more: such as `auth`."""
    listed = [{"name": name, "value": value} for name, value in (headers or {}).items()]
    return located("http", more, url=address, headers=listed or None)


def git(
    repository: str,
    *,
    revision: str | None = None,
    branch: str | None = None,
    depth: int | None = None,
    username: Entry | None = None,
    password: Entry | None = None,
    ssh_key: Entry | None = None,
    **more: Any,
) -> Any:
    """A folder with a checkout; revision: a branch, tag or commit. ssh_key: `cj.secret(...)`."""
    return located(
        "git",
        more,
        repo=repository,
        revision=revision,
        branch=branch,
        depth=depth,
        usernameSecret=username,
        passwordSecret=password,
        sshPrivateKeySecret=ssh_key,
    )


def raw(text: str) -> Any:
    """A file with this text, which travels in the manifest.

    Raises `DeclarationError` for text with `{{`, which Argo would expand, and with `$$` or
    `$(NAME)`, which Kubernetes would: Argo hands it to the pod in an environment variable.
    """
    if found := EXPANDED.search(text):
        who = "Argo" if found[0] == "{{" else "Kubernetes"
        raise DeclarationError(f"cj.raw: the text holds {found[0]!r}, which {who} would expand.")
    return Location(fields=json.dumps({"raw": {"data": text}}))


def hdfs(
    path: str, *, addresses: list[str] | None = None, user: str | None = None, **more: Any
) -> Any:
    """A file or folder in HDFS. more: such as `krbRealm`, `krbCCacheSecret`."""
    return located("hdfs", more, path=path, addresses=addresses, hdfsUser=user)


def artifactory(
    address: str, *, username: Entry | None = None, password: Entry | None = None
) -> Any:
    """A file in JFrog's Artifactory."""
    return located("artifactory", url=address, usernameSecret=username, passwordSecret=password)


def plugin_artifact(name: str, key: str, *, configuration: str = "") -> Any:
    """What an artifact driver of the cluster's own keeps under this key (Argo 4.0 and later)."""
    return located("plugin", name=name, key=key, configuration=configuration)


_ARCHIVES = ("none", "tar", "zip")


def file(
    path: str | None = None,
    *,
    at: Location | None = None,
    archive: str | None = None,
    mode: int | None = None,
    optional: bool = False,
) -> Location:
    """How a file travels: `Annotated[Path, cj.file("/data/in.csv", archive="none")]`.

    path: where it is in the step's container, else a place of its own. at: where it is kept
    instead of in the artifact repository. archive: "none" keeps it as it is, "tar" and "zip" pack
    it ("tar" is Argo's default). mode: its permission bits. optional: it need not be there.
    """
    if archive not in (None, *_ARCHIVES):
        raise DeclarationError(f"archive={archive!r}: it is {', '.join(map(repr, _ARCHIVES))}.")
    fields = at.mapping() if at is not None else {}
    if archive is not None:
        fields["archive"] = {archive: {}}
    if mode is not None:
        fields["mode"] = mode
    if optional:
        fields["optional"] = True
    location = Location(fields=json.dumps(fields))
    return replace(location, path=path)
