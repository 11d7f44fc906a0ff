"""Calls the gateway with the official `openai` client in every way people do, and prints one JSON line per attempt that the
gateway must have recorded: {"route", "model", "input", "output", "ended", "estimated"}. Fails loudly where the client is
unhappy. Arguments: BASE_URL (with /v1) KEY SANDBOX (the address of the provider's stand-in, to order faults) NARROW (a key
that is not for these models) SPENT (a key of a project whose limit is less than a call) DISABLED (a key that was) and
HURRIED (a key that may make one call a minute)."""
import asyncio
import json
import sys
import urllib.request

import httpx2
import openai
from pydantic import BaseModel

base, key, sandbox, narrow, spent, disabled, hurried = sys.argv[1:8]
client = openai.OpenAI(base_url=base, api_key=key, max_retries=0, timeout=30)
HELLO = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def recorded(route, model, usage, ended="complete", estimated=False):
    """An attempt that the gateway must know of, with the provider's own figures unless it had to count for itself."""
    given = usage.model_dump() if usage else {}
    print(json.dumps({
        "route": route, "model": model, "ended": ended, "estimated": estimated,
        "input": given.get("prompt_tokens") or given.get("input_tokens") or 0,
        "output": given.get("completion_tokens") or given.get("output_tokens") or 0,
    }), flush=True)


def fault(**members):
    body = json.dumps(members).encode()
    urllib.request.urlopen(urllib.request.Request(sandbox + "/sandbox/faults", body, method="POST")).read()


def expect(condition, what):
    if not condition:
        sys.exit(f"not as expected: {what}")


class Place(BaseModel):
    name: str
    inhabitants: int


def chat():
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=HELLO, metadata={"task_type": "greeting"},
        extra_headers={"X-FinOps-Feature": "door", "X-FinOps-User": "kim@example.com"})
    expect(answer.choices[0].message.content.startswith("The answer"), "the words of an answer")
    recorded("/v1/chat/completions", answer.model, answer.usage)

    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=HELLO)
    expect(raw.headers["x-request-id"] == "req_sandbox", "the provider's request id")
    expect("x-ratelimit-remaining-requests" in raw.headers, "the provider's rate limits")
    recorded("/v1/chat/completions", raw.parse().model, raw.parse().usage)

    tool = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, tools=[WEATHER])
    call = tool.choices[0].message.tool_calls[0]
    expect(json.loads(call.function.arguments) == {"city": "sandbox"}, "a tool's arguments")
    recorded("/v1/chat/completions", tool.model, tool.usage)

    parsed = client.chat.completions.parse(model="gpt-4o", messages=HELLO, response_format=Place)
    expect(parsed.choices[0].message.parsed == Place(name="sandbox", inhabitants=1), "structured output")
    recorded("/v1/chat/completions", parsed.model, parsed.usage)


def chat_streams():
    chunks = list(client.chat.completions.create(
        model="gpt-4o-mini", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    expect(len(usages) == 1 and not chunks[-1].choices, "usage in the last chunk, as asked")
    recorded("/v1/chat/completions", chunks[0].model, usages[0])

    silent = list(client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True))
    expect(all(chunk.usage is None and chunk.choices for chunk in silent), "no usage chunk unasked for")
    text = "".join(chunk.choices[0].delta.content or "" for chunk in silent)
    expect(text.startswith("The answer of the sandbox"), "the words of a stream")
    recorded("/v1/chat/completions", silent[0].model, usages[0])


async def at_once():
    async with openai.AsyncOpenAI(base_url=base, api_key=key, max_retries=0, timeout=30) as many:
        answers = await asyncio.gather(*(
            many.chat.completions.create(model="gpt-4o-mini", messages=HELLO) for _ in range(20)))
        for answer in answers:
            recorded("/v1/chat/completions", answer.model, answer.usage)
        stream = await many.chat.completions.create(
            model="gpt-4o-mini", messages=HELLO, stream=True, stream_options={"include_usage": True})
        usage, model = None, ""
        async for chunk in stream:
            usage, model = chunk.usage or usage, chunk.model
        recorded("/v1/chat/completions", model, usage)


def responses():
    answer = client.responses.create(model="gpt-4o", input="hello", metadata={"finops_task_type": "greeting"})
    expect(answer.output_text.startswith("The answer"), "the words of a response")
    recorded("/v1/responses", answer.model, answer.usage)
    with client.responses.stream(model="gpt-4o", input="hello") as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    recorded("/v1/responses", final.model, final.usage)
    cut = client.responses.create(model="gpt-4o", input="hello", max_output_tokens=3)
    expect(cut.status == "incomplete", "an answer that its limit cut off")
    recorded("/v1/responses", cut.model, cut.usage)


def others():
    vectors = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    expect(vectors.data[1].embedding == [0.5, 0.25, 0.125], "a vector")
    recorded("/v1/embeddings", vectors.model, vectors.usage)
    legacy = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hello", max_tokens=3)
    recorded("/v1/completions", legacy.model, legacy.usage)
    moderation = client.moderations.create(model="omni-moderation-latest", input="hello")
    expect(not moderation.results[0].flagged, "a moderation")
    recorded("/v1/moderations", moderation.model, None)
    image = client.images.generate(model="gpt-image-1", prompt="a door")
    recorded("/v1/images/generations", "gpt-image-1", image.usage)
    words = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("door.wav", b"RIFF" * 64))
    expect(words.text.startswith("The recording"), "a transcription")
    recorded("/v1/audio/transcriptions", "gpt-4o-transcribe", words.usage)
    sound = client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="hello").read()
    expect(len(sound) == 1024, "the bytes of speech")
    recorded("/v1/audio/speech", "gpt-4o-mini-tts", None, estimated=True)
    expect(len(client.models.list().data) == 4, "the models")
    recorded("/v1/models", "", None)


def errors():
    """What goes wrong upstream keeps the client's own classes; each attempt is recorded, retries too."""
    try:
        client.chat.completions.create(model="no-such-model", messages=HELLO)
        sys.exit("an unknown model was answered")
    except openai.NotFoundError as error:
        expect(error.code == "model_not_found", "the provider's code")
    recorded("/v1/chat/completions", "no-such-model", None)

    retrying = openai.OpenAI(base_url=base, api_key=key, max_retries=2, timeout=30)
    # The client names no call by itself: its attempts are told apart. With a name they are attempts at one call.
    for named in ({}, {"Idempotency-Key": "order-7"}):
        fault(kind="500", path="/chat/completions", times=1)
        answer = retrying.chat.completions.create(model="gpt-4o-mini", messages=HELLO, extra_headers=named)
        recorded("/v1/chat/completions", "gpt-4o-mini", None)
        recorded("/v1/chat/completions", answer.model, answer.usage)

    fault(kind="429", path="/chat/completions", times=1)
    try:
        client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        sys.exit("a throttled call was answered")
    except openai.RateLimitError:
        recorded("/v1/chat/completions", "gpt-4o-mini", None)

    fault(kind="reply", code=503, text="overloaded", path="/chat/completions", times=1)
    try:
        client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        sys.exit("a call that nobody had room for was answered")
    except openai.InternalServerError as error:
        expect(error.status_code == 503, "the provider's status")
        recorded("/v1/chat/completions", "gpt-4o-mini", None)


def refusals():
    """What the gateway refuses itself has the client's own classes, and is not asked for again. Nothing of it is a call."""
    try:
        openai.OpenAI(base_url=base, api_key="fo-" + "A" * 43, max_retries=0).models.list()
        sys.exit("a wrong key was taken")
    except openai.AuthenticationError as error:
        expect(error.code == "invalid_api_key", "the code of a wrong key")
    try:
        client.post("/fine_tuning/jobs", body={}, cast_to=object)
        sys.exit("a route without a meter was taken")
    except openai.NotFoundError as error:
        expect("/v1/chat/completions" in str(error), "the routes that there are")

    sent = []
    http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    for refused, status, code in (
            (narrow, openai.PermissionDeniedError, "model_not_found"),
            (spent, openai.RateLimitError, "insufficient_quota"),
            (disabled, openai.PermissionDeniedError, "permission_denied")):
        eager = openai.OpenAI(base_url=base, api_key=refused, max_retries=5, timeout=30, http_client=http)
        # The first calls of a project may pass until its limit is met.
        for _ in range(20):
            sent.clear()
            try:
                eager.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
            except status as error:
                expect(error.code == code, f"the code {code}, not {error.code}")
                expect(len(sent) == 1, f"one request, not {len(sent)}")
                break
        else:
            sys.exit(f"not refused: {code}")

    once = openai.OpenAI(base_url=base, api_key=hurried, max_retries=0, timeout=30)
    once.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    try:
        once.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        sys.exit("a second call in a minute was taken")
    except openai.RateLimitError as error:
        expect(error.code == "rate_limit_exceeded", f"the code of a rate, not {error.code}")
        expect(0 < int(error.response.headers["retry-after"]) <= 60, "when to come again")


def cut():
    """Answers that end before their time count by what passed, slow ones by what the provider says."""
    served = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    recorded("/v1/chat/completions", served.model, served.usage)

    for streamed in (False, True):
        fault(kind="truncated", path="/chat/completions", times=1)
        try:
            answer = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=streamed)
            for _ in answer if streamed else ():
                pass
            sys.exit("half an answer was taken for a whole one")
        except (openai.APIError, httpx2.HTTPError):
            recorded("/v1/chat/completions", served.model, None, ended="upstream-cut", estimated=True)

    fault(kind="slow", delay_ms=20, path="/chat/completions", times=1)
    slow = list(client.chat.completions.create(
        model="gpt-4o-mini", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    expect(slow[-1].usage == served.usage, "the usage of a slow stream")
    recorded("/v1/chat/completions", served.model, slow[-1].usage)

    fault(kind="slow", delay_ms=1000, path="/chat/completions", times=1)
    left = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True)
    while not next(left).choices[0].delta.content:
        pass
    left.close()
    recorded("/v1/chat/completions", served.model, None, ended="client-gone", estimated=True)


chat()
chat_streams()
asyncio.run(at_once())
responses()
others()
errors()
refusals()
cut()
