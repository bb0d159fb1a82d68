"""Where messages may be sent to: no address of this machine or its network, unless a setting allows it.

A name is resolved once, and the connection is made to one of the addresses that were checked. So a name that has
another address a moment later (DNS rebinding) leads nowhere else.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from jobtracker.errors import JobTrackerError

Network = IPv4Network | IPv6Network

_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 addresses as a NAT64 gateway has them (RFC 6052)."""
_resolvers = ThreadPoolExecutor(32, "webhook-dns")
"""Of their own: a name server that does not answer must not hold up other threads of the API."""
_lookups: dict[tuple[str, int], Future[Any]] = {}
"""Those under way. Of each name there is one, which outlasts who asked: so a slow name has one thread, never all."""


class BlockedAddressError(JobTrackerError):
    """Messages must not be sent there."""


def check_address(text: str, allowed: Sequence[Network]) -> str:
    """An IP address that messages may be sent to.

    Raises:
        BlockedAddressError: They must not.
    """
    address = _inner(ip_address(text.partition("%")[0]))
    if any(address.version == each.version and address in each for each in allowed):
        return text
    if address.is_global and not address.is_multicast and not address.is_reserved:
        return text
    raise BlockedAddressError(
        f"{address} is no address of the internet. To send there all the same, add its network to "
        "WEBHOOK_ALLOWED_NETWORKS."
    )


def check_url(url: str, allowed: Sequence[Network], *, has_mail: bool) -> None:
    """Do nothing where an endpoint may have this URL, as far as it can be seen without its name's address.

    Raises:
        BlockedAddressError: It may not.
    """
    parts = urlsplit(url)
    if parts.scheme == "mailto":
        if not has_mail:
            raise BlockedAddressError("Mails can't be sent: set SMTP_URL and SMTP_FROM.")
        if "@" not in parts.path or any(each in parts.path for each in " \r\n,") or parts.query:
            raise BlockedAddressError("A mail goes to one address: mailto:somebody@example.com.")
        return
    try:
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BlockedAddressError(f"The URL can't be read: {error}.") from error
    if parts.scheme not in {"https", "http"} or not host:
        raise BlockedAddressError("The URL must begin with https://, http:// or mailto:.")
    if parts.username or parts.password:
        raise BlockedAddressError("The URL must have no user and password: they would be in logs.")
    if parts.scheme == "http" and not allowed:
        raise BlockedAddressError(
            "http:// is for networks that WEBHOOK_ALLOWED_NETWORKS allows: others could read along. Use https://."
        )
    if any(ord(each) <= ord(" ") for each in url):
        raise BlockedAddressError("The URL must have no spaces.")
    try:
        ip_address(host)
    except ValueError:
        return
    check_address(host, allowed)


async def resolve(host: str, port: int, allowed: Sequence[Network], *, plain: bool) -> str:
    """An address of a host, which messages may be sent to. All of its addresses must be such ones.

    Args:
        host: A name or an IP address.
        port: The port.
        allowed: Networks that are allowed beside the internet.
        plain: The connection is not encrypted: only these networks are.

    Raises:
        BlockedAddressError: They must not be sent there.
        OSError: The name has no address.
    """
    lookup = asyncio.wrap_future(_lookup(host, port))
    lookup.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # perhaps nobody waits any more
    await asyncio.wait([lookup])  # if this is cancelled, the lookup goes on, for whoever asks next
    addresses = list(dict.fromkeys(str(each[4][0]) for each in lookup.result()))
    for each in addresses:
        check_address(each, allowed)
        address = _inner(ip_address(each.partition("%")[0]))
        if plain and not any(address.version == one.version and address in one for one in allowed):
            raise BlockedAddressError(f"{address} is in no allowed network, and http:// is for these. Use https://.")
    return addresses[0]


def _lookup(host: str, port: int) -> Future[Any]:
    """The lookup of a name that is under way, or a new one."""
    name = host, port
    found = _lookups.get(name)
    if found is None or found.done():
        found = _lookups[name] = _resolvers.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found.add_done_callback(lambda ended: _lookups.get(name) is ended and _lookups.pop(name, None))
    return found


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address in an IPv6 one that leads to it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
