"""The stylesheet is one flat list of rules: an unclosed one would swallow those that follow."""

import re
from pathlib import Path

STYLESHEET = Path(__file__).parents[2] / "static" / "css" / "app.css"


def test_every_rule_of_the_stylesheet_is_closed_before_the_next() -> None:
    text = re.sub(r"/\*.*?\*/", "", STYLESHEET.read_text(encoding="utf-8"), flags=re.DOTALL)

    depth, swallowed = 0, []
    for line in text.splitlines():
        depth += line.count("{") - line.count("}")
        if line.endswith("{") and not line.startswith((" ", "@")) and depth > 1:
            swallowed.append(line)

    assert (depth, swallowed) == (0, [])
