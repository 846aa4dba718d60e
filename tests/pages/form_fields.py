"""The fields of a form as a browser would send them."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._select = ""
        self._first: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "input" and (name := given.get("name")):
            if given.get("type") != "checkbox" or "checked" in given:
                self.fields[name] = given.get("value", "")
        elif tag == "select":
            self._select, self._first = given.get("name", ""), None
        elif tag == "option" and self._select and (self._first is None or "selected" in given):
            self._first = self.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""


def fields_in(page: str) -> dict[str, str]:
    """By name, what the inputs and selects of ``page`` send."""
    reader = _Reader()
    reader.feed(page)
    return reader.fields
