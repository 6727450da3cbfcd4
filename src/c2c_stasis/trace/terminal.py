"""A ladder in a terminal: a line for each row, a column for each participant."""

import click

from c2c_stasis.trace.ladder import Kind, Ladder, Row, Tone, to_be_seen

_TIME = 10  # characters before the first column's lane
_NARROWEST, _WIDEST = 14, 28  # characters from one lifeline to the next
_WIDEST_FOR_HEADS = 22  # a phone may call itself as long as it likes
_OF_ARROW = 5  # characters between two lifelines that an arrow needs beside its words
_COLOURS = {Tone.GOOD: "green", Tone.BAD: "red"}


def lines(ladder: Ladder) -> list[str]:
    """The ladder as lines, with colours; click takes them out where they are not wanted."""
    ladder = to_be_seen(ladder)
    canvas = _Canvas(ladder)
    head = [f"{ladder.call_id}, {ladder.began}, {click.style(ladder.outcome, fg=_COLOURS.get(ladder.tone))}"]
    head += [f"  {fact}" for fact in ladder.facts]
    head += [f"  drawn from {ladder.source} ({ladder.where})", ""]
    return [*head, *canvas.heads(), *(canvas.line(row) for row in ladder.rows)]


class _Canvas:
    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._gap = _gap(ladder)
        self._at = [_TIME + self._gap // 2 + number * self._gap for number in range(len(ladder.columns))]
        self._width = self._at[-1] + self._gap // 2

    def heads(self) -> list[str]:
        """The names over the lifelines, and what is said of each."""
        names, details = [" "] * self._width, [" "] * self._width
        for column, at in zip(self._ladder.columns, self._at, strict=True):
            _centre(names, at, _cut(column.title, self._gap - 2))
            _centre(details, at, _cut(column.detail, self._gap - 2))
        return ["".join(names).rstrip(), click.style("".join(details).rstrip(), dim=True)]

    def line(self, row: Row) -> str:
        """One row: the lifelines, what travels between them, and words beside it."""
        cells = [" "] * self._width
        for at in self._at:
            cells[at] = "┊" if row.kind is Kind.GAP else "│"
        beside = self._draw(cells, row)
        drawn = "".join(cells).rstrip()
        drawn = f"{_time(row)}{drawn[_TIME:]}"
        if beside:
            drawn = f"{drawn:<{self._width}}  {beside}"
        return click.style(drawn, fg=_COLOURS.get(row.tone), dim=row.kind is Kind.GAP or None)

    def _draw(self, cells: list[str], row: Row) -> str:
        """Put a row on the lifelines, and give what is to stand beside them."""
        if row.kind is Kind.GAP:
            return row.text
        start = self._at[self._ladder.place(row.origin)]
        if not row.to:
            cells[start] = "●" if row.kind is Kind.STATE else "○"
            return f"{row.text}{f', {row.detail}' if row.detail else ''}"
        end = self._at[self._ladder.place(row.to)]
        _arrow(cells, start, end, "═" if row.kind is Kind.MEDIA else "─", both=row.kind is Kind.MEDIA)
        self._label(cells, start, end, row)
        return row.detail

    def _label(self, cells: list[str], start: int, end: int, row: Row) -> None:
        """In the lane next to the participant that is not Asterisk, where nothing crosses."""
        if row.kind is Kind.MEDIA:
            _centre(cells, (start + end) // 2, f" {row.text} ")
            return
        outer = start if self._ladder.columns[self._at.index(end)].key == "asterisk" else end
        inner = end if outer == start else start
        step = self._gap if inner > outer else -self._gap
        _centre(cells, outer + step // 2, f" {_cut(row.text, self._gap - _OF_ARROW)} ")


def _gap(ladder: Ladder) -> int:
    words = [len(row.text) + _OF_ARROW for row in ladder.rows if row.to and row.kind is not Kind.MEDIA]
    heads = [len(text) + 2 for column in ladder.columns for text in (column.title, column.detail)]
    gap = max(_NARROWEST, min(_WIDEST, max(words, default=0)), min(_WIDEST_FOR_HEADS, max(heads)))
    return gap + gap % 2


def _cut(text: str, most: int) -> str:
    """As much of a text as there is room for; where something is left out, that is to be seen."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _time(row: Row) -> str:
    return " " * _TIME if row.kind is Kind.GAP else f"{row.at:8.3f} s"


def _arrow(cells: list[str], start: int, end: int, stroke: str, *, both: bool) -> None:
    low, high = min(start, end), max(start, end)
    for at in range(low + 1, high):
        cells[at] = "┼" if cells[at] == "│" and stroke == "─" else stroke
    if start < end or both:
        cells[high - 1] = "▶"
    if start > end or both:
        cells[low + 1] = "◀"


def _centre(cells: list[str], at: int, text: str) -> None:
    begin = at - len(text) // 2
    for number, char in enumerate(text):
        if 0 <= begin + number < len(cells):
            cells[begin + number] = char
