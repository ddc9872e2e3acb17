"""How our docstrings say what is returned, for the reference (a griffe extension).

A return value has its type in the signature, so "Returns" goes straight to the words. The parser
takes a first line for a type; here it gets the signature's.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Function

_WORDS = re.compile(r"^((?:Returns|Yields)\n-+\n)(?=    )", re.MULTILINE)


class Returns(Extension):
    """Puts the type of the signature before the words."""

    def on_function(self, *, func: Function, **_: Any) -> None:
        """Change a function's docstring before it is parsed."""
        if func.docstring is not None:
            text = _WORDS.sub(rf"\g<1>{func.returns or 'object'}\n", func.docstring.value)
            func.docstring.value = text
