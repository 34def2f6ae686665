"""A stand-in for an API server: answers by path, and remembers what it was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.api_server import Reply

NOT_FOUND = 404


Sent = Mapping[str, Any]
Answer = Mapping[str, Any] | int | Callable[[Sent], Mapping[str, Any]]


@dataclass
class ApiServerStandIn:
    """Answers of a cluster, by path; anything else is not found.

    Attributes:
        answers: Body by path; a number in its place is a status code, a function is given what was sent.
        asked: Paths, in the order in which they were asked.
    """

    answers: Mapping[str, Answer]
    asked: list[str] = field(default_factory=list[str])

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Answer one question."""
        _ = method
        self.asked.append(path)
        answer = self.answers.get(path, NOT_FOUND)
        if callable(answer):
            answer = answer(body or {})
        if isinstance(answer, int):
            return Reply(status=answer, body={"message": "said by the stand-in"})
        return Reply(status=200, body=answer)
