"""Identity reaches every span beneath, and can be neither evicted nor spoofed (P7)."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import traceai
from traceai import semconv
from traceai.context import detach, identity
from traceai.processor import IdentityProcessor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator


def user() -> Any:
    return identity().get(semconv.USER_ID)


def test_what_is_given_stands_under_its_name() -> None:
    with traceai.context(
        user="u",
        session="s",
        tenant="t",
        route="r",
        cohort="beta",
        risk="high",
        data_class=("pii", "phi"),
        tags=["a"],
    ):
        assert identity() == {
            "user.id": "u",
            "session.id": "s",
            "gen_ai.conversation.id": "s",
            "traceai.tenant.id": "t",
            "traceai.route": "r",
            "traceai.cohort": ["beta"],
            "traceai.risk": "high",
            "traceai.data.classes": ["pii", "phi"],
            "traceai.tags": ["a"],
        }
    assert identity() == {}


def test_a_prompt_and_a_policy_are_named_by_version_and_digest() -> None:
    prompt = traceai.Prompt("answer", version="7", template="Answer: {q}")
    policy = traceai.Policy(id="soc2", version="3")
    with traceai.context(prompt=prompt, policy=policy):
        assert identity() == {
            "gen_ai.prompt.name": "answer",
            "gen_ai.prompt.version": "7",
            "traceai.prompt.digest": prompt.digest,
            "traceai.policy.id": "soc2",
            "traceai.policy.version": "3",
            "traceai.policy.digest": policy.digest,
        }


def test_what_is_not_given_is_inherited() -> None:
    with traceai.context(user="u", route="a"), traceai.context(route="b"):
        assert identity() == {semconv.USER_ID: "u", semconv.ROUTE: "b"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"user": ""}, {}),
        ({"user": 7}, {"user.id": "7"}),
        ({"tags": ["a", ""]}, {"user.id": "around", "traceai.tags": ["a"]}),
        ({"tags": 7}, {"user.id": "around", "traceai.tags": ["7"]}),
        (
            {"prompt": "answer", "policy": "soc2"},
            {"user.id": "around", "gen_ai.prompt.name": "answer", "traceai.policy.id": "soc2"},
        ),
        ({"cohort": {"b", "a"}}, {"user.id": "around", "traceai.cohort": ["a", "b"]}),
    ],
)
def test_no_value_harms_the_application(values: dict[str, Any], expected: dict[str, Any]) -> None:
    with traceai.context(user="around"), traceai.context(**values):
        assert identity() == expected


def test_a_prompt_without_a_version_does_not_borrow_the_one_around() -> None:
    one, other = traceai.Prompt("one", version="7"), traceai.Prompt("other")
    with traceai.context(prompt=one), traceai.context(prompt=other):
        assert identity() == {"gen_ai.prompt.name": "other"}


def test_exits_out_of_order_leave_nobody_behind() -> None:
    outer, inner = traceai.context(user="a"), traceai.context(route="r")
    outer.__enter__()
    inner.__enter__()
    outer.__exit__()
    assert identity() == {semconv.ROUTE: "r"}
    inner.__exit__()
    assert identity() == {}


@given(st.permutations(range(5)), st.lists(st.text(max_size=1), min_size=5, max_size=5))
def test_whoever_has_not_left_is_in_force(order: list[int], users: list[str]) -> None:
    contexts = [traceai.context(user=user, tags=str(n)) for n, user in enumerate(users)]
    for each in contexts:
        each.__enter__()
    inside = list(range(5))
    for number in order:
        contexts[number].__exit__()
        inside.remove(number)
        expected = [users[n] for n in inside][-1:]
        assert [user() or ""] == (expected or [""])
        assert identity().get(semconv.TAGS) == ([str(inside[-1])] if inside else None)
    assert identity() == {}


def test_a_span_that_began_between_stays_the_current_one() -> None:
    outer, inner = traceai.context(user="a"), traceai.context(user="b")
    span = TracerProvider(shutdown_on_exit=False).get_tracer("app").start_span("between")

    def leave_in_the_wrong_order() -> None:
        outer.__enter__()
        otel.attach(trace.set_span_in_context(span))
        inner.__enter__()
        outer.__exit__()
        assert (trace.get_current_span(), user()) == (span, "b")
        inner.__exit__()
        assert (trace.get_current_span(), user()) == (span, None)

    contextvars.copy_context().run(leave_in_the_wrong_order)


async def test_identity_holds_across_await_and_in_tasks() -> None:
    async def seen() -> Any:
        await asyncio.sleep(0)
        return user()

    async with traceai.context(user="u"):
        assert [*await asyncio.gather(seen(), asyncio.create_task(seen()))] == ["u", "u"]
    assert await seen() is None


def test_identity_follows_a_copied_context_into_a_thread() -> None:
    with traceai.context(user="u"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(contextvars.copy_context().run, user).result() == "u"


def test_a_decorated_function_runs_as_someone() -> None:
    @traceai.context(user="u")
    def handle(suffix: str) -> str:
        """Say who."""
        return f"{user()}{suffix}"

    assert (handle("!"), handle.__name__, handle.__doc__) == ("u!", "handle", "Say who.")
    assert user() is None


async def test_a_decorated_coroutine_runs_as_someone() -> None:
    @traceai.context(user="u")
    async def handle() -> Any:
        await asyncio.sleep(0)
        return user()

    assert [*await asyncio.gather(handle(), handle())] == ["u", "u"]


def test_a_decorated_generator_is_someone_inside_and_its_consumer_is_not() -> None:
    @traceai.context(user="u")
    def handle() -> Generator[Any, Any, str]:
        received = yield user()
        try:
            yield received, user()
        except ValueError:
            yield "thrown", user()
        return "done"

    steps = handle()
    assert (next(steps), user()) == ("u", None)
    assert (steps.send("sent"), user()) == (("sent", "u"), None)
    assert (steps.throw(ValueError()), user()) == (("thrown", "u"), None)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "done"


async def test_a_decorated_async_generator_is_someone_inside_and_its_consumer_is_not() -> None:
    closed = []

    @traceai.context(user="u")
    async def handle() -> AsyncGenerator[Any, None]:
        try:
            yield user()
            await asyncio.sleep(0)
            yield user()
        finally:
            closed.append(user())

    seen = []
    steps = handle()
    async for step in steps:
        seen.append((step, user()))
        if len(seen) == 2:
            break
    await steps.aclose()
    assert (seen, closed) == ([("u", None), ("u", None)], ["u"])


def test_what_a_generator_has_entered_is_current_in_its_next_step() -> None:
    key = otel.create_key("entered")

    @traceai.context(user="u")
    def handle() -> Iterator[Any]:
        token = otel.attach(otel.set_value(key, "yes"))
        yield otel.get_value(key)
        yield otel.get_value(key)
        otel.detach(token)
        yield otel.get_value(key)

    seen = [(step, otel.get_value(key)) for step in handle()]
    assert seen == [("yes", None), ("yes", None), (None, None)]


def test_a_generator_that_is_collected_leaves_the_context_alone() -> None:
    def handle() -> Iterator[None]:
        with traceai.context(user="inside"):
            yield

    steps: Iterator[None] | None = handle()
    contextvars.copy_context().run(next, steps)  # type: ignore[arg-type]  # typed for no iterator
    with traceai.context(user="outside"):
        steps = None
        gc.collect()
        assert user() == "outside"
    assert user() is None


def test_one_object_serves_many_threads_at_a_time() -> None:
    shared = traceai.context(user="shared")
    inside, outside = threading.Barrier(2), threading.Barrier(2)
    after: list[Any] = []

    def work() -> None:
        with shared:
            inside.wait()
            after.append(user())
        outside.wait()
        after.append(user())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert after == ["shared", "shared", None, None]


def test_one_object_can_be_entered_within_itself() -> None:
    shared = traceai.context(user="u")
    with shared, shared:
        assert user() == "u"
    assert user() is None


def test_a_token_of_another_context_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    token = contextvars.copy_context().run(otel.attach, otel.get_current())
    detach(token)
    assert capsys.readouterr() == ("", "")


def test_concurrent_requests_never_see_each_other() -> None:
    def handle(name: str) -> bool:
        with traceai.context(user=name):
            return all(user() == name for _ in range(100))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(handle, map(str, range(200))))


_names = st.text(min_size=1, max_size=8)


@given(
    given_user=_names, metadata=st.dictionaries(st.sampled_from(sorted(semconv.IDENTITY)), _names)
)
def test_what_a_request_brings_does_not_replace_the_user(
    given_user: str, metadata: dict[str, str]
) -> None:
    finished = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(IdentityProcessor())
    provider.add_span_processor(SimpleSpanProcessor(finished))
    with traceai.context(user=given_user):
        provider.get_tracer("third.party").start_span("call", attributes=metadata).end()
    (span,) = finished.get_finished_spans()
    assert (span.attributes or {})[semconv.USER_ID] == given_user


def test_a_span_in_another_context_takes_its_identity_from_there() -> None:
    finished = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(IdentityProcessor())
    provider.add_span_processor(SimpleSpanProcessor(finished))
    with traceai.context(user="u"):
        elsewhere = otel.get_current()
    parent = trace.set_span_in_context(trace.INVALID_SPAN, elsewhere)
    provider.get_tracer("third.party").start_span("call", context=parent).end()
    assert dict(finished.get_finished_spans()[0].attributes or {}) == {semconv.USER_ID: "u"}
