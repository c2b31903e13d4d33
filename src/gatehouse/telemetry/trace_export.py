"""Where spans go: in batches, from a thread of the SDK's, to a collector that speaks OTLP over HTTP.

Apart from `gatehouse.telemetry.tracing`, since the SDK takes a while to import.
"""

import asyncio
import threading
from contextlib import suppress
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from gatehouse.settings import Settings

CLOSE_SECONDS = 5.0  # in which the last spans have to be gone; a collector that hangs holds nobody up


def provider_of(settings: Settings) -> TracerProvider:
    """Return what collects spans and sends them. The SDK reads what else OTEL_* variables say."""
    endpoint = settings.otel_endpoint
    url = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    names = {SERVICE_NAME: settings.otel_service_name, SERVICE_VERSION: version("gatehouse-server")}
    provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=CLOSE_SECONDS)))
    return provider


async def closed(provider: TracerProvider) -> None:
    """Return when the last spans are sent, or after 5 s."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
            loop.call_soon_threadsafe(done.set)

    # no thread of the executor's: the process would wait for it in the end
    threading.Thread(target=close, name="close traces", daemon=True).start()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await done.wait()
    except TimeoutError:
        return
