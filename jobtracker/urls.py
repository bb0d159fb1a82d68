"""Addresses of Redis: redis-py and Celery spell some of them differently."""

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

REDIS_SCHEMES = {"redis", "rediss", "unix", "redis+socket"}
AMQP_SCHEMES = {"amqp", "amqps", "pyamqp"}


def scheme_of(url: str) -> str:
    """What stands before the `://`; empty where nothing does."""
    return urlsplit(url).scheme if "://" in url else ""


def with_database(url: str, db: int) -> str:
    """`url` with database `db`, unless it names one itself."""
    parts = urlsplit(url)
    if "db" in dict(parse_qsl(parts.query)):
        return url
    if parts.scheme == "unix":
        return f"{url}{'&' if parts.query else '?'}db={db}"
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path=f"/{db}"))


def celery_url(url: str) -> str:
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
