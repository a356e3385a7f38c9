"""Counters of a running run for Prometheus or OpenTelemetry; off unless asked for. The one door to either package.

Nothing is sent anywhere by Prometheus: it reads from a port of this machine, or from a file. OpenTelemetry exports to
where the user's own OTEL_* variables point.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from culturepark.errors import ConfigError, MissingPartError

# Name, what it is, and whether it only ever grows.
METRICS: tuple[tuple[str, str, bool], ...] = (
    ("samples_accepted", "accepted samples", True),
    ("samples_wanted", "samples asked for", False),
    ("candidates_rejected", "rejected candidates", True),
    ("candidates_failed", "failed candidates", True),
    ("dialogues_done", "committed dialogues", True),
    ("dialogues_open", "talks that are open", False),
    ("calls", "answered model calls of this sitting", True),
    ("calls_replayed", "calls answered from the reply log", True),
    ("retries", "calls tried again", True),
    ("input_tokens", "input tokens of this sitting", True),
    ("cached_tokens", "input tokens the server had cached", True),
    ("output_tokens", "output tokens of this sitting", True),
)
Read = Callable[[], Mapping[str, float]]  # a value for each name in METRICS


class Gauges(Protocol):
    """Where figures go."""

    def beat(self) -> None:
        """Hand over the present figures, where they are not fetched."""

    def close(self) -> None:
        """Hand over the last figures and stop."""


class NoGauges:
    """Nobody wants figures."""

    def beat(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def open_gauges(where: str | None, read: Read) -> Gauges:
    """The gauges for ``--metrics``: a port for Prometheus, ``otel``, or the path of a Prometheus text file.

    Raises ``MissingPartError`` without the extra and ``ConfigError`` when the port or the file cannot be had.
    """
    if where is None:
        return NoGauges()
    if where == "otel":
        return _OpenTelemetry(read)
    return _Prometheus(where, read)


class _Prometheus:
    def __init__(self, where: str, read: Read) -> None:
        try:
            import prometheus_client
        except ImportError:
            raise MissingPartError("--metrics needs prometheus-client: pip install 'culturepark[metrics]'") from None
        self._client = prometheus_client
        self._registry = prometheus_client.CollectorRegistry()
        self._registry.register(_Collector(read))
        self._stop: Callable[[], None] = lambda: None
        self._path: Path | None = None
        if where.isdigit():
            self._serve(int(where))
        else:
            self._path = Path(where)
            if not self._path.parent.is_dir():
                raise ConfigError(f"metrics: {self._path.parent} is no folder; give a port, otel, or a file's path")
            self._write()

    def _serve(self, port: int) -> None:
        try:
            server, thread = self._client.start_http_server(port, addr="127.0.0.1", registry=self._registry)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"metrics: port {port} cannot be opened ({error}); choose another") from None

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(5)

        self._stop = stop

    def _write(self) -> None:
        try:
            self._client.write_to_textfile(str(self._path), self._registry)
        except OSError as error:
            raise ConfigError(f"metrics: {self._path}: cannot be written ({error.strerror})") from None

    def beat(self) -> None:
        """Write the file, if it is a file; a disk that is full now does not stop the run."""
        if self._path is not None:
            with contextlib.suppress(ConfigError):
                self._write()

    def close(self) -> None:
        """Write the last figures, or close the port."""
        self.beat()
        self._stop()


class _Collector:
    """Reads the figures whenever Prometheus asks."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterator[Any]:
        """The present figures."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        values = self._read()
        for name, text, grows in METRICS:
            family = CounterMetricFamily if grows else GaugeMetricFamily
            yield family(f"culturepark_{name}", text, value=float(values.get(name, 0)))


class _OpenTelemetry:
    def __init__(self, read: Read) -> None:
        try:
            from opentelemetry import metrics
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        except ImportError:
            raise MissingPartError("--metrics otel needs OpenTelemetry: pip install 'culturepark[otel]'") from None
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=5000)
        self._provider = MeterProvider(metric_readers=[reader])
        meter = self._provider.get_meter("culturepark")
        for name, text, grows in METRICS:
            make = meter.create_observable_counter if grows else meter.create_observable_gauge

            def observe(_: Any, name: str = name) -> Iterator[Any]:
                yield metrics.Observation(float(read().get(name, 0)))

            make(f"culturepark.{name}", callbacks=[observe], description=text)

    def beat(self) -> None:
        """The reader exports by itself."""

    def close(self) -> None:
        """Export the last figures."""
        self._provider.shutdown(timeout_millis=3000)
