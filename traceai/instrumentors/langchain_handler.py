"""LangChain's callbacks → recordings: one handler, inherited by every run of the process.

A callback only opens, fills and ends recordings; contexts are entered around the code of a run, by
`langchain_boundaries`. `run_inline` because it is pure CPU: LangChain would otherwise hop to a
thread for each callback of an asynchronous run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from langchain_core.callbacks import BaseCallbackHandler

from traceai.call import AgentRun, Inference, Retrieval, ToolExecution
from traceai.errors import guard
from traceai.instrumentors import langchain_answers as answers
from traceai.instrumentors import langchain_calls as calls
from traceai.instrumentors.langchain_messages import message_of, messages_of
from traceai.instrumentors.langchain_runs import (
    Run,
    Runs,
    beneath,
    fill_slot,
    is_graph,
    model_context,
)
from traceai.recorder import outcome_of, suppressed
from traceai.semconv import AGENT_NAME, Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from traceai.call import Call
    from traceai.recorder import Recorder, Recording

_OFF: Final = frozenset({Outcome.CANCELLED, Outcome.ABANDONED})


class RunHandler(BaseCallbackHandler):
    """Record the runs that are calls: models, tools, retrievers, agents and root chains.

    Attributes:
        recorder: opens the spans.
        runs: the runs in flight.
        active: whether it does anything.
    """

    run_inline = True
    raise_error = False

    def __init__(self, recorder: Recorder, runs: Runs | None = None) -> None:
        super().__init__()
        self.recorder = recorder
        self.runs = runs if runs is not None else Runs()
        self.active = True

    @property
    def ignore_llm(self) -> bool:
        """Ignore models once the instrumentation is off: managers may outlive it."""
        return not self.active

    ignore_chat_model = ignore_chain = ignore_agent = ignore_retriever = ignore_llm

    @property
    def ignore_retry(self) -> bool:
        """Retries are seen by the model client beneath."""
        return True

    @property
    def ignore_custom_event(self) -> bool:
        """Events of the application are its own."""
        return True

    def __deepcopy__(self, _memo: dict[int, Any]) -> RunHandler:
        """Stay the one handler when a configuration is copied."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Become a handler that does nothing where a configuration is unpickled."""
        return BaseCallbackHandler, ()

    def on_chat_model_start(self, serialized: Any, messages: list[list[Any]], **told: Any) -> None:
        """Open the span of a chat model's run."""
        del serialized
        with guard:
            params = told.get("invocation_params") or {}
            call = calls.inference(Operation.CHAT, told.get("metadata") or {}, params)
            if self._start_model(call, told):
                call.input_messages = [message_of(m) for batch in messages for m in batch]
                call.tool_definitions = calls.tool_definitions(params)

    def on_llm_start(self, serialized: Any, prompts: list[str], **told: Any) -> None:
        """Open the span of a text completion model's run."""
        del serialized
        with guard:
            params = told.get("invocation_params") or {}
            call = calls.inference(Operation.TEXT_COMPLETION, told.get("metadata") or {}, params)
            if self._start_model(call, told):
                call.input_messages = [message_of(prompt) for prompt in prompts]

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **_: Any) -> None:
        """Note when the first chunk of a streamed answer came."""
        del token
        run = self.runs.get(run_id)
        if run is None or run.recording is None:
            return
        call = run.recording.call
        if isinstance(call, Inference) and call.time_to_first_chunk_s is None:
            call.stream = True
            call.time_to_first_chunk_s = time.monotonic() - run.started

    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        """Note when the first event of a streamed answer came."""
        self.on_llm_new_token(event, run_id=run_id)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """End the span of a model's run with its answer."""
        self._finish(run_id, lambda recording: _answer(recording, response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        """End the span of a model's run with what it raised, keeping the part that was answered."""
        self._finish(run_id, lambda recording: _answer(recording, told.get("response")), error)

    def on_tool_start(self, serialized: Any, input_str: str, **told: Any) -> None:
        """Open the span of a tool's run."""
        with guard:
            parent = self.runs.get(told.get("parent_run_id"))
            call = calls.tool(serialized or {}, input_str, told)
            if parent is not None and parent.agent:
                call.extra[AGENT_NAME] = parent.agent
            self._start(call, told, parent)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """End the span of a tool's run with its result."""
        self._finish(run_id, lambda recording: _tool_result(recording, output))

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End the span of a tool's run with what it raised."""
        self._fail(error, run_id)

    def on_retriever_start(self, serialized: Any, query: str, **told: Any) -> None:
        """Open the span of a retriever's run and enter its context."""
        del serialized
        with guard:
            call = calls.retrieval(query, told, told.get("metadata") or {})
            run = self._start(call, told, self.runs.get(told.get("parent_run_id")))
            if run is not None and run.recording is not None:
                fill_slot(told["run_id"], beneath(run.recording))

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **_: Any) -> None:
        """End the span of a retriever's run with what it found."""
        self._finish(run_id, lambda recording: _found(recording, documents))

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End the span of a retriever's run with what it raised."""
        self._fail(error, run_id)

    def on_chain_start(self, serialized: Any, inputs: Any, **told: Any) -> None:
        """Open the span of a root chain; put any other chain in the tree without one."""
        del serialized
        with guard:
            if is_graph(told.get("parent_run_id")):
                self._start_graph(inputs, told)
                return
            parent = self.runs.get(told.get("parent_run_id"))
            if told.get("run_type") in ("prompt", "parser"):
                self._prompt(parent, told)
            elif parent is None:
                self._start_agent(calls.workflow(calls.given_name(told.get("name"))), inputs, told)
                return
            self._start(None, told, parent)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **told: Any) -> None:
        """End a chain's run, with its answer if it has a span."""
        self._finish(run_id, lambda recording: _came_to(recording, outputs, told.get("inputs")))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a chain's run with what it raised."""
        self._fail(error, run_id)

    def _start_graph(self, inputs: Any, told: Mapping[str, Any]) -> None:
        """Open the span of a graph's run, unless it is an unnamed part of the agent around it."""
        parent = self.runs.get(told.get("parent_run_id"))
        name = calls.given_name(told.get("name"))
        around = parent.nearest if parent is not None else None
        if name is None and around is not None and isinstance(around.call, AgentRun):
            self._start(None, told, parent)
            return
        self._start_agent(calls.agent(name), inputs, told)

    def _start_agent(self, call: AgentRun, inputs: Any, told: Mapping[str, Any]) -> None:
        run = self._start(call, told, self.runs.get(told.get("parent_run_id")))
        if run is None or run.recording is None:
            return
        if call.operation is Operation.INVOKE_AGENT:
            run.agent = call.name
        if run.recording.captures:
            call.input_messages = messages_of(inputs)

    def _start_model(self, call: Inference, told: Mapping[str, Any]) -> bool:
        """Open the span of a model's run and enter its context; say whether content is wanted."""
        parent = self.runs.get(told.get("parent_run_id"))
        if call.prompt_name is None and parent is not None and parent.prompt is not None:
            step, name, version = parent.prompt
            if step < calls.step_of(told.get("tags")):
                call.prompt_name, call.prompt_version = name, version
        run = self._start(call, told, parent)
        if run is None or run.recording is None:
            return False
        run.started = time.monotonic()
        fill_slot(told["run_id"], model_context(run.recording))
        return run.recording.captures

    def _start(self, call: Call | None, told: Mapping[str, Any], parent: Run | None) -> Run | None:
        """Put a run in flight, with a span for `call` unless silence is asked for."""
        run_id: UUID = told["run_id"]
        if self.runs.get(run_id) is not None:
            return None
        run = Run(parent)
        run.conversation = calls.conversation_of(told.get("metadata") or {}) or run.conversation
        # First of all: what runs beneath finds its place, even if no span can be opened.
        self.runs.add(run_id, run)
        if call is not None and not suppressed():
            call.conversation_id = run.conversation
            around = run.nearest
            run.recording = run.nearest = self.recorder.start(
                call, parent=beneath(around) if around is not None else None
            )
        return run

    def _prompt(self, parent: Run | None, told: Mapping[str, Any]) -> None:
        """Remember a named prompt template for the model that follows it in the same sequence."""
        step = calls.step_of(told.get("tags"))
        if parent is not None and step and (named := calls.prompt_of(told.get("metadata") or {})):
            parent.prompt = (step, *named)

    def _take(self, run_id: UUID, outcome: Outcome) -> Recording | None:
        """Take a run out of the tree, and with it what nobody waits for any longer."""
        run = self.runs.remove(run_id)
        if run is None:
            return None
        if outcome in _OFF:
            self.runs.close(run, outcome)
        return run.recording

    def _finish(
        self, run_id: UUID, fill: Callable[[Recording], None], error: BaseException | None = None
    ) -> None:
        """End a run's span, whatever cannot be read of what the run came to."""
        outcome = Outcome.COMPLETED if error is None else outcome_of(error)
        with guard:
            recording = self._take(run_id, outcome)
            if recording is not None:
                try:
                    fill(recording)
                finally:
                    recording.end(outcome, error)

    def _fail(self, error: BaseException, run_id: UUID) -> None:
        with guard:
            recording = self._take(run_id, outcome_of(error))
            if recording is None:
                return
            if not calls.bubbles_up(error):
                recording.fail(error)
            elif isinstance(recording.call, AgentRun):
                recording.complete()  # it handed over, or waits to be resumed: as it was built to
            else:
                recording.end(Outcome.CANCELLED)  # it did not come to its result


def _answer(recording: Recording, response: Any) -> None:
    call = recording.call
    generations = getattr(response, "generations", None)
    if isinstance(call, Inference) and generations and generations[0]:
        output = getattr(response, "llm_output", None) or {}
        answers.answer(call, generations[0], output, content=recording.captures)


def _tool_result(recording: Recording, output: Any) -> None:
    if isinstance(call := recording.call, ToolExecution):
        answers.tool_result(call, output, content=recording.captures)


def _found(recording: Recording, documents: Any) -> None:
    if isinstance(call := recording.call, Retrieval) and recording.captures:
        call.documents = answers.documents(documents)


def _came_to(recording: Recording, outputs: Any, inputs: Any) -> None:
    if isinstance(call := recording.call, AgentRun) and recording.captures:
        call.output_messages = answers.final_messages(outputs)
        if inputs is not None:  # a streamed chain tells them at its end
            call.input_messages = messages_of(inputs)
