"""Network addresses."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an IP address, is this machine as only it can reach itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
