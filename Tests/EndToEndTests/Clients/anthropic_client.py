"""Calls the gateway with the official `anthropic` client, and prints one JSON line per attempt that the gateway must have
recorded. Arguments: BASE_URL KEY SANDBOX NARROW SPENT, as for the other client."""
import asyncio
import json
import sys
import urllib.request

import anthropic
import httpx2

base, key, sandbox, narrow, spent = sys.argv[1:6]
client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, timeout=30)
HELLO = [{"role": "user", "content": "hello there"}]
MODEL = "claude-sonnet-5-5"
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
    body = json.dumps(dict(members, path="/messages", times=1)).encode()
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


def refusals():
    """By the gateway itself: in the client's own classes, and not asked for again."""
    sent = []
    http = anthropic.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    for refused, status in (
            ("fo-" + "A" * 43, anthropic.AuthenticationError), (narrow, anthropic.PermissionDeniedError),
            (spent, anthropic.EnforcedSpendLimitReachedError)):
        eager = anthropic.Anthropic(base_url=base, api_key=refused, max_retries=5, timeout=30, http_client=http)
        # The first calls of a project may pass until its limit is met.
        for _ in range(20):
            sent.clear()
            try:
                eager.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
            except status:
                expect(len(sent) == 1, f"one request, not {len(sent)}")
                break
        else:
            sys.exit(f"not refused: {status}")


answers()
asyncio.run(at_once())
errors()
refusals()
