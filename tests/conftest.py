"""What every test starts from: none of the reader's own settings, and nothing left behind."""

import os

import pytest

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session", autouse=True)
def no_settings(tmp_path_factory):
    """Run the tests without the reader's settings, data and cache."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AUDIOSTYLE_")]:
            patch.delenv(name)
        patch.setenv("AUDIOSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def environment_is_restored():
    """Undo what a tool of the book sets for the kernels and tests that it starts."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
