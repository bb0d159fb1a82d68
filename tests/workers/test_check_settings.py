"""What is said of wrong settings before anything starts."""

import os

import pytest

from workers import check_settings


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in {name.upper() for each in check_settings.CHECKED for name in each.model_fields} & os.environ.keys():
        monkeypatch.delenv(name)


def test_good_settings_pass_in_silence(monkeypatch, capsys):
    monkeypatch.setenv("REDIS_URL", "redis://redis:6379")
    check_settings.main()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["REDIS_DB", "API_RATE_PER_S", "WORKER_STOP_S", "JOB_CPU_S", "TABLE_MEMORY_MB"])
def test_a_wrong_one_ends_it_with_its_name_once(monkeypatch, name):
    monkeypatch.setenv(name, "many")
    with pytest.raises(SystemExit) as ended:
        check_settings.main()
    assert str(ended.value).count(f"{name}:") == 1


def test_flower_needs_a_password_where_its_profile_is_on(monkeypatch):
    monkeypatch.setenv("COMPOSE_PROFILES", "gcp-emulators,flower")
    with pytest.raises(SystemExit, match="FLOWER_BASIC_AUTH: must be user:password where others can reach Flower"):
        check_settings.main()
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "me:secret")
    check_settings.main()
