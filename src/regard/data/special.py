"""The four pieces that no text contains: padding, the unknown piece, and the marks of a text's begin and end."""

from __future__ import annotations

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
"""Their names, in the order of their ids. They are never searched for in a text: one that spells `<eos>` stays text."""

UNKNOWN_TEXT = "\ufffd"
"""What the unknown piece decodes to."""


class Special:
    """The ids of the special pieces in every vocabulary that Regard makes itself."""

    @property
    def pad(self) -> int:
        return 0

    @property
    def unk(self) -> int:
        return 1

    @property
    def bos(self) -> int:
        return 2

    @property
    def eos(self) -> int:
        return 3
