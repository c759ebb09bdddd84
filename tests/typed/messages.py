"""What type checkers see of ``message_type=``. This file is not run: mypy and pyright check it."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, assert_type

import trio

import trio_ports
from trio_ports import Context, Port
from trio_ports.native import (
    NativeListener,
    connect_native,
    open_native_listener,
    open_native_port,
    send_native_message,
)


@dataclass
class Question:
    text: str


@dataclass
class Answer:
    number: int


Message = Question | Answer


async def pairs(nursery: trio.Nursery, unknown: Any) -> None:
    """One type for both ends, or one for each."""
    opener, receiver = trio_ports.open_port_pair(nursery)
    assert_type(opener, Port[Any, Any])
    assert_type(await receiver.receive(), Any)
    opener, receiver = trio_ports.open_port_pair(nursery, message_type=unknown)
    assert_type(opener, Port[Any, Any])
    both = trio_ports.open_port_pair(nursery, "name", message_type=Question)
    assert_type(both, tuple[Port[Any, Question], Port[Any, Question]])
    union = trio_ports.open_port_pair(nursery, message_type=Message)
    assert_type(union, tuple[Port[Any, Question | Answer], Port[Any, Question | Answer]])
    asking, answering = trio_ports.open_port_pair(nursery, message_type=(Answer | None, Question))
    assert_type(await asking.receive(), Answer | None)
    assert_type(await answering.receive(), Question)
    half = trio_ports.open_port_pair(nursery, message_type=(Any, list[Question]))
    assert_type(half, tuple[Port[Any, Any], Port[Any, list[Question]]])
    trio_ports.open_port_pair(nursery, message_type=1)  # type: ignore[call-overload]
    trio_ports.open_port_pair(nursery, message_type=(Question, 1))  # type: ignore[arg-type]


async def openers(stream: trio.abc.Stream) -> None:
    """Whatever opens a port for a block."""
    async with trio_ports.open_stream_port(stream) as port:
        assert_type(port, Port[Any, Any])
    async with trio_ports.open_stream_port(stream, message_type=Answer) as answers:
        assert_type(answers, Port[Any, Answer])
        async for answer in answers:
            assert_type(answer, Answer)
    async with trio_ports.open_stream_port(stream, message_type=Question | Answer) as messages:
        assert_type(messages, Port[Any, Question | Answer])
    async with open_native_port() as port:
        assert_type(port, Port[Any, Any])
    async with open_native_port(message_type=dict[str, int] | None) as numbers:
        assert_type(numbers, Port[Any, dict[str, int] | None])
    async with connect_native("com.example.app", extension_id="a@b") as port:
        assert_type(port, Port[Any, Any])
    async with connect_native("com.example.app", extension_id="a@b", message_type=Literal["pong"]) as pongs:
        assert_type(pongs, Port[Any, Literal["pong"]])
    assert_type(await send_native_message("com.example.app", 1, extension_id="a@b"), Any)
    assert_type(await send_native_message("com.example.app", 1, extension_id="a@b", message_type=Answer), Answer)
    trio_ports.open_stream_port(stream, message_type="Answer | 1")  # type: ignore[arg-type]


async def listeners(nursery: trio.Nursery) -> None:
    """A listener has the type of its ports' messages, and so has what it serves."""
    async with open_native_listener("com.example.app") as listener:
        assert_type(listener, NativeListener[Any])
        await listener.serve(answer_questions)
    async with open_native_listener("com.example.app", message_type=Question) as questions:
        assert_type(questions, NativeListener[Question])
        assert_type(await questions.accept(), Port[Any, Question])
        async for port in questions:
            assert_type(port, Port[Any, Question])
        await nursery.start(questions.serve, answer_questions)
        await questions.serve(answer_questions)
        await questions.serve(answer_anything)
        await questions.serve(take_answers)  # type: ignore[arg-type]


async def browsers(context: Context, nursery: trio.Nursery) -> None:
    """What a context opens, and what it serves."""
    runtime = context.runtime
    assert_type(runtime.connect(), Port[Any, Any])
    assert_type(runtime.connect(message_type=Answer), Port[Any, Answer])
    assert_type(runtime.connect_native("com.example.app", message_type=Message), Port[Any, Question | Answer])
    assert_type(context.tabs.connect(1, message_type=list[Answer]), Port[Any, list[Answer]])
    await nursery.start(runtime.serve, answer_questions)
    await runtime.serve(answer_questions, message_type=Question)
    await runtime.serve(answer_anything, message_type=Question)
    await runtime.serve(take_answers, message_type=Question)  # type: ignore[arg-type]


async def answer_questions(port: Port[Answer, Question]) -> None:
    """Take questions only."""
    async for question in port:
        await port.send(Answer(len(question.text)))
        await port.send(question)  # type: ignore[arg-type]


async def answer_anything(port: Port) -> None:
    """Take whatever arrives."""
    async for message in port:
        await port.send(message)


async def take_answers(port: Port[Any, Answer]) -> None:
    """Take answers only."""
    async for answer in port:
        print(answer.number)
