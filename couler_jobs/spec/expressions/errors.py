"""The one error that reading or evaluating an expression raises."""

from __future__ import annotations

from couler_jobs.errors import CoulerJobsError


class ExpressionError(CoulerJobsError):
    """An expression cannot be read or evaluated; the message is Argo's, or near it.

    `at` is the place in the text that it is about, counted from 0, None if that is not known.
    """

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at

    @property
    def sentence(self) -> str:
        """The message without the excerpt."""
        return str(self).partition("\n")[0]

    def shown_in(self, text: str) -> ExpressionError:
        """The same with the line of the text and a mark below the place, as expr-lang does."""
        if self.at is None:
            return self
        start = text.rfind("\n", 0, self.at) + 1
        line = text[start:].partition("\n")[0]
        number, column = text.count("\n", 0, start) + 1, self.at - start
        return ExpressionError(f"{self} ({number}:{column + 1})\n | {line}\n | {'.' * column}^")
