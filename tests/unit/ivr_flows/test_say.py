"""Numbers and digits from recorded pieces, and the recordings themselves."""

from __future__ import annotations

import wave

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows import library, say
from ivr_flows.library import make_prompts


def spoken(value: int, language: str, gender: say.Gender | None = None) -> str:
    """What a caller hears, in words."""
    files = say.number(value, language, gender)
    names = [file.path.removeprefix(f"say/{language}/").removesuffix(".wav") for file in files]
    return " ".join(say.pieces(language)[name] for name in names)


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "nula"),
        (1, "jedna"),
        (2, "dva"),
        (11, "jedenáct"),
        (21, "dvacet jedna"),
        (100, "sto"),
        (202, "dvě stě dva"),
        (345, "tři sta čtyřicet pět"),
        (999, "devět set devadesát devět"),
        (1000, "tisíc"),
        (1001, "tisíc jedna"),
        (2000, "dva tisíce"),
        (5000, "pět tisíc"),
        (12000, "dvanáct tisíc"),
        (21000, "dvacet jedna tisíc"),
        (22000, "dvacet dva tisíce"),
        (101000, "sto jedna tisíc"),
        (112000, "sto dvanáct tisíc"),
        (1000000, "milion"),
        (3000000, "tři miliony"),
        (5000000, "pět milionů"),
        (14000000, "čtrnáct milionů"),
        (21000000, "dvacet jedna milionů"),
        (34001002, "třicet čtyři miliony tisíc dva"),
        (-7, "minus sedm"),
    ],
)
def test_czech_numbers(value: int, words: str) -> None:
    assert spoken(value, "cs") == words


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("value", "gender", "words"),
    [
        (1, "masculine", "jeden"),
        (1, "feminine", "jedna"),
        (1, "neuter", "jedno"),
        (2, "masculine", "dva"),
        (2, "feminine", "dvě"),
        (2, "neuter", "dvě"),
        (31, "masculine", "třicet jeden"),
        (42, "feminine", "čtyřicet dvě"),
        (2002, "feminine", "dva tisíce dvě"),
        (12, "feminine", "dvanáct"),
    ],
)
def test_czech_gender_is_that_of_the_last_word_alone(value: int, gender: say.Gender, words: str) -> None:
    assert spoken(value, "cs", gender) == words


@pytest.mark.req("R22")
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (15, "fifteen"),
        (42, "forty two"),
        (100, "one hundred"),
        (105, "one hundred and five"),
        (1001, "one thousand and one"),
        (1100, "one thousand one hundred"),
        (21021, "twenty one thousand and twenty one"),
        (3000000, "three million"),
        (-1, "minus one"),
    ],
)
def test_english_numbers(value: int, words: str) -> None:
    assert spoken(value, "en") == words


@pytest.mark.req("R22")
@settings(max_examples=400, deadline=None)
@given(st.one_of(st.integers(0, 9999), st.integers(0, say.LIMIT)), st.sampled_from(["cs", "en"]))
def test_another_implementation_says_the_same(value: int, language: str) -> None:
    num2words = pytest.importorskip("num2words")
    theirs = num2words.num2words(value, lang=language)
    ours = spoken(value, language)
    if language == "cs":  # written as one word there, which is heard no differently
        for hundreds in ("dvě stě", "tři sta", "čtyři sta", *(f"{word} set" for word in _WITH_SET)):
            ours = ours.replace(hundreds, hundreds.replace(" ", ""))
    assert ours == theirs.replace("-", " ").replace(",", "")


_WITH_SET = ("pět", "šest", "sedm", "osm", "devět")


@settings(max_examples=200, deadline=None)
@given(st.integers(-say.LIMIT, say.LIMIT), st.sampled_from(say.LANGUAGES), st.sampled_from([None, "neuter"]))
def test_every_number_within_the_limit_can_be_said(value: int, language: str, gender: say.Gender | None) -> None:
    assert say.number(value, language, gender)


@pytest.mark.parametrize("value", [say.LIMIT + 1, -say.LIMIT - 1, 10**15])
def test_a_larger_number_can_not_be_said(value: int) -> None:
    with pytest.raises(say.CannotSay):
        say.number(value, "cs")


@pytest.mark.req("R22")
def test_digits_one_by_one() -> None:
    assert [file.path for file in say.digits("+42 0*#", "en")] == [
        *("say/en/plus.wav", "say/en/4.wav", "say/en/2.wav", "say/en/0.wav", "say/en/star.wav", "say/en/hash.wav"),
    ]


@pytest.mark.parametrize("text", ["", " ", "12a", "²", "٣"])
def test_what_is_no_digit_can_not_be_said(text: str) -> None:
    with pytest.raises(say.CannotSay):
        say.digits(text, "cs")


def test_a_language_without_grammar() -> None:
    with pytest.raises(say.CannotSay):
        say.pieces("de")
    with pytest.raises(say.CannotSay):
        say.piece("forty-two", "en")


def test_every_piece_and_prompt_is_recorded_and_nothing_else_is() -> None:
    wanted = {path for path, _, _ in make_prompts.texts()}
    folder = library.prompts_dir()
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*.wav")} == wanted


def test_recordings_are_as_telephony_plays_them() -> None:
    size = 0
    for file in library.prompts_dir().rglob("*.wav"):
        with wave.open(str(file)) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2), file
            assert 0.2 < sound.getnframes() / 8000 < 10, file
            samples = memoryview(sound.readframes(sound.getnframes())).cast("h")
        assert 10000 < max(abs(sample) for sample in samples) < 32767, file
        size += file.stat().st_size
    assert size < 3_000_000


def test_what_the_templates_play_is_recorded() -> None:
    for name in library.TEMPLATES:
        for sources in library.template(name)["prompts"].values():
            for path in sources.values():
                assert (library.prompts_dir() / path).is_file()
    assert (library.prompts_dir() / library.prompt("apology", "cs").path).is_file()


def test_unknown_names_of_the_library() -> None:
    with pytest.raises(KeyError):
        library.template("../main")
    with pytest.raises(KeyError):
        library.prompt("apology", "de")
