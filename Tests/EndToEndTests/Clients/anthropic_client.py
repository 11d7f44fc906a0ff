"""Calls the gateway with the official `anthropic` client, and prints one JSON line per attempt that the gateway must have
recorded. Arguments: BASE_URL KEY SANDBOX NARROW SPENT DISABLED HURRIED, as for the other client."""
import asyncio
import json
import sys
import urllib.request

import anthropic
import httpx2

base, key, sandbox, narrow, spent, disabled, hurried = sys.argv[1:8]
client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, timeout=30)
HELLO = [{"role": "user", "content": "hello there"}]
MODEL = "claude-sonnet-5-5"
# The requests of a client with a hook, so that what it tries again by itself can be counted.
sent = []
WEATHER = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def recorded(route, usage, ended="complete", estimated=False):
    given = 0, 0
    if usage:
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        given = usage.input_tokens + cached, usage.output_tokens
    print(json.dumps({
        "route": route, "model": MODEL, "input": given[0], "output": given[1], "ended": ended,
        "estimated": estimated}), flush=True)


def fault(**members):
    body = json.dumps({"path": "/messages", "times": 1, **members}).encode()
    urllib.request.urlopen(urllib.request.Request(sandbox + "/sandbox/faults", body, method="POST")).read()


def expect(condition, what):
    if not condition:
        sys.exit(f"not as expected: {what}")


def answers():
    answer = client.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
    expect(answer.content[0].text.startswith("The answer"), "the words of an answer")
    recorded("/v1/messages", answer.usage)

    long = client.messages.create(model=MODEL, max_tokens=8, messages=[{"role": "user", "content": "word " * 2000}])
    expect(long.usage.cache_read_input_tokens, "a cached prompt")
    recorded("/v1/messages", long.usage)

    with client.messages.stream(model=MODEL, max_tokens=8, messages=HELLO) as stream:
        final = stream.get_final_message()
    recorded("/v1/messages", final.usage)

    tool = client.messages.create(model=MODEL, max_tokens=64, messages=HELLO, tools=[WEATHER])
    expect(tool.stop_reason == "tool_use" and tool.content[-1].input == {"city": "sandbox"}, "a tool's arguments")
    recorded("/v1/messages", tool.usage)

    expect(client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens >= 1, "a count of tokens")
    recorded("/v1/messages/count_tokens", None)


async def at_once():
    async with anthropic.AsyncAnthropic(base_url=base, api_key=key, max_retries=0, timeout=30) as many:
        for answer in await asyncio.gather(*(
                many.messages.create(model=MODEL, max_tokens=8, messages=HELLO) for _ in range(10))):
            recorded("/v1/messages", answer.usage)
        async with many.messages.stream(model=MODEL, max_tokens=8, messages=HELLO) as stream:
            recorded("/v1/messages", (await stream.get_final_message()).usage)


def errors():
    for ordered, status in (
            ({"kind": "429"}, anthropic.RateLimitError),
            ({"kind": "reply", "code": 529, "text": "overloaded"}, anthropic.OverloadedError)):
        fault(**ordered)
        try:
            client.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
            sys.exit(f"answered in spite of {ordered}")
        except status:
            recorded("/v1/messages", None)

    fault(kind="truncated")
    try:
        with client.messages.stream(model=MODEL, max_tokens=8, messages=HELLO) as stream:
            stream.get_final_message()
        sys.exit("half an answer was taken for a whole one")
    except (anthropic.APIError, httpx2.HTTPError):
        recorded("/v1/messages", None, ended="upstream-cut", estimated=True)


def retries():
    """The client tries again by itself: every attempt is recorded, the last one with what it used."""
    http = anthropic.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    retrying = anthropic.Anthropic(base_url=base, api_key=key, max_retries=2, timeout=30, http_client=http)
    overloaded = {"kind": "reply", "code": 529, "text": "overloaded"}
    # The client names no call by itself: its attempts are told apart. With a name they are attempts at one call.
    for ordered, failures, named in (
            ({"kind": "500"}, 1, {}),
            ({"kind": "429", "retry_after": 1}, 1, {}),
            (overloaded, 2, {"Idempotency-Key": "order-7"})):
        fault(**ordered, times=failures)
        sent.clear()
        answer = retrying.messages.create(model=MODEL, max_tokens=8, messages=HELLO, extra_headers=named)
        expect(len(sent) == failures + 1, f"{failures + 1} requests, not {len(sent)}, for {ordered}")
        for _ in range(failures):
            recorded("/v1/messages", None)
        recorded("/v1/messages", answer.usage)

    fault(**overloaded)
    sent.clear()
    with retrying.messages.stream(model=MODEL, max_tokens=8, messages=HELLO) as stream:
        final = stream.get_final_message()
    expect(len(sent) == 2, f"2 requests, not {len(sent)}, for a stream")
    recorded("/v1/messages", None)
    recorded("/v1/messages", final.usage)

    fault(**overloaded, times=3)
    try:
        retrying.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
        sys.exit("answered in spite of three failures")
    except anthropic.OverloadedError:
        for _ in range(3):
            recorded("/v1/messages", None)


def refusals():
    """By the gateway itself: in the client's own classes and Anthropic's own words, and not asked for again."""
    http = anthropic.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    for refused, status, kind, code, words in (
            ("fo-" + "A" * 43, anthropic.AuthenticationError, "authentication_error", None, ["API key"]),
            (narrow, anthropic.PermissionDeniedError, "permission_error", None, ["project `chatbot`", MODEL]),
            (disabled, anthropic.PermissionDeniedError, "permission_error", None,
             ["of project spent is disabled: found in a repository."]),
            (spent, anthropic.EnforcedSpendLimitReachedError, "rate_limit_error", "enforced_spend_limit_reached",
             ["Project spent has reached its limit of 0.000001", " a day. It resets at 20", "Ask "])):
        eager = anthropic.Anthropic(base_url=base, api_key=refused, max_retries=5, timeout=30, http_client=http)
        # The first calls of a project may pass until its limit is met.
        for _ in range(20):
            sent.clear()
            try:
                eager.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
            except status as error:
                expect(len(sent) == 1, f"one request, not {len(sent)}")
                expect(error.type == kind and error.error_code == code, f"{kind}, not {error.type} {error.error_code}")
                expect(all(part in error.api_message for part in words), f"{words} in {error.api_message}")
                expect(error.request_id, "an id to ask about")
                break
        else:
            sys.exit(f"not refused: {status}")

    once = anthropic.Anthropic(base_url=base, api_key=hurried, max_retries=0, timeout=30)
    once.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
    try:
        once.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
        sys.exit("a second call in a minute was taken")
    except anthropic.RateLimitError as error:
        # A rate is no limit that was spent: the client may come again.
        expect(type(error) is anthropic.RateLimitError and error.type == "rate_limit_error", f"a rate, not {error!r}")
        expect("of project hurried: 1 requests per minute" in error.api_message, error.api_message)
        expect(0 < int(error.response.headers["retry-after"]) <= 60, "when to come again")


answers()
asyncio.run(at_once())
errors()
retries()
refusals()
