"""Where webhooks may be sent to."""

import asyncio
import socket
import threading

import pytest

from jobtracker.server.access.networks import networks_of
from jobtracker.webhooks.addresses import BlockedAddressError, check_address, check_url, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_its_network_are_blocked(address):
    with pytest.raises(BlockedAddressError, match="WEBHOOK_ALLOWED_NETWORKS"):
        check_address(address, ())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_addresses_of_the_internet_are_not(address):
    assert check_address(address, ()) == address


def test_networks_can_be_allowed():
    allowed = networks_of("10.0.0.0/8, ::1/128")
    for address in ("10.1.2.3", "::1", "::ffff:10.1.2.3"):
        check_address(address, allowed)
    for address in ("127.0.0.1", "192.168.0.1"):
        with pytest.raises(BlockedAddressError):
            check_address(address, allowed)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://127.0.0.1/x", "no address of the internet"),
        ("https://[::1]/x", "no address of the internet"),
        ("http://example.com/x", "Use https://"),
        ("ftp://example.com", "must begin with"),
        ("https:///x", "must begin with"),
        ("https://user:secret@example.com", "no user and password"),
        ("https://example.com:99999/", "can't be read"),
        ("https://example.com/a b", "no spaces"),
        ("mailto:joe@example.com", "SMTP_URL"),
    ],
)
def test_urls_that_can_t_be(url, why):
    with pytest.raises(BlockedAddressError, match=why):
        check_url(url, (), has_mail=False)


@pytest.mark.parametrize(
    "url", ["mailto:joe", "mailto:a@b.c,d@e.f", "mailto:a@b.c?bcc=d@e.f", "mailto:a@b.c\r\nBcc: x@y.z"]
)
def test_a_mail_goes_to_one_address(url):
    with pytest.raises(BlockedAddressError, match="one address"):
        check_url(url, (), has_mail=True)


def test_urls_that_can_be():
    check_url("https://example.com/hook?x=1", (), has_mail=False)
    check_url("http://hooks.corp/", networks_of("10.0.0.0/8"), has_mail=False)
    check_url("mailto:joe@example.com", (), has_mail=True)


def test_a_name_is_blocked_by_any_of_its_addresses(monkeypatch):
    def both(host, port, **_):
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(BlockedAddressError, match=r"10\.0\.0\.1"):
        asyncio.run(resolve("example.com", 443, (), plain=False))


def test_without_encryption_only_allowed_networks_are_spoken_to(monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert asyncio.run(resolve("example.com", 443, (), plain=False)) == "93.184.216.34"
    with pytest.raises(BlockedAddressError, match="Use https"):
        asyncio.run(resolve("example.com", 80, networks_of("10.0.0.0/8"), plain=True))


def test_a_name_server_that_does_not_answer_takes_one_thread_and_holds_up_no_other_name(monkeypatch):
    asked, answers = [], threading.Event()

    def of(host, port, **_):
        asked.append(host)
        if host == "slow.example":
            answers.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    monkeypatch.setattr(socket, "getaddrinfo", of)

    async def ask(host, timeout_s):
        async with asyncio.timeout(timeout_s):
            return await resolve(host, 443, (), plain=False)

    async def look():
        slow = await asyncio.gather(*(ask("slow.example", 0.01) for _ in range(50)), return_exceptions=True)
        assert {type(each) for each in slow} == {TimeoutError}
        assert await ask("fast.example", 30) == "93.184.216.34"
        answers.set()
        assert await ask("slow.example", 30) == "93.184.216.34"

    try:
        asyncio.run(look())
    finally:
        answers.set()
    assert asked[:2] == ["slow.example", "fast.example"]
