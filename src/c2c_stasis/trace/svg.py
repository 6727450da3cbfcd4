"""A ladder as a picture: SVG that needs no font, script or style from elsewhere, for light and dark pages."""

from xml.sax.saxutils import escape

from c2c_stasis.trace.ladder import ASTERISK, Column, Kind, Ladder, Row, Tone, to_be_seen

_FONT, _SMALL = 13.0, 11.0  # pixels
_EM = (
    0.58  # of the font's size: how wide a character is on the average of a line, in the widest of the fonts named below
)
_BORDER = 28.0  # pixels round everything
_TIME = 74.0  # pixels for the moments, left of the first lane
_NARROWEST, _WIDEST = 156.0, 230.0  # pixels from one lifeline to the next
_HEAD = 50.0  # height of a participant's box
_PAD = 10.0

# Colours, each as on light and on dark pages. No variables: not every viewer knows them.
_COLOURS = {
    "page": ("fill", "#ffffff", "#0d1117"),
    "box": ("fill", "#eef2f6", "#1c232c"),
    "ink": ("fill", "#1f2328", "#e6edf3"),
    "soft": ("fill", "#59636e", "#9aa4af"),
    "good": ("fill", "#1a7f37", "#57c767"),
    "bad": ("fill", "#c62828", "#ff8178"),
    "ask": ("fill", "#6639ba", "#b79cff"),
    "pill": ("fill", "#dbe9fa", "#16304f"),
    "pillgood": ("fill", "#d5f0dc", "#12371f"),
    "pillbad": ("fill", "#fbdcda", "#4a1917"),
    "life": ("stroke", "#c4ccd4", "#3d444d"),
    "lplain": ("stroke", "#1f2328", "#e6edf3"),
    "lgood": ("stroke", "#1a7f37", "#57c767"),
    "lbad": ("stroke", "#c62828", "#ff8178"),
    "lask": ("stroke", "#6639ba", "#b79cff"),
}
_INK = {Tone.PLAIN: "ink", Tone.GOOD: "good", Tone.BAD: "bad"}


def picture(ladder: Ladder) -> str:
    """The ladder as an SVG document."""
    return _Sheet(to_be_seen(ladder)).draw()


class _Sheet:
    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._lane = _lane(ladder)
        first = _BORDER + _TIME + self._lane / 2
        self._x = [first + number * self._lane for number in range(len(ladder.columns))]
        self._width = self._needed()
        self._parts: list[str] = []
        self._moment = ""  # that was written last: rows of one moment have one

    def draw(self) -> str:
        """All of it, from the top."""
        top = self._title()
        top = self._heads(top)
        life = len(self._parts)  # lifelines lie under everything else
        y = top + 10.0
        for row in self._ladder.rows:
            y = self._row(row, y)
        bottom = y + 14.0
        lines = [f'<path class="life" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>' for x in self._x]
        self._parts[life:life] = lines
        self._text(_BORDER, bottom + 24, f"drawn by c2c-stasis trace from {self._ladder.source}", "soft", size=_SMALL)
        return self._document(bottom + 24 + _BORDER)

    def _document(self, height: float) -> str:
        size = f'width="{self._width:.0f}" height="{height:.0f}" viewBox="0 0 {self._width:.0f} {height:.0f}"'
        title = escape(f"{self._ladder.call_id}: {self._ladder.outcome}")
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
                f"<title>{title}</title>",
                f"<style>{_style()}</style>",
                f'<rect class="page" width="{self._width:.0f}" height="{height:.0f}"/>',
                *self._parts,
                "</svg>\n",
            ]
        )

    # --- above the lifelines ---

    def _title(self) -> float:
        ladder = self._ladder
        y = _BORDER + 10
        self._text(_BORDER, y, ladder.outcome[:1].upper() + ladder.outcome[1:], _INK[ladder.tone], size=17, bold=True)
        y += 21
        self._text(_BORDER, y, f"{ladder.call_id}, {ladder.began}", "soft", size=_SMALL)
        for fact in ladder.facts:
            y += 17
            self._text(_BORDER, y, fact, "soft", size=_SMALL)
        return y + 18

    def _heads(self, y: float) -> float:
        wide = self._lane - 2 * _PAD
        for column, x in zip(self._ladder.columns, self._x, strict=True):
            self._parts.append(
                f'<rect class="box" x="{x - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{_HEAD:.0f}" rx="7"/>'
            )
            self._head(column, x, y, wide - 8)
        return y + _HEAD

    def _head(self, column: Column, x: float, y: float, wide: float) -> None:
        title, detail = _fitting(column.title, wide, _FONT), _fitting(column.detail, wide, _SMALL)
        self._text(x, y + (21 if detail else 30), title, "ink", middle=True, bold=True)
        if detail:
            self._text(x, y + 38, detail, "soft", size=_SMALL, middle=True)

    # --- rows ---

    def _row(self, row: Row, y: float) -> float:
        """Draw a row below `y`, and give where the next may begin."""
        if row.kind is Kind.GAP:
            return self._pause(row, y)
        drawn = {Kind.STATE: self._state, Kind.MARK: self._mark, Kind.MEDIA: self._talk}.get(row.kind, self._arrow)
        middle, bottom = drawn(row, y)
        moment = f"{row.at:.3f} s"
        if moment != self._moment:
            self._text(_BORDER + _TIME - 12, middle + 4, moment, "soft", size=_SMALL, end=True)
            self._moment = moment
        return bottom

    def _pause(self, row: Row, y: float) -> float:
        for x in self._x:  # the line is broken
            self._parts.append(f'<rect class="page" x="{x - 3:.1f}" y="{y + 5:.1f}" width="6" height="16"/>')
            dots = "".join(f'<circle class="soft" cx="{x:.1f}" cy="{y + 8 + 5 * i:.1f}" r="1.2"/>' for i in range(3))
            self._parts.append(dots)
        self._text(_BORDER + _TIME - 12, y + 17, row.text, "soft", size=_SMALL, end=True)
        return y + 26

    def _state(self, row: Row, y: float) -> tuple[float, float]:
        x, text = self._x[self._ladder.place(row.origin)], _whole(row)
        wide = _width(text, _FONT) + 2 * _PAD + 6
        left = self._inside(x - wide / 2, wide)
        kind = {Tone.GOOD: "pillgood", Tone.BAD: "pillbad"}.get(row.tone, "pill")
        self._parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{y + 6:.1f}" width="{wide:.1f}" height="23" rx="11.5"/>'
        )
        self._text(left + wide / 2, y + 22, text, _INK[row.tone], middle=True)
        return y + 18, y + 36

    def _mark(self, row: Row, y: float) -> tuple[float, float]:
        x, text = self._x[self._ladder.place(row.origin)], _whole(row)
        wide = _width(text, _SMALL)
        self._parts.append(
            f'<rect class="page" x="{x + 9:.1f}" y="{y + 5:.1f}" width="{wide + 4:.1f}" height="17"/>'
            f'<circle class="{_INK[row.tone]}" cx="{x:.1f}" cy="{y + 13.5:.1f}" r="4"/>'
        )
        self._text(x + 11, y + 17.5, text, _INK[row.tone] if row.tone is not Tone.PLAIN else "soft", size=_SMALL)
        return y + 13.5, y + 28

    def _talk(self, row: Row, y: float) -> tuple[float, float]:
        low, high = sorted(self._x[self._ladder.place(key)] for key in (row.origin, row.to))
        self._parts.append(
            f'<rect class="pillgood" x="{low:.1f}" y="{y + 6:.1f}" width="{high - low:.1f}" height="28"/>'
            f'<path class="lgood" d="M{low + 4:.1f} {y + 20:.1f}H{high - 4:.1f}"/>'
            f"{_head_at(low, y + 20, 1, 'good')}{_head_at(high, y + 20, -1, 'good')}"
        )
        middle = (self._x[self._ladder.place(ASTERISK)] + (low + high) / 2) / 2
        wide = _width(row.text, _FONT) + 12
        self._parts.append(
            f'<rect class="pillgood" x="{middle - wide / 2:.1f}" y="{y + 10:.1f}" width="{wide:.1f}" height="20"/>'
        )
        self._text(middle, y + 24.5, row.text, "good", middle=True)
        return y + 20, y + 42

    def _arrow(self, row: Row, y: float) -> tuple[float, float]:
        start, end = (self._x[self._ladder.place(key)] for key in (row.origin, row.to))
        asked = row.kind is Kind.REQUEST
        ink = "ask" if asked and row.tone is Tone.PLAIN else _INK[row.tone]
        line = "lask" if ink == "ask" else f"l{row.tone.value}"
        at, way = y + 21, 1 if end > start else -1
        dashes = ' stroke-dasharray="5 3"' if asked else ""
        self._parts.append(
            f'<path class="{line}"{dashes} d="M{start:.1f} {at:.1f}H{end - way * 6:.1f}"/>{_head_at(end, at, -way, ink)}'
        )
        outer, inner = (end, start) if row.origin == ASTERISK else (start, end)
        middle = outer + (self._lane / 2 if inner > outer else -self._lane / 2)
        self._text(middle, at - 6, _fitting(row.text, self._lane - 12, _FONT), ink, middle=True)
        if not row.detail:
            return at, at + 8
        self._text(middle, at + 13, _fitting(row.detail, self._lane - 12, _SMALL), "soft", size=_SMALL, middle=True)
        return at, at + 20

    # --- strokes ---

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        ink: str,
        *,
        size: float = _FONT,
        middle: bool = False,
        end: bool = False,
        bold: bool = False,
    ) -> None:
        anchor = ' text-anchor="middle"' if middle else ' text-anchor="end"' if end else ""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text class="{ink}" x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{anchor}{weight}>{escape(text)}</text>'
        )

    def _inside(self, left: float, wide: float) -> float:
        return max(_BORDER + _TIME, min(left, self._width - _BORDER - wide))

    def _needed(self) -> float:
        """How wide the sheet must be for everything on it."""
        ladder = self._ladder
        ends = [self._x[-1] + self._lane / 2 + _BORDER]
        ends += [2 * _BORDER + _width(text, _SMALL) for text in (*ladder.facts, f"{ladder.call_id}, {ladder.began}")]
        ends += [2 * _BORDER + _width(ladder.outcome, 17) * 1.05]
        ends += [2 * _BORDER + _width(f"drawn by c2c-stasis trace from {ladder.source}", _SMALL)]
        for row in ladder.rows:
            if row.kind is Kind.MARK:
                ends.append(self._x[ladder.place(row.origin)] + 16 + _width(_whole(row), _SMALL) + _BORDER)
        return max(ends)


def _lane(ladder: Ladder) -> float:
    """The distance of two lifelines: what stands between them must have room."""
    arrows = [row for row in ladder.rows if row.to and row.kind is not Kind.MEDIA]
    texts = [_width(row.text, _FONT) for row in arrows] + [_width(row.detail, _SMALL) for row in arrows]
    texts += [_width(column.title, _FONT) * 1.08 + _PAD for column in ladder.columns]
    return min(_WIDEST, max(_NARROWEST, max(texts, default=0.0) + 2 * _PAD))


def _whole(row: Row) -> str:
    return f"{row.text}, {row.detail}" if row.detail else row.text


def _width(text: str, size: float) -> float:
    return len(text) * size * _EM


def _fitting(text: str, wide: float, size: float) -> str:
    most = int(wide / (size * _EM))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _head_at(x: float, y: float, way: int, ink: str) -> str:
    """The head of an arrow whose tip is at x."""
    return f'<path class="{ink}" d="M{x:.1f} {y:.1f}l{9 * way} -4.5v9z"/>'


def _style() -> str:
    """Colours of light pages, and of dark ones where a viewer asks for them."""
    light = "".join(f".{name}{{{what}:{colour}}}" for name, (what, colour, _) in _COLOURS.items())
    dark = "".join(f".{name}{{{what}:{colour}}}" for name, (what, _, colour) in _COLOURS.items())
    fonts = 'text{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",Arial,sans-serif}'
    strokes = ".life{stroke-width:1.5}.lplain,.lgood,.lbad,.lask{stroke-width:1.5;fill:none}"
    return f"{fonts}{strokes}{light}@media (prefers-color-scheme:dark){{{dark}}}"
