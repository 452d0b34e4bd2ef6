"""From a page to its pairs: the rules, each with the reason under which it counts what it drops."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from curation.core.opt_outs import opt_outs
from curation.crawl.filters import BlockList, TermList, redact
from curation.crawl.links import Base, ImageLink, Page
from curation.crawl.texts import EMPTY_TEXT, accept_text
from curation.schemas import PAIRS

CANDIDATES = pa.schema([column for column in PAIRS if column.name not in ("uid", "seen")])
"""A pair as it was found, before the same ones are put together."""

OPTED_OUT = "opted_out"
TRACKING_PIXEL = "tracking_pixel"
BLOCKED_TERM = "blocked_term"

_PIXEL_KINDS = (".gif", ".png")
_PIXELS = tuple(
    f"/{name}{kind}"
    for name in ("pixel", "1x1", "spacer", "blank", "transparent", "clear", "trans")
    for kind in _PIXEL_KINDS
)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is taken from a page.

    Attributes:
        text_characters: longest text.
        url_characters: longest URL.
        respect_opt_outs: drop the pairs of pages that opt out, rather than only saying so.
        blocked: hosts and URLs that are left out.
        terms: words that drop a text.
        redacted: whether e-mail addresses and phone numbers are taken out of texts.
    """

    text_characters: int = 4096
    url_characters: int = 2048
    respect_opt_outs: bool = True
    blocked: BlockList | None = None
    terms: TermList | None = None
    redacted: bool = False


@dataclass
class Columns:
    """Pairs, column by column; what is the same for all pairs of a page, page by page.

    Attributes:
        urls: absolute.
        texts: as the rules leave them.
        sources: `alt`, `title` or `figcaption`.
        counts: pairs of each page.
        pages: their URLs, None where not known.
        crawls: their crawls, likewise.
        opt_outs: what they say against use, in the words of `curation.core.opt_outs`.
    """

    urls: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    pages: list[str | None] = field(default_factory=list)
    crawls: list[str | None] = field(default_factory=list)
    opt_outs: list[tuple[str, ...]] = field(default_factory=list)

    def batch(self, languages: Sequence[str | None], scores: Sequence[float | None]) -> pa.RecordBatch:
        """The pairs in the columns of `CANDIDATES`."""
        page = np.repeat(np.arange(len(self.counts)), self.counts)
        kinds = [CANDIDATES.field(name).type for name in ("page_url", "crawl", "opt_outs")]
        of_page = [
            pa.array(values, kind).take(page)
            for values, kind in zip((self.pages, self.crawls, self.opt_outs), kinds, strict=True)
        ]
        columns = [self.urls, self.texts, self.sources, *of_page[:2], languages, scores, of_page[2]]
        return pa.record_batch(columns, schema=CANDIDATES)


def add_pairs(page: Page, crawl: str | None, rules: Rules, columns: Columns, dropped: Counter[str]) -> int:
    """Add the pairs of a page.

    Args:
        page: as it was read.
        crawl: that it is from.
        rules: what to take.
        columns: gets the pairs.
        dropped: counts the candidates that are dropped, by reason.

    Returns:
        How many candidates there were: texts of images, empty ones included.
    """
    first = len(columns.urls)
    candidates = _add_images(page, rules, columns, dropped)
    new = len(columns.urls) - first
    if not new:
        return candidates
    said = opt_outs(page.headers, page.metas) if page.headers or page.metas else ()
    if said and rules.respect_opt_outs:
        dropped[OPTED_OUT] += new
        del columns.urls[first:], columns.texts[first:], columns.sources[first:]
        return candidates
    columns.counts.append(new)
    columns.pages.append(page.url)
    columns.crawls.append(crawl)
    columns.opt_outs.append(said)
    return candidates


def _add_images(page: Page, rules: Rules, columns: Columns, dropped: Counter[str]) -> int:
    """The hottest loop of extraction, and flat for that reason."""
    urls, texts, sources, terms = columns.urls, columns.texts, columns.sources, rules.terms
    base, longest = Base(page.url, page.base, rules.url_characters), rules.text_characters
    candidates = empty = 0
    for image in page.images:
        alt, title, caption = image.alt, image.title, image.caption
        if not (alt or title or caption):
            empty += (alt is not None) + (title is not None) + (caption is not None)
            continue
        url = link_reason = None  # the link is looked at once, if one of the texts is any good
        for source, candidate in (("alt", alt), ("title", title), ("figcaption", caption)):
            if not candidate:
                empty += candidate is not None
                continue
            candidates += 1
            text, reason = accept_text(candidate, longest)
            if text is not None:
                if url is None and link_reason is None:
                    url, link_reason = _accept_url(image, base, rules)
                reason = link_reason
                if terms is not None and url is not None and terms.found(text):
                    reason = BLOCKED_TERM
            if text is None or url is None or reason is not None:
                dropped[str(reason)] += 1
                continue
            urls.append(url)
            texts.append(redact(text) if rules.redacted else text)
            sources.append(source)
    if empty:
        dropped[EMPTY_TEXT] += empty
    return candidates + empty


def _accept_url(image: ImageLink, base: Base, rules: Rules) -> tuple[str, None] | tuple[None, str]:
    accepted = base.resolve(image.url)
    url = accepted[0]
    if url is None:
        return accepted
    if image.pixel or (url[-4:] in _PIXEL_KINDS and url.endswith(_PIXELS)):
        return None, TRACKING_PIXEL
    if rules.blocked is not None and (blocked := rules.blocked.reason(url)):
        return None, blocked
    return accepted
