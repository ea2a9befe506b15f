"""What providers really send: filters, Azure, stored responses, compression, old protocols."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import openai
import pytest
from recorded import MODEL, QUESTION, responses_of

from fake_provider import Answer

if TYPE_CHECKING:
    from recorded import Recorded

ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
STREAMED: dict[str, Any] = {**ASKED, "stream": True}


def test_an_image_is_named_by_its_size(recorded: Recorded) -> None:
    payload = base64.b64encode(bytes(80_000)).decode()
    image: Any = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{payload}"}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "Look"}, image]}]
    recorded.client().chat.completions.create(model=MODEL, messages=messages)
    (said,) = recorded.span().json("gen_ai.input.messages")
    assert said["parts"] == [
        {"type": "text", "content": "Look"},
        {"type": "blob", "modality": "image", "content": "80000 bytes", "mime_type": "image/png"},
    ]


def test_a_message_that_a_filter_took_is_no_error(recorded: Recorded) -> None:
    choice = {"index": 0, "finish_reason": "content_filter", "message": None}
    recorded.fake.script = lambda _: Answer(body={"id": "c-1", "model": "m", "choices": [choice]})
    recorded.client().chat.completions.create(**ASKED)
    seen = recorded.span()
    assert seen["gen_ai.response.finish_reasons"] == ("content_filter",)
    assert seen.json("gen_ai.output.messages")[0]["parts"] == []


def test_azure_is_known_by_its_client(recorded: Recorded) -> None:
    first: Any = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    delta = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    second: Any = {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "choices": [delta]}
    recorded.fake.script = lambda _: Answer(events=[first, second, "data: [DONE]\n\n"])
    endpoint = recorded.fake.base_url.removesuffix("/v1")
    client = openai.AzureOpenAI(azure_endpoint=endpoint, api_key="none", api_version="2024-10-21")
    assert len(list(client.chat.completions.create(**{**STREAMED, "model": "my-deployment"}))) == 2
    client.close()
    seen = recorded.span()
    assert recorded.fake.requests[0].path.startswith("/openai/deployments/my-deployment/chat")
    assert (seen.name, seen.text) == ("chat my-deployment", "Hi")
    assert seen["gen_ai.provider.name"] == "azure.ai.openai"
    assert seen["gen_ai.response.id"] == "chatcmpl-1"
    assert seen["gen_ai.response.model"] == "gpt-4o-2024-08-06"


def test_fetching_a_response_counts_no_tokens(recorded: Recorded) -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    body = {"id": "resp_1", "model": MODEL, "status": "completed", "output": [], "usage": usage}
    recorded.fake.script = lambda _: Answer(body=body)
    responses_of(recorded.client()).retrieve("resp_1")
    seen = recorded.span()
    assert (seen.name, seen["gen_ai.response.id"]) == ("fetch_response", "resp_1")
    assert seen["gen_ai.response.status"] == "completed"
    assert seen["gen_ai.usage.input_tokens"] is None


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_that_the_application_reads_is_understood(
    encoding: str, recorded: Recorded
) -> None:
    import gzip  # noqa: PLC0415 - for one test
    import json  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    compress = gzip.compress if encoding == "gzip" else zlib.compress
    body = compress(json.dumps({"id": "chatcmpl-9", "model": "m", "choices": []}).encode())
    recorded.fake.script = lambda _: Answer(body=body, headers={"content-encoding": encoding})
    with recorded.client().chat.completions.with_streaming_response.create(**ASKED) as got:
        list(got.iter_bytes())
    seen = recorded.span()
    assert (seen["traceai.outcome"], seen["gen_ai.response.id"]) == ("completed", "chatcmpl-9")


def test_a_text_completion_is_recorded(recorded: Recorded) -> None:
    choice = {"index": 0, "text": "Once", "finish_reason": "stop", "logprobs": None}
    answer: Any = {"id": "cmpl-1", "model": "davinci-002", "choices": [choice]}
    client = recorded.client()
    recorded.fake.script = lambda _: Answer(body=answer)
    client.completions.create(model="davinci-002", prompt="Tell")
    recorded.fake.script = lambda _: Answer(events=[answer, "data: [DONE]\n\n"])
    list(client.completions.create(model="davinci-002", prompt="Tell", stream=True))
    for seen in recorded.spans():
        assert (seen.name, seen.text) == ("text_completion davinci-002", "Once")
        assert seen["gen_ai.response.finish_reasons"] == ("stop",)
        assert seen.json("gen_ai.input.messages")[0]["parts"][0]["content"] == "Tell"
    assert len(recorded.spans()) == 2
