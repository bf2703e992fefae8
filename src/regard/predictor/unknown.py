"""Unknown words of an output, replaced by what the model looked at for them (Jean et al. 2015; Luong et al. 2015b).

A model with a closed vocabulary of words says `<unk>` for all others. Most of these are names and numbers, which stand
in the source as well: the source word that weighed most is put in their place, or what a dictionary has for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regard.data.encoding import Encoding
from regard.data.features import text_of
from regard.data.lines import shown_name, text_lines
from regard.data.report import ReadReport
from regard.data.tokenisers import Tokeniser
from regard.errors import RegardError, shown
from regard.maps import AttentionMap
from regard.predictor.prediction import Replaced


def read_dictionary(path: str | Path) -> tuple[dict[str, str], ReadReport]:
    """Source words and what they are in the target, a line for each, `word TAB word`; the first of a word counts.

    Raises RegardError: can't be read, no such line in it.
    """
    found: dict[str, str] = {}
    report = ReadReport(shown_name(path), "word")
    for number, line in enumerate(text_lines(path), start=1):
        report.lines += 1
        cells = [cell.strip() for cell in (line or "").split("\t")]
        if line is None:
            report.leave_out("not UTF-8", number)
        elif len(cells) != 2 or not all(cells):
            report.leave_out("no two words with a tab between them", number)
        elif cells[0] in found:
            report.leave_out("a word that was there before", number)
        else:
            found[cells[0]] = cells[1]
    report.kept = len(found)
    if not found:
        raise RegardError(f"{report.name}: no line with two words, source TAB target; it should be a dictionary")
    return found, report


def dictionary_of(given: Any) -> Mapping[str, str] | None:
    """What `replace_unknown` asks for: None, nothing; else a dictionary, which may be empty. Raises RegardError."""
    if given is None or given is False:
        return None
    if given is True:
        return {}
    if isinstance(given, (str, Path)):
        return read_dictionary(given)[0]
    if isinstance(given, Mapping) and all(isinstance(word, str) for pair in given.items() for word in pair):
        return given
    raise RegardError(f"predict: replace_unknown is {shown(given)}; give True, or a dictionary of words or its file")


def replacements(
    target: Tokeniser,
    ids: tuple[int, ...],
    map: AttentionMap,
    source: Encoding,
    dictionary: Mapping[str, str],
    written: str,
) -> tuple[Replaced, ...]:
    """What is put in the place of each unknown piece of an output, by the map that is shown of it.

    Where the target's pieces are words this is the source word whose pieces weigh most together, else the one piece
    that does. The dictionary is asked for it as it is `written` in the source, then in lower case.
    """
    read = text_of(source.text) if source.features else source.text
    # A model may read in lower case, which changes the length of very few texts.
    text = written if len(written) == len(read) else read
    whole = _pieces_are_words(target)
    words = np.array(source.words)
    inside = words >= 0  # features are a part of no word
    found = []
    for place, number in enumerate(ids):
        if number != target.unk or not inside.any():
            continue
        weights = map.matrix[place]
        if whole:
            start, end = source.word_offsets[int(np.bincount(words[inside], weights[inside]).argmax())]
        else:
            start, end = source.offsets[int(np.where(inside, weights, -1.0).argmax())]
        word = text[start:end]
        known = dictionary.get(word, dictionary.get(word.lower()))
        found.append(Replaced(place, word, word if known is None else known, known is not None))
    return tuple(found)


def told(replaced: tuple[Replaced, ...]) -> str:
    """The same for a person, in one line."""
    what = "an unknown word is" if len(replaced) == 1 else "unknown words are"
    named = ", ".join(
        each.text if each.text == each.source else f"{each.text} (for {each.source})" for each in replaced
    )
    return f"{what} taken from the source: {named}"


def _pieces_are_words(tokeniser: Tokeniser) -> bool:
    if tokeniser.kind == "symbols":
        return True
    library: Any = getattr(tokeniser, "library", None)
    return tokeniser.kind == "tokenizer.json" and type(library.model).__name__ == "WordLevel"
