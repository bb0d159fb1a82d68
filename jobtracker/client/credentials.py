"""Which API key a client sends: the one that it is given, of the environment, of a file, or of a login."""

import json
import os
import tempfile
from pathlib import Path

from jobtracker.client.errors import ApiError

KEY_VARIABLE, FILE_VARIABLE = "JOBTRACKER_API_KEY", "JOBTRACKER_API_KEY_FILE"


def key_for(url: str, given: str | None) -> str | None:
    """The API key for the API at a URL; None: there is none, and none is sent.

    Args:
        url: Where the API is. A key of a login goes to the URL of that login only.
        given: What the program gave.

    Raises:
        ApiError: The file of the key can't be read, or the key can't be sent.
    """
    key = given or os.environ.get(KEY_VARIABLE) or _of_file() or _logins().get(_place(url))
    if key is None:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ApiError(f"The API key for {url} is none: it has a space, a line break, or letters that no key has.")
    return key


def remember(url: str, key: str | None) -> Path:
    """Keep the key of a login in a file that only its user can read, or forget it; returns the file.

    Raises:
        ApiError: The file can't be written.
    """
    path, logins = _profile(), _logins()
    logins.pop(_place(url), None)
    if key is not None:
        logins[_place(url)] = key
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable for its user only
        with os.fdopen(number, "w") as file:
            json.dump(logins, file, indent=2)
        Path(name).replace(path)
    except OSError as error:
        raise ApiError(f"The login can't be kept in {path}: {error}.") from error
    return path


def has_login(url: str) -> bool:
    """Whether there is a login for a URL."""
    return _place(url) in _logins()


def _of_file() -> str | None:
    name = os.environ.get(FILE_VARIABLE)
    if not name:
        return None
    try:
        key = Path(name).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError(f"The file of the API key ({FILE_VARIABLE}) can't be read: {error}.") from error
    if not key:
        raise ApiError(f"The file of the API key ({FILE_VARIABLE}), {name}, is empty.")
    return key


def _logins() -> dict[str, str]:
    """The keys of logins, by URL."""
    path = _profile()
    try:
        found = json.loads(path.read_text())
        return {url: key for url, key in found.items() if isinstance(key, str)}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise ApiError(
            f"The logins in {path} can't be read ({error}): mend or remove that file, then `jobtracker login` again."
        ) from error


def _profile() -> Path:
    try:
        folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    except RuntimeError:  # a user without a home
        folder = Path("/nonexistent")
    return Path(folder) / "jobtracker" / "logins.json"


def _place(url: str) -> str:
    return url.rstrip("/").lower()
