"""What a step leaves, and files that it takes from a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl import locations
from couler_jobs.dsl.couler import secrets
from couler_jobs.dsl.entries import Entry, secret
from couler_jobs.dsl.locations import Location
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import parameter_name

Key = str | Entry | None
"""Credentials: `couler_jobs.secret("name", "key")` (best), or the text itself."""

AMAZON = "s3.amazonaws.com"


class ArtifactType:
    """The kinds of store that Couler knows by name."""

    LOCAL = "local"
    S3 = "s3"
    OSS = "oss"


class Artifact:
    """An output parameter: the text of the file at `path` when the step has ended."""

    def __init__(self, path: str, type: str | None = None, is_global: bool = False) -> None:
        self.path, self.type, self.is_global = path, type or "parameters", is_global

    @property
    def name(self) -> str:
        """What it is called in the step, but for an ordinal."""
        last = self.path.rstrip("/").rpartition("/")[2]
        return parameter_name(last.replace(".", "-").strip("-") or "output")

    def output(self, name: str) -> model.OutputFile:
        """What the step leaves."""
        found = name if self.is_global else None
        return model.OutputFile(name=name, path=self.path, global_name=found)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"


class TypedArtifact(Artifact):
    """A file or folder that lies in a store: `location` says where, None in the default one."""

    def __init__(
        self, kind: str, path: str, location: Location | None = None, is_global: bool = False
    ) -> None:
        super().__init__(path, kind, is_global)
        self.location = location

    def output(self, name: str) -> model.OutputFile:
        """What the step leaves."""
        return model.OutputFile(
            name=name,
            path=self.path,
            kind="artifact",
            global_name=name if self.is_global else None,
            extra=self.location.fields if self.location else "{}",
        )

    def input(self, name: str) -> model.Artifact:
        """What the step takes. Raises `DeclarationError` where nobody could know what that is."""
        if self.location is None:
            raise DeclarationError(
                f"{self!r} says not where it lies: pass the output of the step that leaves it."
            )
        return model.Artifact(name=name, path=self.path, extra=self.location.fields)


class LocalArtifact(TypedArtifact):
    """A file or folder that a step leaves, in the artifact repository that Argo is set up with."""

    def __init__(self, path: str, is_global: bool = False) -> None:
        super().__init__(ArtifactType.LOCAL, path, None, is_global)


class S3Artifact(TypedArtifact):
    """A file or folder in S3, or in a store that speaks as S3 does."""

    def __init__(
        self,
        path: str,
        accesskey_id: Key = None,
        accesskey_secret: Key = None,
        bucket: str | None = None,
        key: str | None = None,
        endpoint: str = AMAZON,
        is_global: bool = False,
        insecure: bool = False,
    ) -> None:
        access, hidden = _keys(ArtifactType.S3, endpoint, bucket, accesskey_id, accesskey_secret)
        where = locations.s3(
            key or "",
            bucket=bucket,
            endpoint=endpoint,
            insecure=insecure,
            access_key=access,
            secret_key=hidden,
        )
        super().__init__(ArtifactType.S3, path, where, is_global)


class OssArtifact(TypedArtifact):
    """A file or folder in Alibaba Cloud's OSS. It has no endpoint but the one that is given."""

    def __init__(
        self,
        path: str,
        accesskey_id: Key = None,
        accesskey_secret: Key = None,
        bucket: str | None = None,
        key: str | None = None,
        endpoint: str | None = None,
        is_global: bool = False,
    ) -> None:
        access, hidden = _keys(ArtifactType.OSS, endpoint, bucket, accesskey_id, accesskey_secret)
        where = locations.oss(
            key or "", bucket=bucket, endpoint=endpoint, access_key=access, secret_key=hidden
        )
        super().__init__(ArtifactType.OSS, path, where, is_global)


def _keys(
    kind: str, endpoint: str | None, bucket: str | None, access: Key, hidden: Key
) -> tuple[Entry | None, Entry | None]:
    """Both keys as entries of a secret; texts become a secret of their own."""
    if isinstance(access, Entry) or isinstance(hidden, Entry):
        if isinstance(access, Entry) and isinstance(hidden, Entry):
            return access, hidden
        raise DeclarationError("Give both access keys as entries of a secret, or both as texts.")
    if not access or not hidden:
        return None, None
    name = secrets.unnamed(f"couler-{kind}-{bucket or kind}", [kind, endpoint or "", bucket or ""])
    data = {"accessKey": access, "secretKey": hidden}
    made = secrets.Secret(secrets.ANYWHERE, data, None, artifact_secret=True)
    made.name = name
    found = secrets.add(made)
    return secret(found, "accessKey"), secret(found, "secretKey")


def create_parameter_artifact(path: str, is_global: bool = False) -> Artifact:
    """An output parameter: the text of the file at `path` when the step has ended."""
    return Artifact(path=path, is_global=is_global)


def create_local_artifact(path: str, is_global: bool = False) -> LocalArtifact:
    """A file or folder that a step leaves, in the artifact repository that Argo is set up with."""
    return LocalArtifact(path, is_global)


def create_s3_artifact(
    path: str,
    bucket: str | None = None,
    accesskey_id: Key = None,
    accesskey_secret: Key = None,
    key: str | None = None,
    endpoint: str | None = None,
    is_global: bool = False,
    insecure: bool = False,
) -> S3Artifact:
    """A file or folder in S3, or in a store that speaks as S3 does (`endpoint`, host:port).

    The keys are entries of a secret that is in the cluster, `couler_jobs.secret("name", "key")`.
    Texts become a secret that is made beside the workflow, never part of its manifest.
    `insecure`: HTTP without TLS. Without an endpoint it is Amazon's.
    """
    return S3Artifact(
        path,
        accesskey_id,
        accesskey_secret,
        bucket,
        key,
        endpoint or AMAZON,
        is_global,
        insecure,
    )


def create_oss_artifact(
    path: str,
    bucket: str | None = None,
    accesskey_id: Key = None,
    accesskey_secret: Key = None,
    key: str | None = None,
    endpoint: str | None = None,
    is_global: bool = False,
) -> OssArtifact:
    """A file or folder in Alibaba Cloud's OSS; the keys as in `create_s3_artifact`."""
    return OssArtifact(path, accesskey_id, accesskey_secret, bucket, key, endpoint, is_global)


def create_gcs_artifact(
    path: str,
    bucket: str | None = None,
    key: str | None = None,
    service_account_key: Entry | None = None,
    is_global: bool = False,
) -> TypedArtifact:
    """A file or folder in Google Cloud Storage."""
    where = locations.gcs(key or "", bucket=bucket, service_account_key=service_account_key)
    return TypedArtifact("gcs", path, where, is_global)


def create_azure_artifact(
    path: str,
    container: str | None = None,
    blob: str | None = None,
    endpoint: str | None = None,
    account_key: Entry | None = None,
    is_global: bool = False,
) -> TypedArtifact:
    """A file or folder in Azure's blob storage."""
    where = locations.azure(
        blob or "", container=container, endpoint=endpoint, account_key=account_key
    )
    return TypedArtifact("azure", path, where, is_global)


def create_http_artifact(
    path: str, url: str, headers: Mapping[str, str] | None = None, is_global: bool = False
) -> TypedArtifact:
    """What an HTTP address answers with."""
    return TypedArtifact("http", path, locations.url(url, headers=headers), is_global)


def create_git_artifact(
    path: str,
    repo: str,
    revision: str | None = None,
    depth: int | None = None,
    username: Entry | None = None,
    password: Entry | None = None,
    ssh_key: Entry | None = None,
) -> TypedArtifact:
    """A folder with a checkout of a Git repository."""
    where = locations.git(
        repo,
        revision=revision,
        depth=depth,
        username=username,
        password=password,
        ssh_key=ssh_key,
    )
    return TypedArtifact("git", path, where)


def create_raw_artifact(path: str, data: str) -> TypedArtifact:
    """A file with this text, which travels in the manifest."""
    return TypedArtifact("raw", path, locations.raw(data))


def create_artifact(path: str, fields: Mapping[str, Any], is_global: bool = False) -> TypedArtifact:
    """A file or folder in any store of Argo's, in Argo's words: `{"hdfs": {...}}`."""
    kind = next(iter(fields), "")
    return TypedArtifact(kind, path, Location(fields=json.dumps(dict(fields))), is_global)
