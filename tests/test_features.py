"""Log-mel spectrograms of many files: their values, their cache, and files that cannot be used."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import librosa
import numpy as np
import pytest
import soundfile as sf
from threadpoolctl import threadpool_info

from audiostyle_utils import InputError, audio, features, spectra

SR = 16000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def tone(seconds=1.0, frequency=440.0, level=0.5, sr=SR):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * sr)) / sr)


def noise(samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def written(folder, **signals):
    paths = {name: folder / f"{name}.wav" for name in signals}
    for name, y in signals.items():
        sf.write(paths[name], y, SR)
    return paths


@pytest.fixture
def files(tmp_path):
    signals = {f"clip.{n:05}": noise(4000 + 700 * n, seed=n) for n in range(5)}
    return written(tmp_path, **signals)


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


# One signal


@pytest.mark.parametrize("samples", [1, 100, 511, 512, 2048, 33 * 512 + 7, 64 * 512 - 1, 40000])
@pytest.mark.parametrize(
    ("n_fft", "hop", "mels"), [(2048, 512, 128), (1024, 300, 33), (256, 64, 8)]
)
def test_values_are_the_decibels_of_the_mel_spectrogram(samples, n_fft, hop, mels):
    y = noise(samples)
    found = features.log_mel(y, SR, n_fft, hop, mels)
    power = spectra.mel_spectrogram(y, SR, n_fft, hop, mels)
    assert found.dtype == np.float32 and found.shape == power.shape
    np.testing.assert_allclose(found, 10 * np.log10(np.maximum(power, 1e-10)), atol=1e-3)


@pytest.mark.parametrize(("n_fft", "hop", "mels"), [(2048, 512, 128), (1023, 300, 33)])
def test_values_are_what_librosa_gives(n_fft, hop, mels):
    y = noise(20000)
    power = librosa.feature.melspectrogram(y=y, sr=SR, n_fft=n_fft, hop_length=hop, n_mels=mels)
    expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    np.testing.assert_allclose(features.log_mel(y, SR, n_fft, hop, mels), expected, atol=1e-3)


def test_a_tone_peaks_in_its_band_and_half_the_level_is_6_db_less():
    loud, soft = (features.log_mel(tone(level=level), SR) for level in (0.5, 0.25))
    centres = librosa.mel_frequencies(130, fmin=0, fmax=SR / 2)[1:-1]
    assert loud[:, 10].argmax() == np.abs(centres - 440).argmin()
    peak = loud[:, 10].argmax()
    assert loud[peak, 10] - soft[peak, 10] == pytest.approx(20 * np.log10(2), abs=0.01)


def test_silence_is_at_the_floor():
    assert (features.log_mel(np.zeros(3000), SR) == -100).all()


@pytest.mark.parametrize(
    ("y", "change", "words"),
    [
        (np.zeros((2, 900)), {}, "2 channels"),
        (np.array([np.nan, 0.1]), {}, "NaN"),
        (np.array([1e20, 0.1]), {}, "Scale it"),
        (np.zeros(900), {"sr": 0}, "sr is 0"),
        (np.zeros(900), {"n_fft": 1}, "n_fft is 1"),
        (np.zeros(900), {"hop_length": 0}, "hop_length is 0"),
        (np.zeros(900), {"n_mels": 2.5}, "n_mels is 2.5"),
        (np.zeros(900), {"n_mels": 128, "n_fft": 256}, "fewer n_mels or a larger n_fft"),
    ],
)
def test_signals_and_settings_that_do_not_fit_are_refused(y, change, words):
    with pytest.raises(InputError, match=words):
        features.log_mel(y, **({"sr": SR} | change))


# Many files


@pytest.mark.parametrize("workers", [1, 2, 7, None])
def test_each_file_gets_what_it_gets_alone(files, workers):
    found = features.extract(files, workers=workers)
    assert list(found.arrays) == list(files) and found.skipped == {}
    assert found.settings == {"sr": SR, "n_fft": 2048, "hop_length": 512, "n_mels": 128}
    for name, path in files.items():
        alone = features.log_mel(audio.load(path, SR)[0], SR)
        assert found.arrays[name].dtype == np.float16
        np.testing.assert_array_equal(found.arrays[name], alone.T.astype(np.float16))
        np.testing.assert_allclose(found.arrays[name], alone.T, atol=0.04)


def test_rates_channels_and_formats_may_differ(tmp_path):
    y = tone(2.0, sr=44100)
    for suffix in ("wav", "flac", "ogg"):
        sf.write(tmp_path / f"a.{suffix}", np.stack([y, y], axis=1), 44100)
    paths = {suffix: tmp_path / f"a.{suffix}" for suffix in ("wav", "flac", "ogg")}
    found = features.extract(paths)
    expected = features.log_mel(tone(2.0), SR).T
    for array in found.arrays.values():
        assert array.shape == expected.shape
        bands = expected[20:40].mean(axis=0) > 0  # what is faint differs by what a format drops
        np.testing.assert_allclose(array[20:40, bands], expected[20:40, bands], atol=0.3)


def test_settings_reach_the_result(files):
    found = features.extract(files, sr=8000, n_fft=512, hop_length=100, n_mels=20)
    for name, path in files.items():
        alone = features.log_mel(audio.load(path, 8000)[0], 8000, 512, 100, 20)
        np.testing.assert_array_equal(found.arrays[name], alone.T.astype(np.float16))
    assert found.settings == {"sr": 8000, "n_fft": 512, "hop_length": 100, "n_mels": 20}


def test_files_that_cannot_be_used_are_listed_with_the_reason(tmp_path, files):
    files |= written(tmp_path, silent=np.zeros(5000), faint=tone(level=5e-5), soft=tone(level=3e-4))
    sf.write(tmp_path / "huge.wav", np.full(5000, 1e30), SR, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("not sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "cut.wav").write_bytes(files["clip.00000"].read_bytes()[:3000])
    files |= {name: tmp_path / f"{name}.wav" for name in ("huge", "text", "empty", "cut", "absent")}
    for _ in range(2):  # with and without a cache
        found = features.extract(files)
        words = {"silent": "silent", "faint": "silent", "huge": "peaks", "text": "no sound"}
        words |= {"empty": "0 bytes", "cut": "cut short", "absent": "no file"}
        assert set(found.skipped) == set(words)
        assert all(words[name] in reason for name, reason in found.skipped.items())
        assert list(found.arrays) == [name for name in files if name not in words]


def test_if_nothing_is_usable_the_first_reason_is_given(tmp_path):
    files = written(tmp_path, one=np.zeros(900), two=np.zeros(900))
    with pytest.raises(InputError, match="None of the 2 recordings .*one.*silent"):
        features.extract(files)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"files": {}}, "empty"),
        ({"files": ["a.wav"]}, "list"),
        ({"workers": 0}, "workers is 0"),
        ({"workers": True}, "workers is True"),
        ({"sr": "fast"}, "sr is 'fast'"),
        ({"n_mels": 0}, "n_mels is 0"),
        ({"n_mels": 4000}, "fewer n_mels"),
    ],
)
def test_parameters_out_of_range_are_refused(files, change, words):
    with pytest.raises(InputError, match=words):
        features.extract(**({"files": files} | change))


def test_the_number_of_threads_in_matrix_products_is_restored(files):
    before = [pool["num_threads"] for pool in threadpool_info()]
    features.extract(files)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_several_callers_at_once_get_the_same(files, cache):
    results = [None] * 3

    def call(n):
        results[n] = features.extract(files, workers=2)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in results[1:]:
        for name in files:
            np.testing.assert_array_equal(other.arrays[name], results[0].arrays[name])
    assert len(list(cache.iterdir())) == len(files)


def test_an_interruption_does_not_wait_for_the_files_in_the_queue(tmp_path, monkeypatch):
    path = written(tmp_path, long=noise(10 * SR))["long"]
    begun, one = [], features._one

    def counted(*args, **options):
        begun.append(args)
        return one(*args, **options)

    def interrupted(results, *_):
        next(results)
        raise KeyboardInterrupt

    monkeypatch.setattr(features, "_one", counted)
    monkeypatch.setattr(features, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        features.extract(dict.fromkeys(map(str, range(300)), path), workers=1, cache=False)
    assert len(begun) < 200


# The cache


def test_a_second_call_reads_and_writes_nothing(files, cache):
    first = features.extract(files)
    before = stamps(cache)
    assert len(before) == len(files)
    again = features.extract(files)
    assert stamps(cache) == before
    for name in files:
        np.testing.assert_array_equal(first.arrays[name], again.arrays[name])


def test_what_the_cache_holds_is_what_is_given(files, cache):
    features.extract({"a": files["clip.00000"]})
    (place,) = cache.iterdir()
    features._write(place, np.full((3, 128), 7, np.float16))
    found = features.extract({"b": files["clip.00000"]})
    assert (found.arrays["b"] == 7).all() and found.arrays["b"].shape == (3, 128)
    assert features.extract({"b": files["clip.00000"]}, cache=False).arrays["b"].shape != (3, 128)


def test_cached_files_are_ordinary_npy_files(files, cache):
    found = features.extract({"a": files["clip.00001"]})
    (place,) = cache.iterdir()
    np.testing.assert_array_equal(np.load(place, allow_pickle=False), found.arrays["a"])


def test_a_changed_file_is_computed_anew_and_a_renamed_one_is_not(tmp_path, files, cache):
    path = files["clip.00000"]
    features.extract({"a": path})
    moved = path.rename(tmp_path / "moved.wav")
    features.extract({"a": moved})
    assert len(stamps(cache)) == 1
    y, _ = audio.load(moved, SR)
    sf.write(moved, -0.5 * y, SR)
    found = features.extract({"a": moved})
    assert len(stamps(cache)) == 2
    expected = features.log_mel(audio.load(moved, SR)[0], SR).T
    np.testing.assert_array_equal(found.arrays["a"], expected.astype(np.float16))


@pytest.mark.parametrize(
    "change", [{"sr": 22050}, {"n_fft": 1024}, {"hop_length": 256}, {"n_mels": 64}]
)
def test_other_settings_do_not_meet_in_the_cache(files, change):
    features.extract(files)
    found = features.extract(files, **change).arrays
    expected = features.extract(files, cache=False, **change).arrays
    for name in files:
        np.testing.assert_array_equal(found[name], expected[name])


def test_other_versions_do_not_meet_in_the_cache(files, cache, monkeypatch):
    features.extract(files)
    monkeypatch.setattr(features, "_versions", lambda: {"numpy": "another"})
    features.extract(files)
    monkeypatch.setattr(features, "_VERSION", features._VERSION + 1)
    features.extract(files)
    assert len(stamps(cache)) == 3 * len(files)


@pytest.mark.parametrize("where", [0, 6, 9, 40, 2000, -2, None])
def test_a_damaged_cache_file_is_made_anew(files, cache, where):
    first = features.extract({"a": files["clip.00000"]}).arrays["a"]
    (place,) = cache.iterdir()
    whole = place.read_bytes()
    damaged = bytearray(whole)
    if where is None:
        damaged = whole[: len(whole) // 2]
    else:
        damaged[where] ^= 0x10
    for content in (bytes(damaged), b""):
        place.write_bytes(content)
        np.testing.assert_array_equal(
            features.extract({"a": files["clip.00000"]}).arrays["a"], first
        )
        assert place.read_bytes() == whole


def test_without_cache_nothing_is_written(files, cache):
    features.extract(files, cache=False)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path, files, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(InputError, match="AUDIOSTYLE_CACHE.*cache=False"):
        features.extract(files)
    assert len(features.extract(files, cache=False).arrays) == len(files)


def test_a_cache_that_is_lost_meanwhile_is_an_error_and_not_a_reason_to_skip(files, monkeypatch):
    folder = features._folder()
    folder.rmdir()
    monkeypatch.setattr(features, "_folder", lambda: folder)
    with pytest.raises(InputError, match="cannot be written"):
        features.extract(files)


# Features that stay on the disk


def on_disk(files, **options):
    return features.extract(files, in_memory=False, **options)


@pytest.mark.parametrize("workers", [1, 3])
def test_on_the_disk_are_the_same_arrays_in_the_same_order(files, workers):
    files = dict(reversed(files.items()))
    expected = features.extract(files, cache=False)
    for _ in range(2):  # with and without a cache
        found = on_disk(files, workers=workers)
        assert list(found.arrays) == list(found.arrays.keys()) == list(files)
        assert len(found.arrays) == len(files)
        for name, array in found.arrays.items():
            assert array.dtype == np.float16
            np.testing.assert_array_equal(array, expected.arrays[name])
        assert (found.settings, found.skipped) == (expected.settings, {})
        assert found.frames == expected.frames


def test_frames_are_counted_in_both_modes(files):
    samples = {name: len(audio.load(path, SR)[0]) for name, path in files.items()}
    for in_memory in (True, False):
        found = features.extract(files, hop_length=300, in_memory=in_memory)
        assert list(found.frames) == list(files)
        assert found.frames == {name: 1 + samples[name] // 300 for name in files}
        assert found.frames == {name: len(array) for name, array in found.arrays.items()}


def test_what_the_cache_holds_is_counted_and_read_without_the_recording(files, cache):
    name = "clip.00000"
    features.extract({name: files[name]})
    (place,) = cache.iterdir()
    features._write(place, np.full((3, 128), 7, np.float16))
    found = on_disk({name: files[name]})
    assert found.frames == {name: 3}
    files[name].unlink()
    np.testing.assert_array_equal(found.arrays[name], np.full((3, 128), 7, np.float16))


def test_features_on_the_disk_cannot_be_written_to(files):
    arrays = on_disk(files).arrays
    first = next(iter(files))
    with pytest.raises(TypeError):
        arrays[first] = np.zeros((3, 128))
    with pytest.raises(TypeError):
        del arrays[first]
    before = arrays[first].copy()
    arrays[first][:] = 0
    np.testing.assert_array_equal(arrays[first], before)


def test_a_name_that_is_not_there_is_a_key_error(files, cache):
    arrays = on_disk(files).arrays
    for place in cache.iterdir():
        place.unlink()
    assert "clip.00000" in arrays and "absent" not in arrays and None not in arrays
    assert not any(cache.iterdir())  # to ask whether a name is there computes nothing
    with pytest.raises(KeyError):
        arrays["absent"]
    assert arrays.get("absent") is None


def test_what_was_removed_from_the_cache_or_damaged_is_made_anew(files, cache):
    found = on_disk(files)
    expected = {name: array.copy() for name, array in found.arrays.items()}
    whole = {place: place.read_bytes() for place in cache.iterdir()}
    for change in (lambda place: place.unlink(), lambda place: place.write_bytes(b"damaged")):
        for place in whole:
            change(place)
        for name in files:
            np.testing.assert_array_equal(found.arrays[name], expected[name])
        assert {place: place.read_bytes() for place in cache.iterdir()} == whole
    for place in whole:
        place.unlink()
    cache.rmdir()
    for name in files:
        np.testing.assert_array_equal(found.arrays[name], expected[name])
    assert set(cache.iterdir()) == set(whole)


def test_if_recording_and_cache_are_lost_or_changed_the_file_is_named(files, cache):
    found = on_disk(files)
    for place in cache.iterdir():
        place.unlink()
    gone, changed, broken, *others = files
    files[gone].unlink()
    sf.write(files[changed], noise(9000, seed=9), SR)
    files[broken].write_text("not sound")
    for name, words in ((gone, "no file"), (changed, "changed since.*extract again")):
        with pytest.raises(InputError, match=f"{name}.*{words}|{words}.*{name}"):
            found.arrays[name]
    with pytest.raises(InputError, match=f"{broken}.*changed"):
        found.arrays[broken]
    assert all(len(found.arrays[name]) == found.frames[name] for name in others)


def test_files_that_cannot_be_used_are_left_out_on_the_disk_too(tmp_path, files):
    mixed = written(tmp_path, silent=np.zeros(5000)) | files | {"absent": tmp_path / "absent.wav"}
    for _ in range(2):  # with and without a cache
        found = on_disk(mixed)
        assert found.skipped == features.extract(mixed).skipped
        assert set(found.skipped) == {"silent", "absent"}
        assert list(found.arrays) == list(found.frames) == list(files)
        assert "silent" not in found.arrays
    with pytest.raises(InputError, match="None of the 1 recordings .*silent"):
        on_disk({"silent": mixed["silent"]})


def test_nothing_is_left_on_the_disk_without_a_cache(files):
    with pytest.raises(InputError, match="cache=True"):
        on_disk(files, cache=False)


def most_memory(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_needed_does_not_grow_with_the_number_of_files(tmp_path):
    files = written(tmp_path, **{str(n): noise(SR // 2, seed=n) for n in range(51)})
    names, settings = list(files), {"hop_length": 16, "workers": 1}
    few, many = ({name: files[name] for name in part} for part in (names[1:11], names[11:]))

    def all_read(files):
        found = on_disk(files, **settings)
        assert sum(len(array) for array in found.arrays.values()) == 501 * len(files)

    all_read({"0": files["0"]})  # what stays in memory from a first call does not count
    difference = (len(many) - len(few)) * 501 * 128 * 2
    for _ in range(2):  # with and without a cache
        few_need, many_need = (
            most_memory(lambda part=part: all_read(part)) for part in (few, many)
        )
        assert many_need < few_need + difference / 4
    collected = most_memory(lambda: features.extract(many, **settings))
    assert collected > many_need + difference / 2  # the measure sees arrays that are kept


def test_no_more_recordings_are_taken_up_than_are_soon_needed():
    taken = count()
    with ThreadPoolExecutor(2) as pool:
        results = features._in_turn(pool, lambda n: n * n, (next(taken) for _ in range(1000)), 5)
        assert [next(results) for _ in range(10)] == [n * n for n in range(10)]
        assert next(taken) == 15
    with ThreadPoolExecutor(2) as pool:
        assert list(features._in_turn(pool, abs, [-3, 2, -1], 5)) == [3, 2, 1]
        assert list(features._in_turn(pool, abs, [], 5)) == []
