"""Addresses of Redis: redis-py and Celery spell some of them differently."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

REDIS_SCHEMES = {"redis", "rediss", "unix", "redis+socket", "sentinel"}
CLUSTER_SCHEMES = {"redis+cluster", "rediss+cluster"}
AMQP_SCHEMES = {"amqp", "amqps", "pyamqp"}


def scheme_of(url: str) -> str:
    """What stands before the `://`; empty where nothing does."""
    return urlsplit(url).scheme if "://" in url else ""


def is_cluster(url: str) -> bool:
    """Whether it is that of a Redis Cluster, by some of its nodes: `redis+cluster://a:6379;redis+cluster://b:6379`."""
    return scheme_of(url) in CLUSTER_SCHEMES


def is_sentinel(url: str) -> bool:
    """Whether it is that of Sentinels, as Celery spells it: `sentinel://a:26379;sentinel://b:26379/0`."""
    return scheme_of(url) == "sentinel"


def plain_urls(url: str) -> list[str]:
    """The servers of an address, each as redis-py spells it."""
    return [each.replace("+cluster://", "://", 1) for each in url.split(";")]


@dataclass(frozen=True)
class SentinelAddress:
    """What an address of Sentinels says.

    Attributes:
        sentinels: Host and port of each.
        service: What they call the server: `?master_name=`, by default mymaster.
        options: How to connect to that server.
        sentinel_options: How to connect to the Sentinels: `?sentinel_password=`, `?sentinel_username=`.
    """

    sentinels: list[tuple[str, int]]
    service: str
    options: dict[str, Any]
    sentinel_options: dict[str, str]

    @classmethod
    def read(cls, url: str) -> "SentinelAddress":
        """Read an address; login, database and options may stand at any of its Sentinels, and hold for all."""
        parts = [urlsplit(each) for each in url.split(";")]
        query = {name: value for each in parts for name, value in parse_qsl(each.query)}
        service = query.pop("master_name", "mymaster")
        own = {name: query.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        login = {
            name: unquote(value)
            for each in parts
            for name, value in (("username", each.username), ("password", each.password))
            if value
        }
        db = next((each.path.strip("/") for each in parts if each.path.strip("/")), None) or query.pop("db", "0")
        return cls(
            [(each.hostname or "localhost", each.port or 26379) for each in parts],
            service,
            {**query, **login, "db": int(db)},
            {name: value for name, value in own.items() if value},
        )

    @property
    def celery_url(self) -> str:
        """The same as Celery spells it, without the options, which it has in its configuration.

        Login and database stand at each Sentinel: kombu takes them from the one whose turn it is, the result backend
        from the first (kombu/transport/redis.py, celery/backends/redis.py).
        """
        login = ""
        if "username" in self.options or "password" in self.options:
            user, password = (quote(self.options.get(name, ""), safe="") for name in ("username", "password"))
            login = f"{user}:{password}@"
        hosts = [(f"[{host}]" if ":" in host else host, port) for host, port in self.sentinels]
        return ";".join(f"sentinel://{login}{host}:{port}/{self.options['db']}" for host, port in hosts)


def without_passwords(url: str) -> str:
    """The address as it may be shown: with asterisks for passwords."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", url)


_PASSWORD = re.compile(r"(://[^/@;:]*:)[^/@;]+(?=@)|([?&](?:sentinel_)?password=)[^&;]+")


def with_database(url: str, db: int) -> str:
    """`url` with database `db`, unless it names one itself."""
    if is_cluster(url):
        return url  # it has one only
    if is_sentinel(url):
        *others, last = url.split(";")
        named = any(urlsplit(each).path.strip("/") for each in (*others, last))
        return url if named else ";".join([*others, urlunsplit(urlsplit(last)._replace(path=f"/{db}"))])
    parts = urlsplit(url)
    if "db" in dict(parse_qsl(parts.query)):
        return url
    if parts.scheme == "unix":
        return f"{url}{'&' if parts.query else '?'}db={db}"
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path=f"/{db}"))


def celery_url(url: str) -> str:
    """An address, or several alternatives, as Celery spells it."""
    if is_sentinel(url):
        return SentinelAddress.read(url).celery_url
    return ";".join(map(_celery_url, url.split(";")))


def redis_url(url: str, options: Mapping[str, Any] | None = None, ssl: Any = None) -> str | None:
    """The address that Celery's broker has, as redis-py spells it; None where the broker is no Redis.

    Of several alternatives it is the first one, but for Sentinels, which are one address.

    Args:
        url: The broker's, as Celery or redis-py spells it.
        options: Celery's `broker_transport_options`: they name the server behind Sentinels.
        ssl: Celery's `broker_use_ssl`: certificates, and whether to verify the server.
    """
    if scheme_of(url) not in REDIS_SCHEMES:
        return None
    if is_sentinel(url):
        return _of_sentinels(url, options or {})
    first = url.partition(";")[0]
    parts = urlsplit(first)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "unix":
        return first
    if parts.scheme == "redis+socket":
        own = {"db": query.get("virtual_host"), "username": parts.username, "password": parts.password}
        kept = {name: unquote(value) for name, value in own.items() if value}
        return f"unix://{parts.path}{'?' if kept else ''}{urlencode(kept)}"
    kept = {"db": query["db"]} if "db" in query else {}
    if parts.scheme == "rediss":
        told = {**query, **(ssl if isinstance(ssl, Mapping) else {})}
        kept |= {name: str(value) for name, value in told.items() if name.startswith("ssl_") and value is not None}
        verify = told.get("ssl_cert_reqs")  # kombu takes no answer for no
        kept["ssl_cert_reqs"] = getattr(verify, "name", str(verify)).lower().removeprefix("cert_")
    return urlunsplit(parts._replace(query=urlencode(kept)))


def _of_sentinels(url: str, options: Mapping[str, Any]) -> str:
    """The address of Sentinels with what Celery says of them in its options."""
    sentinel_kwargs = options.get("sentinel_kwargs") or {}
    told = {
        "master_name": options.get("master_name"),
        "sentinel_username": sentinel_kwargs.get("username"),
        "sentinel_password": sentinel_kwargs.get("password"),
    }
    known = dict(parse_qsl(urlsplit(url.rsplit(";", maxsplit=1)[-1]).query))
    query = {name: value for name, value in told.items() if value and name not in known}
    return f"{url}{('&' if known else '?') if query else ''}{urlencode(query)}"


def _celery_url(url: str) -> str:
    """A redis-py URL as Celery spells it; others are left alone.

    Celery wants the database in the path, and of `rediss://` whether to verify the server (celery/backends/redis.py);
    kombu takes no answer for no (kombu/connection.py), redis-py for yes. A unix socket is `redis+socket://` with the
    database in `virtual_host` and its password before the path (kombu/transport/redis.py).
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        return url
    options = dict(parse_qsl(parts.query))
    db = options.pop("db", None)
    if parts.scheme == "unix":
        user = options.pop("username", None)
        password = options.pop("password", None)
        login = parts.netloc
        if user is not None or password is not None:
            login = f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"
        if db is not None:
            options["virtual_host"] = db
        return f"redis+socket://{login}{parts.path}{'?' if options else ''}{urlencode(options)}"
    if db is not None:
        parts = parts._replace(path=f"/{db}")
    if parts.scheme == "rediss":
        options.setdefault("ssl_cert_reqs", "required")
    return urlunsplit(parts._replace(query=urlencode(options)))
