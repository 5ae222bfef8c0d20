"""Whether TLS can trust what an admin gave as `ca`: at run time a wrong file would look like trouble of every service."""

from __future__ import annotations

import ssl

from probes.wire import tls


def check_ca(pem: str) -> None:
    """Raises ValueError when the text is there, but no certificate in it can be read."""
    try:
        tls.context(verify=True, ca_pem=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(
            "there is no certificate to be read in this `ca`; "
            "it must hold the CA's own in PEM, from -----BEGIN CERTIFICATE----- on, in ASCII"
        ) from error
