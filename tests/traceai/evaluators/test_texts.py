"""Every string of a value is found, with its path."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traceai.evaluators.texts import Text, texts


def test_messages_are_read_in_order_with_paths() -> None:
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {"role": "assistant", "content": "ho", "n": 3, "ok": True, "none": None},
    ]
    assert [
        Text("[0].role", "role", "user"),
        Text("[0].parts[0].type", "type", "text"),
        Text("[0].parts[0].content", "content", "hi"),
        Text("[1].role", "role", "assistant"),
        Text("[1].content", "content", "ho"),
    ] == list(texts(messages))


def test_a_plain_string_has_no_path() -> None:
    assert [Text("", None, "hello")] == list(texts("hello"))


def test_a_client_librarys_message_is_read_through_model_dump() -> None:
    class Message:
        def model_dump(self) -> dict[str, str]:
            return {"content": "hi"}

    assert [Text(".content", "content", "hi")] == list(texts(Message()))


def test_a_value_that_holds_itself_ends() -> None:
    loop: list[object] = ["x"]
    loop.append(loop)
    assert 60 < len(list(texts(loop))) < 70


@given(st.recursive(st.text(min_size=1), lambda inner: st.lists(inner, max_size=4), max_leaves=20))
def test_no_string_is_skipped(value: object) -> None:
    def leaves(item: object) -> list[str]:
        if isinstance(item, list):
            return [leaf for inner in item for leaf in leaves(inner)]
        return [str(item)]

    assert leaves(value) == [text.text for text in texts(value)]
