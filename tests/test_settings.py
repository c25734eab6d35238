import os
from pathlib import Path

import pytest

from audiostyle_utils import InputError, settings


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("PROFILE", "OFFLINE", "DATA", "CACHE"):
        monkeypatch.delenv(f"AUDIOSTYLE_{name}", raising=False)


def test_quick_is_the_default():
    assert settings.profile() == "quick"
    assert settings.choose(quick=1, colab=2, full=3) == 1


@pytest.mark.parametrize(
    ("text", "value"), [("quick", 1), ("colab", 2), ("full", 3), (" Full ", 3), ("", 1)]
)
def test_choose_follows_the_variable(monkeypatch, text, value):
    monkeypatch.setenv("AUDIOSTYLE_PROFILE", text)
    assert settings.choose(quick=1, colab=2, full=3) == value


def test_an_unknown_profile_names_the_three(monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_PROFILE", "fast")
    with pytest.raises(InputError, match="'fast'.*quick, colab or full"):
        settings.profile()


def test_choose_wants_all_three():
    with pytest.raises(TypeError):
        settings.choose(quick=1, full=3)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("", False)]
)
def test_offline_reads_a_switch(monkeypatch, text, value):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", text)
    assert settings.offline() is value


def test_online_is_the_default():
    assert settings.offline() is False


def test_offline_does_not_guess(monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "perhaps")
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE is 'perhaps'"):
        settings.offline()


def test_no_data_folder_by_default():
    assert settings.data_dir() is None


def test_a_relative_data_folder_becomes_absolute(monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIOSTYLE_DATA", "mine")
    assert settings.data_dir() == (tmp_path / "mine").resolve()


@pytest.mark.parametrize("make_file", [True, False])
def test_a_data_folder_must_be_one(monkeypatch, tmp_path, make_file):
    if make_file:
        (tmp_path / "mine").write_text("no folder")
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path / "mine"))
    with pytest.raises(InputError, match="no folder"):
        settings.data_dir()


def test_the_cache_may_be_yet_to_make(monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "new"))
    assert settings.cache_dir() == (tmp_path / "new").resolve()
    assert not (tmp_path / "new").exists()


def test_the_cache_is_no_file(monkeypatch, tmp_path):
    (tmp_path / "new").write_text("")
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "new"))
    with pytest.raises(InputError, match="is a file"):
        settings.cache_dir()


def test_the_home_folder_is_known(monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", "~/sounds")
    assert settings.cache_dir() == (Path.home() / "sounds").resolve()


def test_the_platforms_cache_is_the_default():
    folder = settings.cache_dir()
    assert folder.is_absolute()
    assert "audiostyle" in folder.parts


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")
def test_only_cores_that_the_process_may_use_are_counted():
    allowed = os.sched_getaffinity(0)
    assert settings.cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert settings.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(("total", "found"), [(6, 6), (None, 1)])
def test_where_the_system_binds_no_process_all_cores_are_counted(monkeypatch, total, found):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: total)
    assert settings.cores() == found
