"""The documentation keeps step with what the program reads."""

import ast
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.apps import apps

from sync.models import SyncRequest
from syncify import __version__

ROOT = Path(__file__).parent.parent
READ = re.compile(r'(?:env_\w+|environ\.get)\(\s*"([A-Z_]+)"')
WRITTEN_HERE = re.compile(r"\$\{([A-Z_]+)")
DOCUMENTED = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
OUR_APPS = ("accounts", "spotify", "sync")
#: Old names, documented beside the ones that took their place.
ALIASES = {"SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET"}


def found(pattern: re.Pattern[str], files: Iterable[Path]) -> set[str]:
    return {name for file in files for name in pattern.findall(file.read_text(encoding="utf-8"))}


def read_settings() -> set[str]:
    folders = ("accounts", "sync", "syncify")
    code = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    return (
        found(READ, [*code, ROOT / "gunicorn.conf.py"])
        | found(WRITTEN_HERE, ROOT.glob("docker-compose*.yml"))
        | {"GUNICORN_CMD_ARGS"}
    )


def documented_settings() -> set[str]:
    return found(DOCUMENTED, [ROOT / "docs" / "configuration.md"])


def test_every_setting_is_documented_and_no_other() -> None:
    assert documented_settings() == read_settings() - ALIASES


def test_old_names_are_mentioned() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert {name for name in ALIASES if f"`{name}`" not in text} == set()


def test_example_of_the_environment_names_settings_that_exist() -> None:
    names = found(re.compile(r"^#?([A-Z_]+)=", re.MULTILINE), [ROOT / ".env.example"])

    assert "SPOTIFY_CLIENT_ID" in names
    assert names <= documented_settings()


@pytest.mark.parametrize(
    "page",
    [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda p: p.name,
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_kind_state_and_column_of_a_request_is_in_the_glossary() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

    names = [field.column for field in SyncRequest._meta.concrete_fields]
    names += [*SyncRequest.State.values, *SyncRequest.Kind.values]
    missing = [name for name in names if f"`{name}`" not in glossary]

    assert missing == []


def test_every_table_is_in_the_glossary() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

    ours = [model for app in OUR_APPS for model in apps.get_app_config(app).get_models()]
    missing = {
        model._meta.db_table for model in ours if f"`{model._meta.db_table}`" not in glossary
    }

    assert missing == set()


def test_what_people_see_is_quoted_as_the_pages_say_it() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    symptoms = re.findall(r"^\| ([^|]*“[^|]*) \|", operations, re.MULTILINE)
    code = [
        file for name in ("accounts", "sync", "syncify") for file in (ROOT / name).rglob("*.py")
    ]
    nodes = [node for file in code for node in ast.walk(ast.parse(file.read_bytes()))]
    said = [str(node.value) for node in nodes if isinstance(node, ast.Constant)]
    said += [page.read_text(encoding="utf-8") for page in (ROOT / "templates").rglob("*.html")]

    quoted = [words for symptom in symptoms for words in re.findall(r"“(.*?)”", symptom)]

    assert len(quoted) > 10
    assert [words for words in quoted if not any(words in text for text in said)] == []


def test_every_place_names_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(
        r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert newest
    assert (project["version"], newest[1]) == (__version__, __version__)
    assert f"syncify:{__version__}" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
