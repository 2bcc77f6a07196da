"""OpenTelemetry (extra ``otel``): spans, metrics and propagation, made from the client's events alone.

```python
from marketingblocks_async import MarketingBlocks, observed_by
from marketingblocks_async.otel import Metrics, Tracing, propagate_context

metrics = Metrics()
async with MarketingBlocks(
    **observed_by(Tracing(), metrics),
    middlewares=[propagate_context],  # only if the API may see your trace ids
) as client:
    metrics.watch(client)
```
"""

try:
    from .metrics import HasRateLimiter, Metrics
    from .propagation import propagate_context
    from .tracing import Tracing
except ModuleNotFoundError as _exc:
    _MISSING = "marketingblocks_async.otel needs OpenTelemetry: pip install 'marketingblocks-async[otel]'"
    raise ModuleNotFoundError(_MISSING, name=_exc.name) from _exc

__all__ = ["HasRateLimiter", "Metrics", "Tracing", "propagate_context"]
