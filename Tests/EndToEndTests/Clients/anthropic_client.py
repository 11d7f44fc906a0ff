"""Calls the gateway with the official `anthropic` client, and prints one JSON line per attempt that the gateway must have
recorded. Arguments: BASE_URL KEY SANDBOX."""
import json
import sys

import anthropic

base, key = sys.argv[1:3]
client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, timeout=30)
HELLO = [{"role": "user", "content": "hello there"}]
MODEL = "claude-sonnet-5-5"


def recorded(route, usage, streamed=False):
    given = 0, 0
    if usage:
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        given = usage.input_tokens + cached, usage.output_tokens
    print(json.dumps({
        "route": route, "model": MODEL, "input": given[0], "output": given[1], "streamed": streamed}), flush=True)


answer = client.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
if not answer.content[0].text.startswith("The answer"):
    sys.exit("not as expected: the words of an answer")
recorded("/v1/messages", answer.usage)

long = client.messages.create(model=MODEL, max_tokens=8, messages=[{"role": "user", "content": "word " * 2000}])
if not long.usage.cache_read_input_tokens:
    sys.exit("not as expected: a cached prompt")
recorded("/v1/messages", long.usage)

with client.messages.stream(model=MODEL, max_tokens=8, messages=HELLO) as stream:
    final = stream.get_final_message()
recorded("/v1/messages", final.usage, streamed=True)

if client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens < 1:
    sys.exit("not as expected: a count of tokens")
recorded("/v1/messages/count_tokens", None)

try:
    anthropic.Anthropic(base_url=base, api_key="fo-" + "A" * 43, max_retries=0).messages.create(
        model=MODEL, max_tokens=8, messages=HELLO)
    sys.exit("a wrong key was taken")
except anthropic.AuthenticationError:
    pass
