"""The client among the library's public names, with its extra and without."""

import subprocess
import sys

import jobtracker


def run_without_httpx(code: str) -> str:
    process = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['httpx'] = None\n{code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return process.stdout


def test_the_library_is_imported_without_httpx():
    assert run_without_httpx("from jobtracker import *\nprint(Tracker.__name__, JobNotFoundError.__name__)") == (
        "Tracker JobNotFoundError\n"
    )


def test_the_client_without_httpx_is_an_error_that_names_the_extra():
    code = "try:\n    from jobtracker import Client\nexcept ImportError as error:\n    print(error)"
    assert "pip install 'celery-jobtracker[client]'" in run_without_httpx(code)


def test_the_client_is_a_public_name_and_other_names_are_missed():
    assert jobtracker.Client.__doc__
    assert jobtracker.AsyncClient.get.__doc__ == jobtracker.Client.get.__doc__
    assert not hasattr(jobtracker, "Clients")
