"""LangChain under instrumentation as a whole: many at once, over the OpenAI SDK, and taken off."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import CallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import InternalServerError
from scripted import PLANNER_TREE, QUESTION, Traced, add_async, planner

from fake_provider import Answer, FakeProvider
from traceai.attributes import Content
from traceai.instrumentors.openai import instrument_openai
from traceai.recorder import Recorder
from traceai.semconv import ContentState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_provider import Request
    from traceai.instrumentors.patch import Patch

AGENTS = 40
CHAT = "chat gpt-4o-mini"


def thread(number: int) -> Any:
    return {"configurable": {"thread_id": f"thread-{number}"}}


def own_conversations(traced: Traced) -> list[set[Any]]:
    """Return the conversations named in each trace."""
    found: dict[int, set[Any]] = {}
    for span in traced.spans:
        said = (span.attributes or {}).get("gen_ai.conversation.id")
        if said is not None and span.context is not None:
            found.setdefault(span.context.trace_id, set()).add(said)
    return sorted(found.values(), key=repr)


def expected_conversations() -> list[set[Any]]:
    return sorted(({f"thread-{number}"} for number in range(AGENTS)), key=repr)


def test_agents_in_threads_have_a_trace_each(traced: Traced) -> None:
    with ThreadPoolExecutor(max_workers=8) as executor:
        list(executor.map(lambda n: planner().invoke(QUESTION, thread(n)), range(AGENTS)))
    assert traced.trees == [PLANNER_TREE] * AGENTS
    assert own_conversations(traced) == expected_conversations()


async def test_agents_in_one_loop_have_a_trace_each(traced: Traced) -> None:
    agents = [planner(tools=[add_async]) for _ in range(AGENTS)]
    await asyncio.gather(*(a.ainvoke(QUESTION, thread(n)) for n, a in enumerate(agents)))
    assert traced.trees == [PLANNER_TREE] * AGENTS
    assert own_conversations(traced) == expected_conversations()


def test_taking_it_off_leaves_no_patch(traced: Traced) -> None:
    traced.instrumentation.apply()
    patches = [patch for each in traced.instrumentation.libraries for patch in each.patches]
    patched = [type(in_place(patch)).__name__ for patch in patches]
    traced.instrumentation.remove()
    traced.instrumentation.remove()
    left = {type(in_place(patch)).__name__ for patch in patches}
    planner().invoke(QUESTION, thread(1))
    assert (set(patched), left) == ({"_Wrapped"}, {"function", "classmethod"})
    assert len(patched) >= 16
    assert (CallbackManager.configure().handlers, traced.outcomes) == ([], [])


def in_place(patch: Patch) -> Any:
    """Return what stands where a patch belongs, as it is."""
    *path, name = patch.name.split(".")
    owner: Any = importlib.import_module(patch.module)
    for step in path:
        owner = getattr(owner, step)
    return inspect.getattr_static(owner, name)


def test_a_manager_that_outlives_the_instrumentation_records_nothing(traced: Traced) -> None:
    manager = CallbackManager.configure()
    traced.instrumentation.remove()
    planner().invoke(QUESTION, {"callbacks": manager, **thread(1)})
    assert traced.outcomes == []


def test_the_versions_at_hand_have_every_name_that_is_patched(traced: Traced) -> None:
    assert [
        (each.library, each.supported, each.warnings) for each in traced.instrumentation.libraries
    ] == [("langchain-core", True, ()), ("langgraph", True, ())]


@pytest.fixture
def provider(traced: Traced) -> Iterator[FakeProvider]:
    """Record the OpenAI SDK beneath as well, and answer it over real HTTP."""
    content = Content(state=ContentState.FULL, digest=str)
    tracer = traced.instrumentation.recorder.tracer
    applied = instrument_openai(Recorder(tracer, content))
    with FakeProvider() as running:
        yield running
    applied.remove()


def chat(provider: FakeProvider, **options: Any) -> ChatOpenAI:
    key: Any = "none"
    return ChatOpenAI(model="gpt-4o-mini", base_url=provider.base_url, api_key=key, **options)


@pytest.mark.parametrize("use_responses_api", [False, True])
async def test_a_model_run_over_the_sdk_is_one_span(
    traced: Traced, provider: FakeProvider, *, use_responses_api: bool
) -> None:
    model = chat(provider, use_responses_api=use_responses_api)
    model.invoke("hi")
    assert list(model.stream("hi"))
    await model.ainvoke("hi")
    assert [chunk async for chunk in model.astream("hi")]
    said = traced.attributes(CHAT)
    assert (len(provider.requests), traced.trees) == (4, [[CHAT, []]] * 4)
    assert {a["gen_ai.response.model"] for a in said} == {"gpt-4o-mini-2024-07-18"}
    assert {a["gen_ai.response.finish_reasons"] for a in said} == {("stop",)}
    assert {a["server.address"] for a in said} == {"127.0.0.1"}
    assert [a["gen_ai.request.stream"] for a in said if "gen_ai.request.stream" in a] == [True] * 2
    assert all(a["traceai.attempt.number"] == 1 and a["gen_ai.response.id"] for a in said)
    assert all('"role":"assistant"' in a["gen_ai.output.messages"] for a in said)


def test_an_agent_over_the_sdk_has_one_span_a_request(
    traced: Traced, provider: FakeProvider
) -> None:
    planner(model=chat(provider)).invoke(QUESTION, thread(1))
    tool = ["execute_tool add", [["work", []]]]
    assert traced.trees == [["invoke_agent planner", [[CHAT, []], tool, [CHAT, []]]]]
    assert len(provider.requests) == 2


def test_retries_are_counted_on_the_one_span_and_the_error_is_the_sdks(
    traced: Traced, provider: FakeProvider
) -> None:
    def fail(_: Request) -> Answer:
        return Answer(status=500, headers={"retry-after-ms": "1"})

    provider.script = fail
    with pytest.raises(InternalServerError) as caught:
        chat(provider, max_retries=2).invoke("hi")
    said = traced.attributes(CHAT)
    assert [(a["traceai.outcome"], a["traceai.attempt.number"]) for a in said] == [("error", 3)]
    assert said[0]["error.type"].rpartition(".")[2] == type(caught.value).__name__


def test_a_stream_that_is_left_early_is_one_abandoned_span(
    traced: Traced, provider: FakeProvider
) -> None:
    model = chat(provider)
    next(iter(model.stream("hi")))
    gc.collect()
    assert traced.outcomes == [(CHAT, "abandoned")]


@pytest.mark.skipif(not hasattr(BaseChatModel, "stream_events"), reason="LangChain is too old")
def test_streams_of_events_are_one_span_each(traced: Traced, provider: FakeProvider) -> None:
    model: Any = chat(provider)
    assert list(model.stream_events("hi", version="v3"))
    events = model.stream_events("hi", version="v3")
    next(iter(events))
    del events
    gc.collect()
    assert traced.outcomes == [(CHAT, "completed"), (CHAT, "abandoned")]
    assert all(a["gen_ai.request.stream"] for a in traced.attributes(CHAT))


def test_embeddings_have_the_span_of_the_sdk(traced: Traced, provider: FakeProvider) -> None:
    key: Any = "none"
    embeddings = OpenAIEmbeddings(
        base_url=provider.base_url, api_key=key, check_embedding_ctx_length=False
    )
    embeddings.embed_query("hi")
    assert traced.outcomes == [("embeddings text-embedding-ada-002", "completed")]
