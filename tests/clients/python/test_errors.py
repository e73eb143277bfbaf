"""wire.md 14-18 and the refusals of bad input: statuses, shapes, retries, deadlines, request ids."""

import re
import threading

import openai as openai_sdk
import pytest
from conftest import ask, cache_word, check_openai_error

CLASSES = {
    400: openai_sdk.BadRequestError,
    401: openai_sdk.AuthenticationError,
    403: openai_sdk.PermissionDeniedError,
    404: openai_sdk.NotFoundError,
    422: openai_sdk.UnprocessableEntityError,
    429: openai_sdk.RateLimitError,
    500: openai_sdk.InternalServerError,
}


def failing(openai, body):
    with pytest.raises(openai_sdk.APIStatusError) as caught:
        openai.chat.completions.create(**body)
    return caught.value


@pytest.mark.parametrize("status", [400, 404, 422])
def test_wire_14_a_request_the_upstream_refuses_raises_the_class_of_its_status(make_openai, counted, upstream, nonce, bad_model, status):
    upstream.script(nonce, {"status": status, "error_text": "the upstream says no"}, forever=True)
    error = failing(make_openai(http_client=counted.client), ask(nonce, model=bad_model))
    assert type(error) is CLASSES[status]
    assert "the upstream says no" in check_openai_error(error.response)["message"]
    assert len(counted.sent) == len(upstream.seen(nonce)) == 1


@pytest.mark.gateway
@pytest.mark.parametrize("status", [401, 403])
def test_wire_14_a_credential_the_upstream_refuses_is_not_the_clients_and_not_retried(make_openai, counted, upstream, nonce, bad_model, status):
    upstream.script(nonce, {"status": status}, forever=True)
    error = failing(make_openai(http_client=counted.client), ask(nonce, model=bad_model))
    check_openai_error(error.response)
    assert error.status_code in (status, 502)
    assert len(counted.sent) == 1


@pytest.mark.gateway
@pytest.mark.parametrize(
    "step",
    [
        {"status": 500},
        {"status": 503, "html": "<html><body>Service Unavailable</body></html>"},
        {"status": 200, "raw": "{not json"},
        {"status": 200, "html": "<html>welcome to the captive portal</html>"},
        {"truncate": 50},
        {"cut": True},
    ],
    ids=["500", "HTML 503", "invalid JSON", "HTML 200", "truncated", "closed"],
)
def test_wire_15_a_broken_upstream_is_one_5xx_for_the_sdk_after_our_own_tries(make_openai, counted, upstream, nonce, bad_model, step):
    upstream.script(nonce, step, forever=True)
    error = failing(make_openai(http_client=counted.client), ask(nonce, model=bad_model))
    assert isinstance(error, openai_sdk.InternalServerError)
    assert "<html" not in check_openai_error(error.response)["message"]
    assert error.response.headers["x-should-retry"] == "false"
    assert len(counted.sent) == 1
    assert 1 <= len(upstream.seen(nonce)) <= 4


@pytest.mark.gateway
def test_wire_15_a_409_of_the_upstream_never_reaches_the_client_as_409(make_openai, counted, upstream, nonce, bad_model):
    upstream.script(nonce, {"status": 409}, forever=True)
    error = failing(make_openai(http_client=counted.client), ask(nonce, model=bad_model))
    assert error.status_code != 409
    assert len(counted.sent) == 1


@pytest.mark.gateway
@pytest.mark.parametrize("first", [{"status": 500}, {"status": 429, "headers": {"retry-after-ms": "20"}}, {"cut": True}], ids=["500", "429", "closed"])
def test_wire_15_one_bad_answer_of_the_upstream_is_retried_unseen(make_openai, counted, upstream, nonce, bad_model, first):
    upstream.script(nonce, first)
    answer = make_openai(http_client=counted.client).chat.completions.create(**ask(nonce, model=bad_model))
    assert nonce in answer.choices[0].message.content
    assert (len(counted.sent), len(upstream.seen(nonce))) == (1, 2)


@pytest.mark.gateway
@pytest.mark.parametrize("hint", [{"retry-after": "300"}, {"retry-after-ms": "300000"}, {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}])
def test_wire_16_a_long_retry_hint_is_never_passed_on_above_60_seconds(make_openai, counted, upstream, nonce, bad_model, hint):
    upstream.script(nonce, {"status": 429, "headers": hint}, forever=True)
    error = failing(make_openai(http_client=counted.client), ask(nonce, model=bad_model))
    assert type(error) is openai_sdk.RateLimitError
    headers = error.response.headers
    assert float(headers.get("retry-after", 0)) <= 60
    assert float(headers.get("retry-after-ms", 0)) <= 60_000
    assert len(counted.sent) == 1, "x-should-retry: false must stop the SDK at once"


def leave(http, nonce, upstream, body, **headers):
    """Starts the call, closes the connection once the upstream works on it."""
    with pytest.raises(Exception, match="(?i)timed? ?out"):
        http.post("/v1/chat/completions", json=body, headers=headers, timeout=1.0)
    assert upstream.seen(nonce)


@pytest.mark.gateway
@pytest.mark.parametrize("declared", [True, False])
def test_wire_17_a_retry_joins_the_flight_its_first_attempt_left(http, upstream, nonce, declared):
    upstream.script(nonce, {"hold": True})
    body = ask(nonce) if declared else {k: v for k, v in ask(nonce).items() if k != "temperature"}
    leave(http, nonce, upstream, body, **{"x-stainless-retry-count": "0"})
    answers = []
    retry = threading.Thread(target=lambda: answers.append(http.post("/v1/chat/completions", json=body, headers={"x-stainless-retry-count": "1"})))
    retry.start()
    retry.join(0.5)
    upstream.release(nonce)
    retry.join(20)
    assert answers[0].status_code == 200 and nonce in answers[0].text
    assert cache_word(answers[0]) == "joined"
    assert [seen["ended"] for seen in upstream.seen(nonce)] == ["answered"]


@pytest.mark.gateway
def test_wire_17_without_a_retry_to_come_the_upstream_call_ends_with_its_caller(http, upstream, nonce):
    upstream.script(nonce, {"hold": True})
    leave(http, nonce, upstream, ask(nonce))
    assert upstream.wait(nonce, ended="client_left")


@pytest.mark.gateway
@pytest.mark.parametrize("header", ["x-stainless-read-timeout", "x-stainless-timeout"])
def test_wire_17_the_clients_patience_is_the_deadline(http, upstream, nonce, bad_model, header):
    upstream.script(nonce, {"hold": True}, forever=True)
    response = http.post("/v1/chat/completions", json=ask(nonce, model=bad_model), headers={header: "1"})
    assert response.status_code == 504, response.text
    check_openai_error(response)


@pytest.mark.gateway
def test_wire_17_a_stream_may_last_longer_than_the_pause_its_client_bears(make_openai, upstream, nonce):
    """The header tells how long the client waits for the next byte, not how long an answer may be."""
    upstream.script(nonce, {"event_delay_ms": 150}, forever=True)
    client = make_openai(timeout=1.0, max_retries=0)
    parts = list(client.chat.completions.create(**ask(nonce, "this answer has more than ten words to say"), stream=True))
    assert parts[-1].choices[0].finish_reason == "stop" and len(parts) > 8


@pytest.mark.gateway
def test_wire_18_every_answer_has_its_own_request_id_hits_and_errors_too(http, openai, nonce):
    calls = [http.post("/v1/chat/completions", json=ask(nonce)) for _ in range(3)]
    calls += [http.post("/v1/chat/completions", json=ask(nonce, stream=True)), http.get("/v1/models")]
    calls += [http.post("/v1/chat/completions", json=ask(nonce, model="nothing-like-it")), http.get("/v1/models/nothing-like-it")]
    ids = [call.headers["x-request-id"] for call in calls]
    assert len(set(ids)) == len(calls)
    assert len({call.json()["id"] for call in calls[:3]}) == 1, "a replayed body id may repeat"
    assert openai.chat.completions.create(**ask(nonce))._request_id not in ids


@pytest.mark.gateway
def test_an_unknown_model_is_404_and_near_names_are_listed(make_openai, counted, nonce):
    error = failing(make_openai(http_client=counted.client), ask(nonce, model="test-modle"))
    assert type(error) is openai_sdk.NotFoundError
    assert "test-model" in check_openai_error(error.response)["message"]
    assert error.code == "model_not_found"
    assert len(counted.sent) == 1


@pytest.mark.gateway
def test_malformed_json_is_400_and_says_where(http):
    response = http.post("/v1/chat/completions", content=b'{"model": "test-model", ]}', headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert re.search(r"\b2[45]\b", check_openai_error(response)["message"])


@pytest.mark.gateway
def test_a_body_over_the_limit_is_413_and_the_limit_named(another_tidegate, make_openai, counted, nonce):
    server = another_tidegate(extra="[limits]\nbody_bytes = 4096\n")
    error = failing(make_openai(server, http_client=counted.client), ask(nonce, "x" * 10_000))
    assert error.status_code == 413
    assert re.search(r"4,?096", check_openai_error(error.response)["message"])
    assert len(counted.sent) == 1


@pytest.mark.gateway
def test_what_we_retried_in_vain_is_not_retried_again_by_the_sdk(make_openai, counted, upstream, nonce, bad_model):
    upstream.script(nonce, {"status": 429, "headers": {"retry-after-ms": "20"}}, forever=True)
    error = failing(make_openai(http_client=counted.client), ask(nonce, model=bad_model))
    assert type(error) is openai_sdk.RateLimitError
    assert error.response.headers["retry-after-ms"] == "20", "who comes back later may know when"
    assert (len(counted.sent), len(upstream.seen(nonce))) == (1, 3)


@pytest.mark.gateway
def test_unknown_paths_and_methods_answer_in_the_shape_of_their_prefix(http):
    for method, path in (("GET", "/nothing"), ("GET", "/api/v1/nothing"), ("DELETE", "/api/v1/engine")):
        response = http.request(method, path)
        assert response.status_code in (404, 405), (path, response.status_code)
        assert check_openai_error(response)["stage"]


@pytest.mark.gateway
def test_a_full_lane_is_429_with_lane_limit_and_when_to_come_back(another_tidegate, make_openai, counted, upstream, nonce):
    server = another_tidegate(extra="[lanes]\nmax_concurrency = 2\nqueue_jobs = 2\n")
    upstream.script(nonce, {"hold": True}, forever=True)
    client = make_openai(server, max_retries=0, http_client=counted.client)
    results, lock = [], threading.Lock()

    def call(i):
        try:
            result = client.chat.completions.create(**ask(f"{nonce} {i}"))
        except openai_sdk.APIError as error:
            result = error
        with lock:
            results.append(result)
            if sum(isinstance(r, Exception) for r in results) == 5:
                refused.set()

    refused = threading.Event()
    threads = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    assert refused.wait(20), "one slot and two places: five of eight are refused"
    while any(thread.is_alive() for thread in threads):
        upstream.release(nonce)
        for thread in threads:
            thread.join(0.1)
    errors = [r for r in results if isinstance(r, Exception)]
    assert len(errors) == 5
    for error in errors:
        assert type(error) is openai_sdk.RateLimitError
        message = check_openai_error(error.response)["message"]
        assert "interactive" in message and re.search(r"\b2\b", message)
        assert 0 < float(error.response.headers["retry-after-ms"]) <= 60_000
        assert error.response.headers.get("x-should-retry") != "false", "nothing was started: a retry is safe"
