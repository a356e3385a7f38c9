"""Which error an answer becomes: the run ends at once, the call is tried again, or this one request is given up."""

from __future__ import annotations

from typing import Any

import pytest

from culturepark.errors import CallError, EndpointError
from culturepark.llm.faults import OverloadError, error_for, read_fault

WHERE = "the server at http://host/v1"


def judge(status: int, message: str = "", code: str = "", kind: str = "", headers: Any = None) -> Exception:
    body = {"error": {"message": message, "type": kind, "code": code}}
    return error_for(read_fault(status, body, headers or {}), WHERE)


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (429, "You exceeded your current quota, please check your plan.", "insufficient_quota", "insufficient_quota"),
        (429, "Your account is not active, please check your billing details.", "billing_not_active", ""),
        (429, "Billing hard limit has been reached", "billing_hard_limit_reached", ""),
        (400, "Billing hard limit has been reached", "billing_hard_limit_reached", "invalid_request_error"),
        (400, "Your credit balance is too low to access the Anthropic API.", "", "invalid_request_error"),
        (403, "Insufficient funds on this account", "", ""),
        (402, "Insufficient Balance", "invalid_request_error", ""),
        (402, "This request requires more credits", "402", ""),
        (402, "", "", ""),
        (429, "You are out of credits.", "", ""),
    ],
)
def test_money_that_is_used_up_ends_the_run(status: int, message: str, code: str, kind: str) -> None:
    error = judge(status, message, code, kind)
    assert isinstance(error, EndpointError)
    assert "the quota is used up" in str(error) and "add credit, then resume" in str(error)


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (401, "Incorrect API key provided", "refuses the API key (401): set it"),
        (401, "Your API key has expired", "refuses the API key (401), it is expired: set it"),
        (401, "This key was revoked by its owner", "refuses the API key (401), it is revoked: set it"),
        (400, "API key not valid. Please pass a valid API key.", "refuses the API key (400): set it"),
        (400, "API key expired. Please renew the API key.", "refuses the API key (400), it is expired: set it"),
        (403, "Your project does not have access", "refuses the API key (403): Your project"),
        (403, "Your account was disabled for violating our usage policy", "refuses the API key (403)"),
        (403, "", "refuses the API key (403)"),
    ],
)
def test_keys_that_no_longer_work_end_the_run(status: int, message: str, words: str) -> None:
    error = judge(status, message)
    assert isinstance(error, EndpointError) and words in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    "message",
    [
        "Your chosen model requires moderation and your input was flagged for violence",
        "The prompt was blocked by our content policy",
        "Blocked by safety settings",
    ],
)
def test_a_blocked_text_is_no_bad_key(message: str) -> None:
    error = judge(403, message)
    assert isinstance(error, CallError) and error.kind == "request"


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (404, "The model `x` does not exist or you do not have access to it.", "model_not_found"),
        (400, "x is not a valid model ID", ""),
        (404, "", ""),
    ],
)
def test_unknown_models_end_the_run(status: int, message: str, code: str) -> None:
    error = judge(status, message, code)
    assert isinstance(error, EndpointError) and "check --model" in str(error)


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (429, "Rate limit reached for requests", "rate_limit_exceeded", "rate"),
        (429, "Quota exceeded for metric: requests per minute", "RESOURCE_EXHAUSTED", "rate"),
        (429, "You exceeded your current quota, please check your plan and billing details", "", "rate"),
        (403, "You have exceeded a secondary rate limit", "", "rate"),
        (408, "", "", "server"),
        (409, "", "", "server"),
        (500, "", "", "server"),
        (502, "", "", "server"),
        (520, "", "", "server"),
        (200, "", "", "server"),
        (400, "temperature must be below 2", "", "request"),
        (400, "maximum context length is 4096 tokens", "context_length_exceeded", "context"),
        (413, "prompt is too long: out of credits is not the matter", "", "context"),
    ],
)
def test_what_may_pass_is_tried_again(status: int, message: str, code: str, kind: str) -> None:
    error = judge(status, message, code)
    assert (
        isinstance(error, CallError) and error.kind == kind and not isinstance(error, OverloadError) ^ (status == 408)
    )


def test_a_limit_that_says_when_it_ends_is_waited_for() -> None:
    error = judge(429, "Usage limit reached, try again later", headers={"Retry-After": "30"})
    assert isinstance(error, CallError) and (error.kind, error.retry_after) == ("rate", 30.0)
    assert isinstance(judge(429, "Usage limit reached"), EndpointError)


@pytest.mark.parametrize(("status", "message"), [(503, ""), (504, ""), (529, "Overloaded"), (500, "overloaded_error")])
def test_overload_is_known_from_other_faults(status: int, message: str) -> None:
    error = judge(status, message, headers={"Retry-After": "3"})
    assert isinstance(error, OverloadError) and (error.kind, error.retry_after) == ("server", 3.0)


def test_pages_of_a_proxy_are_tried_again() -> None:
    error = error_for(read_fault(502, None, {}), WHERE)
    assert isinstance(error, CallError) and error.kind == "server"
    error = error_for(read_fault(200, None, {}), WHERE)
    assert isinstance(error, CallError) and error.kind == "server"
