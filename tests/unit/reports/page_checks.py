"""What tests ask of any page: closed tags, no address to elsewhere, the words a person reads."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}</style>$x$ \x01\ud800"
VOID = {"meta", "img", "input", "br", "link"}


class Checker(HTMLParser):
    """Collects addresses, identifiers and text, and notices tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.identifiers: list[str] = []
        self.tags: list[str] = []
        self.images_without_text = 0

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.addresses += [found[key] for key in ("src", "href", "xlink:href", "action", "srcset") if key in found]
        self.identifiers += [found["id"]] if "id" in found else []
        self.images_without_text += tag == "img" and not found.get("alt")
        self.images_without_text += tag == "svg" and not found.get("aria-label")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"


def text_of(page: str) -> str:
    """What a person reads, roughly: no tags, one space between words."""
    bare = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert not checker.open, f"not closed: {checker.open}"
    return checker
