"""The conversation that every client has: a wrong local model, a consultation, and a file that both models read.

The local model and the teacher are scripted. Each calls the client's own tool for reading files before it answers.
"""

import base64
import json
from dataclasses import dataclass

from tests.servers import Asked, Reply, Script

from weakspot.records import Interaction

FILE, NOTES = "notes.txt", "eggs\nspam\nham\n"
QUESTION = f"How many lines has {FILE}?"
WRONG = "It has seven lines."
PHRASE = "consult Sonnet"
RIGHT = "It has three lines."
TITLE = "Lines of a file"
"""What the local model says to a client that asks for something in the background."""
PICTURE_MARK = "[image_url]"
"""What a record has in the place of a picture."""
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
"""A PNG of one pixel."""


@dataclass(frozen=True)
class Call:
    """A call of a client's tool that reads the file."""

    name: str
    arguments: dict

    def reply(self, identity: str) -> Reply:
        return Reply(calls=((identity, self.name, json.dumps(self.arguments)),))


def local_model(call: Call) -> Script:
    """Return a local model that reads the file where it is offered tools, and gives a wrong answer."""

    def answer(asked: Asked) -> Reply:
        body = asked.body
        if not body.get("tools"):
            return Reply(TITLE)
        return Reply(WRONG) if body["messages"][-1]["role"] == "tool" else call.reply("call_local")

    return answer


def teacher(call: Call) -> Script:
    """Return a teacher that reads the file before it gives the right answer."""

    def answer(asked: Asked) -> Reply:
        blocks = asked.body["messages"][-1]["content"]
        has_read = any(block["type"] == "tool_result" for block in blocks)
        return Reply(RIGHT) if has_read else call.reply("call_teacher")

    return answer


def outline(record: Interaction) -> dict:
    """Return what a record says, without what differs from client to client."""
    asked = record.messages.index(record.escalation)
    return {
        "query": record.query.content,
        "local": [_told(message) for message in record.attempt],
        "escalation": record.escalation.content,
        "expert": [_told(message) for message in record.messages[asked + 1 :]],
        "attempt": record.metadata.attempt,
        "teacher": record.metadata.consultation.teacher if record.metadata.consultation else None,
    }


def expected(query: str, call: Call) -> list[dict]:
    """Return the outlines of the records of this conversation: the expert's call is one, and then its answer."""
    reading = [call.name, "the file"]
    common = {
        "query": query,
        "local": [*reading, WRONG],
        "escalation": PHRASE,
        "attempt": "sent",
        "teacher": "sonnet",
    }
    return [{**common, "expert": [call.name]}, {**common, "expert": [*reading, RIGHT]}]


def _told(message) -> str:
    """Return the name of the tool that a message calls, whether it holds the file, or else its words."""
    if message.tool_calls:
        return " ".join(one.function.name for one in message.tool_calls)
    if message.role == "tool":
        return "the file" if all(line in message.content for line in NOTES.split()) else f"no file: {message.content}"
    return message.content
