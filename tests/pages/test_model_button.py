"""The button that asks a language model: where it shows, and what it does with each answer."""

import html
import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from sync.models import Mirror, SyncRequest
from tests.builders import make_like
from tests.fake_model import FakeModel
from tests.pages.test_playlists import fields_of

pytestmark = pytest.mark.django_db

SENTENCE = "zorp the blargh of yore"
BUTTON = "Ask the language model"
JAZZ = {"tests": [{"field": "title", "op": "contains", "value": "looped"}], "limit": 50}


@pytest.fixture
def ada(ada: User) -> User:
    make_like(ada, "Looped")
    return ada


def press(client: Client, sentence: str = SENTENCE) -> Any:
    response = client.post("/playlists/new/", {"do": "ask", "sentence": sentence})
    assert response.status_code == 200
    assert not Mirror.objects.filter(is_main=False).exists()
    assert not SyncRequest.objects.exists()
    return response


def words(response: Any) -> str:
    return html.unescape(" ".join(response.content.decode().split()))


def test_the_button_shows_only_where_a_model_is_set(
    client: Client, ada: User, llm: FakeModel, settings: Any
) -> None:
    assert BUTTON in words(client.get("/playlists/new/", {"sentence": SENTENCE}))
    # A sentence that is understood needs no model, and a very long one is not sent.
    assert BUTTON not in words(client.get("/playlists/new/", {"sentence": "last 100"}))
    assert BUTTON not in words(client.get("/playlists/new/", {"sentence": "zorp " * 150}))

    settings.LLM_URL = ""

    assert BUTTON not in words(client.get("/playlists/new/", {"sentence": SENTENCE}))
    assert "Not understood" in words(press(client))
    assert llm.requests == []


def test_the_button_fills_the_form_with_the_rule_and_saves_nothing(
    client: Client, ada: User, llm: FakeModel
) -> None:
    llm.say = llm.saying(json.dumps(JAZZ))

    response = press(client)

    page = words(response)
    assert "The language model suggests this. Check it before you save." in page
    fields = fields_of(response)
    assert (fields["value-0"], fields["limit"]) == ("looped", "50")
    assert "data-count=" in page
    assert "Not understood" not in page
    [sent] = llm.requests
    assert sent["messages"][-1]["content"] == SENTENCE
    assert "Looped" not in json.dumps(sent)


ODD: dict[str, Any] = {
    "garbage": FakeModel.sending(b"\x00 no JSON"),
    "an error": FakeModel.saying("{}", status=500),
    "prose": FakeModel.saying("Sure! Here is your playlist."),
    "an unknown field": FakeModel.saying(
        json.dumps({"tests": [{"field": "mood", "op": "is", "value": "sad"}]})
    ),
    "a rule that says nothing": FakeModel.saying("{}"),
    "another's playlist": FakeModel.saying(
        json.dumps({"tests": [{"field": "mirror", "op": "in", "value": [1]}]})
    ),
    "markup": FakeModel.saying("<script>alert(1)</script>"),
}


@pytest.mark.parametrize("answer", ODD)
def test_what_is_no_rule_ends_in_not_understood(
    client: Client, ada: User, llm: FakeModel, answer: str
) -> None:
    llm.say = ODD[answer]

    page = words(press(client))

    assert f"Not understood: <q><bdi>{SENTENCE}</bdi></q>" in page
    assert "suggests" not in page
    assert "<script>alert" not in page
    assert len(llm.requests) == 1


def test_what_the_model_suggests_is_saved_by_the_listener_alone(
    client: Client, ada: User, llm: FakeModel
) -> None:
    llm.say = llm.saying(json.dumps(JAZZ))
    response = press(client)
    fields = fields_of(response)

    client.post("/playlists/new/", fields | {"name": "Loops", "do": "save"})

    mirror = Mirror.objects.get(is_main=False)
    assert mirror.name == "Loops"
    assert mirror.rule["limit"] == 50
    [test] = mirror.rule["tests"]
    assert (test["field"], test["value"]) == ("title", "looped")
