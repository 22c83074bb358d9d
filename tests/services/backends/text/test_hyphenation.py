import pytest

from services.backends.text.hyphenation import _language, syllable_starts
from tests.support.sentences import SENTENCES

LANGUAGES = {
    "Latn": ["en_US", "de_DE", "fr", "es", "pt_PT", "it_IT", "nl_NL", "sv", "pl_PL", "cs_CZ", "hu_HU"],
    "Cyrl": ["ru_RU", "uk_UA"],
    "Grek": ["el_GR"],
}


def hyphenated(word: str, whole_text: str) -> str:
    starts = set(syllable_starts(word, whole_text=whole_text))
    return "".join(f"-{letter}" if index in starts else letter for index, letter in enumerate(word))


def test_the_language_of_most_sentences_is_recognised() -> None:
    guesses = [
        (language, _language(sentence, script))
        for script, languages in LANGUAGES.items()
        for language in languages
        for sentence in SENTENCES[language.partition("_")[0]]
    ]
    assert sum(language == guess for language, guess in guesses) >= 0.95 * len(guesses)


@pytest.mark.parametrize(
    ("word", "whole_text", "expected"),
    [
        ("constitution", "The constitution of the country", "con-sti-tu-tion"),
        ("constitution", "La constitution est dans les mains de tous", "consti-tu-tion"),
        ("конституция", "конституция", "кон-сти-ту-ция"),
        ("word", "a word", "word"),
        ("漢字日本語", "漢字", "漢字日本語"),
    ],
)
def test_words_are_divided_as_in_the_language_of_the_text(word: str, whole_text: str, expected: str) -> None:
    assert hyphenated(word, whole_text) == expected
