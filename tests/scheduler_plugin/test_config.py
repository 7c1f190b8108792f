import getpass
import os

import pytest

from scheduler_plugin.config import Options, owner


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"JUPYTERHUB_USER": "ada", "PREFERRED_USERNAME": "bob"}, "ada"),
        ({"PREFERRED_USERNAME": "bob"}, "bob"),
        ({"JUPYTERHUB_USER": ""}, getpass.getuser()),
        ({}, getpass.getuser()),
    ],
)
def test_the_owner_is_who_the_server_belongs_to(environ: dict[str, str], name: str) -> None:
    assert owner(environ) == name


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_a_number(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert owner({}) == f"uid-{os.getuid()}"


def test_every_setting_is_explained_and_has_a_default() -> None:
    settings = Options.class_own_traits(config=True)

    assert settings
    assert all(trait.help for trait in settings.values())
