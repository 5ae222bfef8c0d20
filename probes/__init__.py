"""Probes: one file a kind.

To add a kind, put one file here (or in a package of yours, under the entry-point group `commune_monitor.probes`):
a docstring that says what it answers and by which standard, an options model, and an async function

    @probe("echo-tcp", EchoOptions, metrics=[Metric("probe_echo_bytes", "Bytes that came back.")])
    async def run(request: Request[EchoOptions]) -> Result: ...

It returns `ok(...)` or `failed(Reason.…, evidence)`, lets OSError, ssl.SSLError and TimeoutError pass (the registry
turns them into reasons), and holds no socket when it returns or is cancelled. Nothing else needs to be touched.
"""
