"""What LangChain says of a run that starts → a call record. Pure.

Only known fields are read: no key of a request's metadata becomes an attribute by its own name, so
nothing that a caller puts there can stand in for an identity (P7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from traceai import semconv
from traceai.call import AgentRun, Inference, Retrieval, ToolExecution
from traceai.semconv import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from traceai.call import AttributeValue

    Metadata = Mapping[str, Any]

# LangChain's provider names → `gen_ai.provider.name`; others are kept as they are.
_PROVIDERS: Final = {
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "google_genai": "gcp.gen_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertexai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
_PARAMETERS: Final = {
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "top_k": semconv.REQUEST_TOP_K,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
    "seed": semconv.REQUEST_SEED,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
}
_CONVERSATION: Final = ("thread_id", "session_id", "conversation_id")
_STEP: Final = "seq:step:"
# Names that LangGraph and LangChain give to what the application has not named.
_UNNAMED: Final = ("LangGraph", "Runnable", "ChatPromptTemplate", "PromptTemplate")


def conversation_of(metadata: Metadata) -> str | None:
    """Return the conversation that a run's metadata names."""
    for key in _CONVERSATION:
        value = metadata.get(key)
        if isinstance(value, str | int) and value != "":
            return str(value)
    return None


def prompt_of(metadata: Metadata) -> tuple[str, str | None] | None:
    """Return name and version of the prompt template that metadata names."""
    name, version = metadata.get("prompt_name"), metadata.get("prompt_version")
    if not name and (name := metadata.get("lc_hub_repo")):
        owner = metadata.get("lc_hub_owner")
        name = f"{owner}/{name}" if owner else name
        version = metadata.get("lc_hub_commit_hash")
    if not name and (prompt := metadata.get("langfuse_prompt")) is not None:
        name, version = getattr(prompt, "name", None), getattr(prompt, "version", None)
    if not isinstance(name, str) or not name:
        return None
    return name, None if version is None else str(version)


def step_of(tags: Any) -> int:
    """Return a run's place in a sequence, from 1, as LangChain tags it; 0 for none."""
    for tag in tags or ():
        number = tag.removeprefix(_STEP) if isinstance(tag, str) else ""
        if number != tag and number.isdecimal():
            return int(number)
    return 0


def given_name(name: Any) -> str | None:
    """Return a run's name if the application gave it, rather than a class."""
    return name if isinstance(name, str) and name and not name.startswith(_UNNAMED) else None


def inference(operation: Operation, metadata: Metadata, params: Mapping[str, Any]) -> Inference:
    """Return the record of a model run that starts."""
    model = metadata.get("ls_model_name") or _first(params, "model", "model_name", "model_id")
    provider = metadata.get("ls_provider")
    call = Inference(
        operation=operation,
        provider=_PROVIDERS.get(provider, provider) if isinstance(provider, str) else None,
        request_model=model if isinstance(model, str) and model else None,
        stream=params.get("stream") is True,
        parameters=_parameters(params),
    )
    if prompt := prompt_of(metadata):
        call.prompt_name, call.prompt_version = prompt
    return call


def tool_definitions(params: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the tools that were offered to the model."""
    tools = params.get("tools") or params.get("functions")
    if not isinstance(tools, list):
        return None
    return [_definition(tool) for tool in tools if isinstance(tool, dict)]


def tool(serialized: Metadata, text: str, told: Mapping[str, Any]) -> ToolExecution:
    """Return the record of a tool run that starts, its arguments included."""
    inputs = told.get("inputs")
    call_id = told.get("tool_call_id")
    return ToolExecution(
        name=str(serialized.get("name") or told.get("name") or ""),
        type="function",
        description=serialized.get("description") or None,
        call_id=str(call_id) if call_id else None,
        arguments=inputs if inputs is not None else text,
    )


def retrieval(query: str, told: Mapping[str, Any], metadata: Metadata) -> Retrieval:
    """Return the record of a retriever run that starts."""
    name = given_name(told.get("name"))
    default = metadata.get("ls_retriever_name")
    if name and (default is None or name.lower().removesuffix("retriever") == default):
        name = None  # the class's name says nothing of the data
    return Retrieval(data_source_id=name, query=query)


def agent(name: str | None) -> AgentRun:
    """Return the record of an agent run that starts."""
    return AgentRun(operation=Operation.INVOKE_AGENT, name=name)


def workflow(name: str | None) -> AgentRun:
    """Return the record of a root chain that starts."""
    return AgentRun(operation=Operation.INVOKE_WORKFLOW, name=name)


def bubbles_up(error: BaseException) -> bool:
    """Say whether an exception is LangGraph's control flow: an interrupt, a hand-over."""
    return any(
        kind.__name__ == "GraphBubbleUp" and kind.__module__.startswith("langgraph")
        for kind in type(error).__mro__
    )


def _parameters(params: Mapping[str, Any]) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        key: params[name]
        for name, key in _PARAMETERS.items()
        if isinstance(params.get(name), str | int | float)
    }
    stop = params.get("stop") or params.get("stop_sequences")
    if isinstance(stop, str | list) and stop:
        found[semconv.REQUEST_STOP_SEQUENCES] = [stop] if isinstance(stop, str) else list(stop)
    choices = params.get("n")
    if isinstance(choices, int) and choices != 1:
        found[semconv.REQUEST_CHOICE_COUNT] = choices
    return found


def _definition(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    source = function if isinstance(function, dict) else tool
    found = {
        "type": tool.get("type") or "function",
        "name": source.get("name") or tool.get("type"),
        "description": source.get("description"),
        "parameters": source.get("parameters") or source.get("input_schema"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _first(values: Mapping[str, Any], *keys: str) -> Any:
    return next((value for key in keys if (value := values.get(key)) is not None), None)
