"""wire.md 19: `/v1/models` has two shapes on one path."""

import pytest
from conftest import check_openai_error

pytestmark = pytest.mark.gateway


def test_wire_19_the_openai_sdk_lists_and_retrieves_models(openai):
    names = [model.id for model in openai.models.list()]
    assert {"test-model", "embed-small", "claude-test"} <= set(names)
    one = openai.models.retrieve("test-model")
    assert (one.id, one.object) == ("test-model", "model")
    assert isinstance(one.created, int) and one.owned_by


def test_wire_19_the_anthropic_sdk_lists_and_retrieves_models(anthropic):
    page = anthropic.models.list(limit=1000)
    assert {"claude-test", "test-model"} & {model.id for model in page.data}
    assert all(model.type == "model" and model.display_name and model.created_at for model in page.data)
    assert page.has_more is False and page.first_id == page.data[0].id and page.last_id == page.data[-1].id
    assert anthropic.models.retrieve("claude-test").id == "claude-test"


def test_wire_19_an_unknown_model_is_404_in_the_shape_of_the_asker(http):
    plain = http.get("/v1/models/nothing-like-it")
    assert plain.status_code == 404
    check_openai_error(plain)
    other = http.get("/v1/models/nothing-like-it", headers={"anthropic-version": "2023-06-01"})
    assert other.status_code == 404
    assert other.json()["type"] == "error" and other.json()["error"]["type"] == "not_found_error"
    assert other.headers["request-id"]
