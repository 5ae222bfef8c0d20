"""Mail servers as the alert tests have them."""

from tests.alerts.conftest import authority, certificate, make_sink, port

__all__ = ["authority", "certificate", "make_sink", "port"]
