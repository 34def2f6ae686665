"""Asks a Prometheus: the platform's own through the API server, or somebody else's by its address.

A thin wall around prometheus-api-client: what a query gives comes out as values of ours, what goes wrong as a sentence.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from probes.errors import TargetError

TIMEOUT_S = 30
NAME = "prometheus"

Point = tuple[float, float]
"""Unix time in seconds, and a value, which may be NaN."""


class QueryRefused(TargetError):  # noqa: N818 - named after the event
    """Prometheus does not understand a query, or cannot evaluate it."""

    default_reason = "query_refused"


@dataclass(frozen=True)
class Series:
    """One series of an answer: its labels, and its points in rising time."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]

    @property
    def finite(self) -> tuple[Point, ...]:
        """Points whose value is a number."""
        return tuple(point for point in self.points if math.isfinite(point[1]))


@dataclass(frozen=True)
class Span:
    """Time that is asked for: from, until (Unix time) and step, in seconds."""

    from_s: float
    until_s: float
    step_s: float


class Asker(Protocol):
    """Whoever answers queries."""

    def over(self, expression: str, span: Span) -> tuple[Series, ...]:
        """Evaluate an expression at every step of a span."""
        ...

    def now(self, expression: str) -> tuple[Series, ...]:
        """Evaluate an expression at this moment."""
        ...


class Prometheus:
    """One Prometheus at an address. Blocks; used by one thread at a time.

    Args:
        address: Base address.
        is_forwarded: Whether the address is a port of this machine, which no proxy knows.
    """

    def __init__(self, address: str, *, is_forwarded: bool) -> None:
        # Here and not above: the library brings a stack of HTTP modules that no other command needs.
        from prometheus_api_client.prometheus_connect import PrometheusConnect  # noqa: PLC0415
        from requests import Session  # noqa: PLC0415

        self._address = address.rstrip("/")
        session = Session()
        session.trust_env = not is_forwarded
        # Any: its functions have no types.
        self._client: Any = PrometheusConnect(self._address, session=session, timeout=TIMEOUT_S, method="POST")

    def over(self, expression: str, span: Span) -> tuple[Series, ...]:
        """Evaluate an expression at every step of a span.

        Raises:
            QueryRefused: Prometheus does not understand it.
            TargetError: Prometheus cannot be reached.
        """
        begin, end = (datetime.fromtimestamp(at_s, UTC) for at_s in (span.from_s, span.until_s))
        step = f"{span.step_s:g}s"
        answer = self._asked(expression, lambda: self._client.custom_query_range(expression, begin, end, step))
        return tuple(series_of(item, item["values"]) for item in answer)

    def now(self, expression: str) -> tuple[Series, ...]:
        """Evaluate an expression at this moment.

        Raises:
            QueryRefused: Prometheus does not understand it.
            TargetError: Prometheus cannot be reached.
        """
        answer = self._asked(expression, lambda: self._client.custom_query(expression))
        return tuple(series_of(item, [item["value"]]) for item in answer)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _asked(self, expression: str, call: Callable[[], Any]) -> list[dict[str, Any]]:
        from prometheus_api_client.exceptions import PrometheusApiClientException  # noqa: PLC0415
        from requests.exceptions import RequestException  # noqa: PLC0415

        try:
            return list(call())
        except PrometheusApiClientException as error:
            raise QueryRefused(
                f"Prometheus at {self._address} refused the query {expression}: {error}.",
                next_step="the address may not be that of a Prometheus; else its version does not know the query",
            ) from None
        except (RequestException, ValueError) as error:
            raise TargetError(
                f"Prometheus cannot be asked at {self._address}: {error}.",
                next_step="look at its pod (kubectl get pods -A -l app.kubernetes.io/name=prometheus) or address",
                reason="prometheus_unreachable",
            ) from None


def series_of(item: Mapping[str, Any], points: list[list[Any]]) -> Series:
    """Read one series of an answer, whose values are texts: `NaN` and `+Inf` are values, too."""
    return Series(dict(item["metric"]), tuple((float(at_s), float(value)) for at_s, value in points))
