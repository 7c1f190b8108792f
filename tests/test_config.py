"""Settings: what wins, what is refused, what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from couler_jobs.config import Secret, Settings
from couler_jobs.errors import ConfigError


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))


def config_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_argument_wins_over_environment_and_file(tmp_path: Path) -> None:
    file = config_file(tmp_path, 'namespace = "file"')
    settings = Settings.load({"ARGO_NAMESPACE": "env"}, file, namespace="argument")
    assert (settings.namespace, settings.origin("namespace")) == ("argument", "argument")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = Settings.load({"ARGO_NAMESPACE": "env"}, config_file(tmp_path, 'namespace = "file"'))
    assert (settings.namespace, settings.origin("namespace")) == ("env", "environment")


def test_the_file_wins_over_the_default(tmp_path: Path) -> None:
    file = config_file(tmp_path, "secure = false")
    settings = Settings.load({"COULER_JOBS_CONFIG": str(file)})
    assert (settings.secure, settings.origin("secure")) == (False, str(file))


def test_the_platforms_file_is_read_without_being_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "couler-jobs").mkdir()
    config_file(tmp_path / "couler-jobs", 'server = "here:2746"')
    assert Settings.load({}).server == "here:2746"


def test_nothing_configured_gives_defaults() -> None:
    settings = Settings.load({"ARGO_SERVER": ""})
    assert (settings.server, settings.secure, settings.token) == ("", True, None)
    assert settings.origin("server") == "default"
    assert settings.home.name == "couler-jobs"


def test_an_argument_of_none_counts_as_not_given() -> None:
    assert Settings.load({"ARGO_NAMESPACE": "env"}, namespace=None).namespace == "env"


def test_the_processes_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_SERVER", "from-process:1")
    assert Settings.load().server == "from-process:1"


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, ""),
        ({"ARGO_SERVER": "argo:2746"}, "https://argo:2746"),
        ({"ARGO_SERVER": "argo", "ARGO_SECURE": "false"}, "http://argo"),
        ({"ARGO_SERVER": "argo:80", "ARGO_BASE_HREF": "/argo/"}, "https://argo:80/argo"),
        ({"ARGO_SERVER": "[::1]:2746", "ARGO_BASE_HREF": "/"}, "https://[::1]:2746"),
    ],
)
def test_the_url_is_made_of_server_security_and_base(environ: dict[str, str], url: str) -> None:
    assert Settings.load(environ).url == url


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ARGO_SERVER", "https://argo:2746"),
        ("ARGO_SERVER", "argo:99999"),
        ("ARGO_SERVER", "argo:0"),
        ("ARGO_SERVER", "argo:2746/path"),
        ("ARGO_SERVER", "user:word@argo"),
        ("ARGO_SECURE", "ja"),
        ("ARGO_INSECURE_SKIP_VERIFY", "2"),
        ("ARGO_HTTP1", "yes"),
        ("ARGO_NAMESPACE", "Not_A_Namespace"),
        ("ARGO_BASE_HREF", "/a b/"),
        ("ARGO_TOKEN", "a\nb"),
        ("ARGO_TOKEN_FILE", "a\0b"),
        ("COULER_JOBS_BACKEND", "docker"),
        ("COULER_JOBS_HOME", "~no-such-user/x"),
    ],
)
def test_a_malformed_value_is_refused_naming_its_variable_but_not_a_secret(
    variable: str, value: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.load({variable: value})
    assert str(refused.value).startswith(f"{variable} (from environment) ")
    assert value not in str(refused.value)


def test_a_value_of_the_wrong_type_in_the_file_names_the_file(tmp_path: Path) -> None:
    file = config_file(tmp_path, "namespace = 7")
    with pytest.raises(ConfigError, match=r"^namespace \(from .*config.toml\) is to be a text"):
        Settings.load({}, file)


def test_an_unknown_setting_in_the_file_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no setting 'sever' .*backend, home, server"):
        Settings.load({}, config_file(tmp_path, 'sever = "x"'))


def test_asking_for_the_origin_of_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="no setting 'nope'"):
        Settings.load({}).origin("nope")


def test_a_named_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing.toml cannot be read: No such file"):
        Settings.load({"COULER_JOBS_CONFIG": str(tmp_path / "missing.toml")})


@pytest.mark.parametrize("named", ["~no-such-user/x.toml", "a\0b"])
def test_a_file_that_cannot_be_named_so_is_refused(named: str) -> None:
    with pytest.raises(ConfigError, match=r"^COULER_JOBS_CONFIG "):
        Settings.load({"COULER_JOBS_CONFIG": named})


def test_a_broken_file_names_its_line_and_quotes_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not valid TOML \(line 2\)") as refused:
        Settings.load({}, config_file(tmp_path, 'secure = true\ntoken = "hush" more'))
    assert "hush" not in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        Settings.load({}, tmp_path / "config.toml")


def test_a_token_is_shown_nowhere() -> None:
    settings = Settings.load({"ARGO_TOKEN": "hush"})
    assert "hush" not in f"{settings} {settings!r} {settings.token} {settings.token!r}"
    assert settings.token is not None
    assert settings.token.reveal() == "hush"


def test_secrets_compare_by_what_they_hide() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_a_token_may_be_handed_in_as_a_secret() -> None:
    assert Settings.load({}, token=Secret("hush")).read_token() == Secret("hush")


def test_the_token_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = Settings.load({"ARGO_TOKEN_FILE": str(file)})
    file.write_text("first\n", encoding="utf-8")
    assert settings.read_token() == Secret("first")
    file.write_text("second\n", encoding="utf-8")
    assert settings.read_token() == Secret("second")


def test_a_token_wins_over_a_token_file_of_the_same_origin(tmp_path: Path) -> None:
    environ = {"ARGO_TOKEN": "direct", "ARGO_TOKEN_FILE": str(tmp_path / "unread")}
    assert Settings.load(environ).read_token() == Secret("direct")


def test_a_token_file_of_a_stronger_origin_wins_over_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("file", encoding="utf-8")
    settings = Settings.load({"ARGO_TOKEN": "direct"}, token_file=tmp_path / "token")
    assert settings.read_token() == Secret("file")


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read: No such file"), (b" \n", "is empty"), (b"\xff", "it is not text")],
)
def test_a_token_file_without_a_token_is_refused(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"ARGO_TOKEN_FILE, from environment.*{why}"):
        Settings.load({"ARGO_TOKEN_FILE": str(tmp_path / "token")}).read_token()


def test_no_token_is_none() -> None:
    assert Settings.load({}).read_token() is None
