"""Where requests come from: addresses, and the networks that settings name."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


def networks_of(text: str) -> tuple[Network, ...]:
    """Networks, separated by commas; an address is a network of its own.

    Raises:
        ValueError: One is none; the message names it.
    """
    found = []
    for each in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(ip_network(each))
        except ValueError as error:
            raise ValueError(f"{each!r} is no network: write e.g. 10.1.0.0/16 or 10.1.2.3 ({error})") from error
    return tuple(found)


@lru_cache(1024)
def address_of(host: str | None) -> Address | None:
    """The address of a peer; an IPv4 address that IPv6 carries as what it is. None where it is none."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of these networks."""
    return address is not None and any(address in network for network in networks)


def client_of(scope: Mapping[str, Any], proxies: Sequence[Network]) -> str | None:
    """The address that a request came from first, as far as trusted proxies say it in X-Forwarded-For.

    Each proxy adds the address that it was asked from. What stands before the last address that is not a trusted
    proxy's, the client may have written itself.

    Args:
        scope: Of the request (ASGI).
        proxies: The networks of trusted proxies.
    """
    client = (scope.get("client") or (None,))[0]
    if not is_in(address_of(client), proxies):
        return client
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for each in reversed(",".join(values).split(",")):
        address = address_of(each.strip())
        if address is None:
            break
        client = str(address)
        if not is_in(address, proxies):
            break
    return client
