# SPDX-License-Identifier: MIT OR Apache-2.0
"""A flame graph of waits as one SVG file: who waits is at the bottom, what is waited for on top."""
import colorsys
import pathlib
import zlib
from html import escape

from .folded import rows
from .units import count, fit, percent, time

WIDTH, ROW, MARGIN, HEAD, LETTER = 1200, 18, 12, 58, 7.0
LEAST = 0.0008  # of the whole: narrower boxes are left out


class Node:
    def __init__(self, name):
        self.name, self.seconds, self.waits, self.children = name, 0.0, 0.0, {}

    def add(self, names, place):
        self.seconds += place.seconds
        self.waits += place.waits
        if names:
            self.children.setdefault(names[0], Node(names[0])).add(names[1:], place)

    def depth(self):
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def colour(name):
    """Locks are blue, code is of a warm colour that belongs to its name."""
    chance = zlib.crc32(name.encode()) / 0xFFFFFFFF
    hue, light = (0.57 + 0.05 * chance, 0.72) if name.startswith("[") else (0.04 + 0.10 * chance, 0.70)
    red, green, blue = colorsys.hls_to_rgb(hue, light, 0.75)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def boxes(node, left, level, scale, total, out):
    """x, level, width in pixels, and what to say."""
    width = node.seconds * scale
    if node.seconds < LEAST * total:
        return
    out.append((left, level, width, node))
    for child in sorted(node.children.values(), key=lambda item: item.name):
        boxes(child, left, level + 1, scale, total, out)
        left += child.seconds * scale


def label(name, width):
    room = int((width - 6) / LETTER)
    if room < 3:
        return ""
    return name if len(name) <= room else name[: room - 2] + ".."


def box(left, level, width, node, root, bottom):
    top = bottom - (level + 1) * ROW
    about = f"{node.name}: {time(node.seconds)}, {percent(node.seconds / root.seconds)}, {count(node.waits)} waits"
    text = label(node.name, width)
    return (f'<g class="box" data-x="{left:.2f}" data-w="{width:.2f}" data-name="{escape(node.name)}">'
            f"<title>{escape(about)}</title>"
            f'<rect x="{left:.2f}" y="{top}" width="{max(width - 0.5, 0.5):.2f}" height="{ROW - 1}" rx="2" '
            f'fill="{colour(node.name) if level else "#d8d8d8"}"/>'
            f'<text x="{left + 3:.2f}" y="{top + ROW - 5}">{escape(text)}</text></g>')


def render(process, top, is_running):
    del top
    root = Node(f"all waits for locks of {process.program()}")
    for names, place in rows(process):
        root.add(names, place)
    levels = root.depth() if root.seconds else 1
    height = HEAD + levels * ROW + 2 * MARGIN
    bottom = height - MARGIN
    drawn = []
    if root.seconds:
        boxes(root, MARGIN, 0, (WIDTH - 2 * MARGIN) / root.seconds, root.seconds, drawn)
    command = " ".join(process.command)
    state = "so far" if is_running else "in all"
    about = (f"process {process.pid}, {time(process.seconds)} {state}: {count(process.waits())} waits for locks, "
             f"{time(process.waited())}. The wider a box, the longer the waiting in it. Click on one to enlarge it.")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="11">',
        "<style>.box{cursor:pointer}.box:hover rect{stroke:#333}text{pointer-events:none}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fdfdf8"/>',
        f'<text x="{MARGIN}" y="24" font-size="16">Where {escape(fit(command, 90))} waits for locks</text>',
        f'<text x="{MARGIN}" y="44" fill="#555">{escape(about)}</text>',
        *(box(left, level, width, node, root, bottom) for left, level, width, node in drawn)]
    if not drawn:
        parts.append(f'<text x="{MARGIN}" y="{HEAD + ROW}">No thread waited for a lock.</text>')
    script = (pathlib.Path(__file__).parent / "flame.js").read_text()
    parts.append(f"<script><![CDATA[\n{script}]]></script></svg>\n")
    return "\n".join(parts)
