import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import music21
import pytest

from audiostyle_utils import scores
from audiostyle_utils.errors import InputError
from audiostyle_utils.scores import files as score_files
from audiostyle_utils.scores.pieces import DRUMS, Note

TUNES = sorted((Path(music21.__file__).parent / "corpus" / "ryansMammoth").glob("*.abc"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"


def piece(pitches, length=24, programs=(0,)):
    notes = [
        Note(k * length, length, pitch, part)
        for part in range(len(programs))
        for k, pitch in enumerate(pitches)
    ]
    return scores.make_piece(notes, programs)


@pytest.fixture
def files(tmp_path):
    """Two MIDI files and a tune in ABC."""
    found = {
        "scale": scores.save_midi(piece([60, 62, 64, 65]), tmp_path / "scale.mid"),
        "trill": scores.save_midi(piece([72, 74, 72, 74], 6), tmp_path / "trill.MID"),
    }
    return found | {"tune": Path(shutil.copy(TUNES[0], tmp_path / "tune.abc"))}


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def direct(path, **options):
    return scores.tokenise(scores.read(path, **options))


# What comes out


def test_tokens_are_those_of_each_file_in_the_order_given(files):
    found = scores.tokenise_files(files)
    assert list(found.tokens) == list(files) and found.skipped == {}
    assert found.tokens == {name: direct(path) for name, path in files.items()}
    again = scores.tokenise_files(dict(reversed(files.items())))
    assert list(again.tokens) == list(reversed(files)) and again.tokens == found.tokens


def test_bad_files_are_listed_with_the_reason(tmp_path, files):
    (tmp_path / "empty.mid").touch()
    (tmp_path / "garbage.mid").write_bytes(b"MThd" + bytes(range(200)))
    (tmp_path / "silent.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nz4|z4|\n")
    (tmp_path / "words.xml").write_text("no score at all")
    (tmp_path / "notes.txt").write_text("C D E F")
    bad = {path.name: path for path in tmp_path.iterdir() if path not in files.values()}
    bad = {name: path for name, path in bad.items() if path.is_file()}
    found = scores.tokenise_files(bad | {"gone": tmp_path / "gone.mid"} | files)
    assert set(found.tokens) == set(files)
    assert set(found.skipped) == {*bad, "gone"}
    for name, reason in found.skipped.items():
        assert str(tmp_path / ("gone.mid" if name == "gone" else name)) in reason


def test_drums_are_left_out_or_kept(tmp_path):
    only = scores.save_midi(piece([36, 38], programs=(DRUMS,)), tmp_path / "only.mid")
    both = scores.save_midi(piece([60, 62], programs=(0, DRUMS)), tmp_path / "both.mid")
    without = scores.tokenise_files({"only": only, "both": both})
    assert list(without.tokens) == ["both"] and "drums=True" in without.skipped["only"]
    assert "part:drums" not in without.tokens["both"]
    kept = scores.tokenise_files({"only": only, "both": both}, drums=True)
    assert kept.tokens["both"] == direct(both, drums=True) and "only" in kept.tokens


def test_a_score_too_large_for_tokens_is_skipped_by_name(tmp_path, files):
    crowd = scores.make_piece([Note(0, 24, 60, part) for part in range(1001)], [0] * 1001)
    large = scores.save_midi(crowd, tmp_path / "crowd.mid")
    found = scores.tokenise_files({"crowd": large} | files)
    assert set(found.tokens) == set(files)
    assert str(large) in found.skipped["crowd"] and "1,001 voices" in found.skipped["crowd"]


def test_any_failure_of_a_reader_is_the_files_own(tmp_path, files, monkeypatch):
    def fails(path, **_):
        raise RecursionError("too deep") if path == files["scale"] else InputError("not this one")

    monkeypatch.setattr(score_files, "read", fails)
    with pytest.raises(InputError, match=r"scale\.mid cannot be read: RecursionError: too deep"):
        scores.tokenise_files(files)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({}, {}, "files is empty"),
        (["a.mid"], {}, "files is a list"),
        ({"a": None}, {}, "NoneType for 'a'"),
        ({"a": "a.mid"}, {"workers": 0}, "workers is 0"),
        ({"a": "a.mid"}, {"workers": True}, "workers is True"),
        ({"a": "a.mid"}, {"workers": 1.5}, "workers is 1.5"),
        ({"a": "a.mid", "b": "b.mid"}, {}, r"None of the 2 scores is usable. a: a\.mid does not"),
    ],
)
def test_what_cannot_be_done_is_said(given, options, message):
    with pytest.raises(InputError, match=message):
        scores.tokenise_files(given, **options)


# Processes


def test_a_script_without_a_main_guard_may_use_helpers(tmp_path, files):
    tunes = {path.stem: str(path) for path in TUNES[:15]}
    given = {"scale": str(files["scale"]), **tunes, "silent": str(tmp_path / "silent.abc")}
    Path(given["silent"]).write_text("X:1\nM:4/4\nL:1/4\nK:C\nz4|z4|\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys\n"
        "from audiostyle_utils import scores\n"
        "found = scores.tokenise_files(json.load(sys.stdin), workers=2, cache=False)\n"
        "print(json.dumps([found.tokens, found.skipped]))\n"
    )
    root = str(Path(scores.__file__).parents[2])
    result = subprocess.run(
        [sys.executable, script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": root},
    )
    tokens, skipped = json.loads(result.stdout)
    assert list(tokens) == ["scale", *tunes]
    assert list(skipped) == ["silent"] and "no notes" in skipped["silent"]
    for name in ("scale", *list(tunes)[:3]):
        assert tokens[name] == direct(given[name])


def test_a_helper_that_is_killed_costs_one_file(files):
    helper = score_files._Helper(False)
    try:
        assert helper.ask(files["scale"]) == direct(files["scale"])
        helper._process.kill()
        reason = helper.ask(files["trill"])
        assert reason.startswith(f"{files['trill']} cannot be read") and "exit status" in reason
        assert helper.ask(files["trill"]) == direct(files["trill"])
    finally:
        helper.kill()
        helper.close()


def test_a_helper_that_fails_itself_is_no_reason_to_skip(files):
    helper = score_files._Helper(False)
    helper._start()
    helper._process.stdin.write("not JSON\n")
    helper._process.stdin.flush()
    with pytest.raises(InputError, match="(?s)Give workers=1.*JSONDecodeError"):
        helper.ask(files["scale"])
    assert helper._process is None


def test_an_interruption_leaves_no_thread_and_no_process(monkeypatch):
    started = []
    start = score_files._Helper._start

    def counted(helper):
        start(helper)
        started.append(helper._process)

    monkeypatch.setattr(score_files._Helper, "_start", counted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), score_files._helpers(2, False) as ask:
        asked = [ask(path) for path in TUNES]  # far more than two helpers read before the first
        wait(asked, return_when=FIRST_COMPLETED)  # is noticed here
        raise KeyboardInterrupt
    assert threading.active_count() == before
    assert started and all(process.returncode is not None for process in started)
    assert asked[-1].cancelled()


# The cache


def test_a_second_call_reads_no_score(files, cache, monkeypatch):
    first = scores.tokenise_files(files)
    before = stamps(cache)
    assert len(before) == len(files)
    monkeypatch.delattr(score_files, "read")
    assert scores.tokenise_files(files) == first
    assert stamps(cache) == before


def test_the_cache_knows_a_file_by_its_content_and_kind(tmp_path, files, cache):
    first = scores.tokenise_files({"a": files["scale"]}).tokens["a"]
    moved = files["scale"].rename(tmp_path / "moved.mid")
    assert scores.tokenise_files({"b": moved}).tokens["b"] == first
    assert len(stamps(cache)) == 1
    other = scores.save_midi(piece([50, 52]), moved)
    assert scores.tokenise_files({"b": other}).tokens["b"] == direct(other) != first
    scores.tokenise_files({"b": other}, drums=True)
    assert len(stamps(cache)) == 3
    # A MIDI file by name only is none, whatever the cache knows of its content.
    named = shutil.copy(other, tmp_path / "named.abc")
    assert "named" in scores.tokenise_files({"named": named, "b": other}).skipped


def test_another_version_reads_anew(files, cache, monkeypatch):
    scores.tokenise_files({"a": files["scale"]})
    monkeypatch.setattr(score_files, "_VERSION", score_files._VERSION + 1)
    scores.tokenise_files({"a": files["scale"]})
    assert len(stamps(cache)) == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_cache_file_is_made_anew(files, cache, damage):
    first = scores.tokenise_files({"a": files["scale"]})
    (place,) = cache.iterdir()
    whole = place.read_bytes()
    damaged = {"cut": whole[:-9], "changed": whole[:3] + b"#" + whole[4:], "emptied": b""}
    place.write_bytes(damaged[damage])
    assert scores.tokenise_files({"a": files["scale"]}) == first
    assert place.read_bytes() == whole


def test_what_was_read_before_an_interruption_is_kept(files, cache, monkeypatch):
    def interrupted(answers, *_):
        yield next(answers)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(score_files, "progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            scores.tokenise_files(files)
    assert len(stamps(cache)) == 1
    assert set(scores.tokenise_files(files).tokens) == set(files)


def test_without_cache_nothing_is_written(files, cache):
    scores.tokenise_files(files, cache=False)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path, files, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(InputError, match="AUDIOSTYLE_CACHE.*cache=False"):
        scores.tokenise_files(files)


# Families

TUNE = [60, 62, 64, 60, 67, 65, 64, 62, 60, 72, 71, 69, 67, 65, 62, 64, 60]  # 16 intervals
OTHER = [60, 61, 60, 61, 63, 60, 61, 60, 66, 60, 61, 60, 61, 70, 60, 61, 59]


def families(titles=None, **pieces):
    return scores.families({name: scores.tokenise(p) for name, p in pieces.items()}, titles)


def test_another_key_another_rhythm_and_more_around_it_are_the_same_tune():
    found = families(
        a=piece(TUNE),
        other=piece(OTHER),
        transposed=piece([pitch + 5 for pitch in TUNE]),
        slower=piece(TUNE, 48),
        inside=piece([40, 47, *TUNE, 45, 40]),
    )
    assert found == {"a": "a", "other": "other"} | dict.fromkeys(
        ("transposed", "slower", "inside"), "a"
    )


def test_fifteen_intervals_in_common_are_not_enough():
    changed = [*TUNE[:-1], TUNE[-1] + 1]
    assert families(a=piece(TUNE), b=piece(changed)) == {"a": "a", "b": "b"}


def test_what_belongs_to_a_third_piece_belongs_together():
    found = families(a=piece(TUNE), b=piece(OTHER), both=piece(TUNE + OTHER))
    assert set(found.values()) == {"a"}


def test_pieces_of_one_title_are_a_family_and_those_without_are_not():
    pieces = {"a": piece([60, 62]), "b": piece([70, 60]), "c": piece([50, 52]), "d": piece([50])}
    titles = {"a": "Nun danket", "b": "Nun danket", "c": None}
    assert families(titles, **pieces) == {"a": "a", "b": "a", "c": "c", "d": "d"}


def test_the_melody_is_the_top_of_the_first_part_that_is_not_drums():
    notes = [Note(k * 24, 24, pitch, 1) for k, pitch in enumerate(TUNE)]
    below = [Note(k * 24, 24, 30 + k % 5, 1) for k in range(len(TUNE))]
    beat = [Note(k * 12, 12, 36, 0) for k in range(40)]
    bass = [Note(k * 48, 48, 90 - k, 2) for k in range(8)]
    band = scores.make_piece([*notes, *below, *beat, *bass], [DRUMS, 0, 33])
    assert families(band=band, tune=piece(TUNE)) == {"band": "band", "tune": "band"}
