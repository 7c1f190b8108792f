"""Where runs go and who asks for them: default < file < environment < argument.

The file is `$COULER_JOBS_CONFIG`, else `couler-jobs/config.toml` in the platform's folder for
configuration; its keys are the names of the fields of `Settings`. The environment variables are
those of the `argo` command line, and two of our own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from couler_jobs.errors import ConfigError

CONFIG_VARIABLE = "COULER_JOBS_CONFIG"
BACKENDS = ("local", "argo-server", "kubernetes")
DEFAULT = "default"
ARGUMENT = "argument"


class Secret:
    """A text that is shown nowhere by accident: only `reveal()` gives it back."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)


# --- how the text of a variable, or a value of the file, becomes a field; each raises ValueError
# with the rest of the sentence "ARGO_SECURE (from ...) ..."


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is to be a text.")
    if any(char in value for char in "\r\n\0"):
        raise ValueError("may not contain a line break.")
    return value


def _flag(value: Any) -> bool:
    # The words that Go's strconv.ParseBool takes, as the argo command line does.
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("1", "t", "true"):
        return True
    if word in ("0", "f", "false"):
        return False
    raise ValueError("is to be true or false.")


def _path(value: Any) -> Path:
    try:
        return Path(_text(value) if not isinstance(value, Path) else value).expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and a user whose home is not known.") from None


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(_text(value).strip())


def _server(value: Any) -> str:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", _text(value))
    if match is None or int(match[2] or 1) not in range(1, 65536):
        # Not shown: what people paste here may hold a password.
        raise ValueError("is to be host:port, without https:// and without a path.")
    return match[0]


def _base_href(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~/-]*", _text(value)):
        raise ValueError("is to be a path such as /argo/.")
    trimmed = str(value).strip("/")
    return f"/{trimmed}" if trimmed else ""


def _namespace(value: Any) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", _text(value)):
        raise ValueError("is to be a Kubernetes namespace: small letters, digits and dashes.")
    return str(value)


def _backend(value: Any) -> str:
    if value not in BACKENDS:
        raise ValueError(f"is to be one of {', '.join(BACKENDS)}.")
    return str(value)


SETTINGS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "backend": ("COULER_JOBS_BACKEND", _backend),
    "home": ("COULER_JOBS_HOME", _path),
    "server": ("ARGO_SERVER", _server),
    "token": ("ARGO_TOKEN", _secret),
    "token_file": ("ARGO_TOKEN_FILE", _path),
    "namespace": ("ARGO_NAMESPACE", _namespace),
    "base_href": ("ARGO_BASE_HREF", _base_href),
    "secure": ("ARGO_SECURE", _flag),
    "insecure_skip_verify": ("ARGO_INSECURE_SKIP_VERIFY", _flag),
    "http1": ("ARGO_HTTP1", _flag),
    "kubeconfig": ("KUBECONFIG", _text),
    "context": ("COULER_JOBS_CONTEXT", _text),
}
"""Each setting's environment variable, and what turns its text into the field's value."""


def _state_folder() -> Path:
    import platformdirs

    return platformdirs.user_state_path("couler-jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is configured, each value with where it came from. Made by `Settings.load`."""

    backend: str = ""
    """Where runs go: "local", "argo-server", "kubernetes"; "" leaves it to `choose`."""
    home: Path = field(default_factory=_state_folder)
    """The local engine's state folder."""
    server: str = ""
    """Argo Server's host:port; "" when none is configured."""
    token: Secret | None = None
    """What is sent as the Authorization header, with or without its leading "Bearer "."""
    token_file: Path | None = None
    """A file that holds the token; it may change at any time, see `read_token`."""
    namespace: str = ""
    """The Kubernetes namespace; "" leaves it to the backend."""
    base_href: str = ""
    """The path under which Argo Server is reached: "" or "/argo", with no slash at its end."""
    secure: bool = True
    """Whether Argo Server speaks TLS."""
    insecure_skip_verify: bool = False
    """Whether its certificate goes unchecked."""
    http1: bool = False
    """Accepted for the `argo` command line's sake: our client speaks HTTP/1.1 always."""
    kubeconfig: str = ""
    """The kubeconfig file, or several as kubectl reads them. It alone sends nothing anywhere."""
    context: str = ""
    """The kubeconfig's context; "" is its current one."""
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str] | None = None,
        file: Path | None = None,
        **arguments: Any,
    ) -> Settings:
        """Everything that is configured, the strongest origin of each value winning.

        `environ` is the process's own by default; an empty variable counts as unset. `file` is
        looked for as the module says. An argument of None counts as not given.
        Raises ConfigError, with the name and the origin of the value, for what cannot be read.
        """
        environ = os.environ if environ is None else environ
        strongest = {given.name: given for given in _given(environ, file, arguments)}
        return cls(
            **{name: _read(given) for name, given in strongest.items()},
            origins={name: given.origin for name, given in strongest.items()},
        )

    def origin(self, name: str) -> str:
        """Where a value came from: "default", a file's path, "environment" or "argument"."""
        if name not in SETTINGS:
            raise ConfigError(f"There is no setting {name!r}: there are {', '.join(SETTINGS)}.")
        return self.origins.get(name, DEFAULT)

    @property
    def url(self) -> str:
        """Argo Server's address, without a slash at its end; "" when none is configured."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.server}{self.base_href}" if self.server else ""

    def read_token(self) -> Secret | None:
        """The token as it is now, its file read anew; None where none is configured.

        A token and a token file: the one from the stronger origin, the token where both are equal.
        Raises ConfigError when the file cannot be read or is empty.
        """
        if self.token_file is None or (self.token and self._strength("token") >= self._strength()):
            return self.token
        return _read_token_file(self.token_file, self.origin("token_file"))

    def _strength(self, name: str = "token_file") -> int:
        origin = self.origin(name)
        return {DEFAULT: 0, "environment": 2, ARGUMENT: 3}.get(origin, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """One value as it was written somewhere."""

    name: str
    value: Any = field(repr=False)
    label: str
    origin: str


def _given(
    environ: Mapping[str, str], file: Path | None, arguments: Mapping[str, Any]
) -> Iterator[_Given]:
    """Every value that is given, the weakest origin first."""
    for path, table in _from_file(environ, file):
        for name, value in table.items():
            yield _Given(name=name, value=value, label=name, origin=str(path))
    for name, (variable, _) in SETTINGS.items():
        if environ.get(variable):
            yield _Given(name=name, value=environ[variable], label=variable, origin="environment")
    for name, value in arguments.items():
        if value is not None:
            yield _Given(name=name, value=value, label=name, origin=ARGUMENT)


def _from_file(
    environ: Mapping[str, str], file: Path | None
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The file and its table, if there is one; a file that was named has to be there."""
    named = file or environ.get(CONFIG_VARIABLE)
    path = _named_file(named) if named else _default_file()
    if named or path.is_file():
        yield path, _read_file(path)


def _named_file(named: Path | str) -> Path:
    try:
        return _path(named)
    except ValueError as error:
        raise ConfigError(f"{CONFIG_VARIABLE} {error}") from None


def _default_file() -> Path:
    import platformdirs

    return platformdirs.user_config_path("couler-jobs") / "config.toml"


def _read_file(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise ConfigError(
            f"The configuration file {path} cannot be read: {error.strerror}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # A decoder's message may quote what it read, and the file may hold a token.
        where = re.search(r"line \d+", str(error))
        raise ConfigError(
            f"The configuration file {path} is not valid TOML{f' ({where[0]})' if where else ''}."
        ) from None


def _read(given: _Given) -> Any:
    if given.name not in SETTINGS:
        raise ConfigError(
            f"There is no setting {given.name!r} (from {given.origin}): "
            f"there are {', '.join(SETTINGS)}."
        )
    try:
        return SETTINGS[given.name][1](given.value)
    except ValueError as error:
        raise ConfigError(f"{given.label} (from {given.origin}) {error}") from None


def _read_token_file(path: Path, origin: str) -> Secret:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"The token file {path} (ARGO_TOKEN_FILE, from {origin}) cannot be read: {why}."
        ) from None
    if not text:
        raise ConfigError(f"The token file {path} (ARGO_TOKEN_FILE, from {origin}) is empty.")
    return Secret(text)
