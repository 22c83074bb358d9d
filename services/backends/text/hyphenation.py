"""Finds the syllables of words in scripts with hyphens, through pyphen and the dictionaries that it contains.

The language is guessed from frequent words and letters of the whole text. A wrong guess moves a hyphen by a letter or
two, and only in a word that is wider than a line.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import regex

if TYPE_CHECKING:
    import pyphen

_WORD: Final = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Greek}\p{M}]+")
_MIN_WORD_LENGTH: Final = 5
_MIN_SYLLABLE_LENGTH: Final = 2  # at a word's start and end


class _Clues(NamedTuple):
    """What only texts of a language are likely to contain."""

    letters: frozenset[str]
    words: frozenset[str]


def _clues(letters: str, words: str) -> _Clues:
    return _Clues(frozenset(letters), frozenset(words.split()))


# The first language with the most clues wins, so the first of each script is its default.
_CLUES: Final = {
    "en_US": _clues("", "a and are be for has in is it no of on or that the this to with you"),
    "de_DE": _clues("äöüß", "als auf das dem den der des die ein eine für in ist mit nicht oder sie und von wird zu"),
    "fr": _clues("àâçèêëîïœùû", "dans de des est et la le les pour que un une vous"),
    "es": _clues("áíñóú¡¿", "a con de del el en es la las lo los o para por que se su un una y"),
    "pt_PT": _clues("ãâçêõ", "a ao com de do da em é não o os ou para por que se um uma e"),
    "it_IT": _clues("àèìòù", "al alla che con del della di è ed gli ha il in la non o ogni per sono un una e"),
    "nl_NL": _clues("ĳ", "als de een en heeft het is met niet of op te van voor wordt zijn"),
    "sv": _clues("åäö", "att av den det en för inte med och på som är"),
    "da_DK": _clues("åæø", "af at den det en er for ikke med og på som til"),
    "pl_PL": _clues("ąćęłńśźż", "do i jest na nie się to w z że"),
    "cs_CZ": _clues("áčďěňřšťůžý", "a je na se to v z že"),
    "hu_HU": _clues("áéőűú", "a az egy és hogy is lehet nem vagy van"),
    "ru_RU": _clues("ыэъё", "быть в для и или к на не ни по с что это"),
    "uk_UA": _clues("іїєґ", "в з і й на не по та у це що"),
    "bg_BG": _clues("ъщ", "в да е за и на не от се си"),
    "el_GR": _clues("", "και να το την του"),
}
_SCRIPT_OF_LANGUAGE: Final = {"ru_RU": "Cyrl", "uk_UA": "Cyrl", "bg_BG": "Cyrl", "el_GR": "Grek"}
_SCRIPT: Final = regex.compile(r"(?P<Latn>\p{Latin})|(?P<Cyrl>\p{Cyrillic})|(?P<Grek>\p{Greek})")


def syllable_starts(text: str, *, whole_text: str) -> Iterator[int]:
    """Return the indices into `text` before which a word can be hyphenated; `whole_text` shows the language."""
    for word in _WORD.finditer(text):
        if len(word[0]) >= _MIN_WORD_LENGTH:
            dictionary = _dictionary(_language(whole_text, _script_of(word[0])))
            # Syllables whose letters change at the hyphen, as in older German spelling, have `data`.
            yield from (word.start() + index for index in dictionary.positions(word[0]) if index.data is None)


def _script_of(word: str) -> str:
    match = _SCRIPT.search(word)
    return "Latn" if match is None else str(match.lastgroup)


@lru_cache(maxsize=16)
def _language(text: str, script: str) -> str:
    """Return the language of the part of a text that has this script."""
    words, letters = set(_WORD.findall(text.lower())), set(text.lower())
    scores = {
        language: 2 * sum(map(_weight_of_word, words & clues.words))
        + sum(map(_weight_of_letter, letters & clues.letters))
        for language, clues in _CLUES.items()
        if _SCRIPT_OF_LANGUAGE.get(language, "Latn") == script
    }
    return max(scores, key=lambda language: scores[language])


@cache
def _weight_of_word(word: str) -> float:
    """Return how much a word says: the more languages have it, the less."""
    return 1 / sum(word in clues.words for clues in _CLUES.values())


@cache
def _weight_of_letter(letter: str) -> float:
    return 1 / sum(letter in clues.letters for clues in _CLUES.values())


@lru_cache(maxsize=4)
def _dictionary(language: str) -> "pyphen.Pyphen":
    """Read a dictionary. The largest, Hungarian and German, take half a second."""
    import pyphen  # noqa: PLC0415  # 15 ms to list its dictionaries, and few texts need one

    return pyphen.Pyphen(lang=language, left=_MIN_SYLLABLE_LENGTH, right=_MIN_SYLLABLE_LENGTH)
