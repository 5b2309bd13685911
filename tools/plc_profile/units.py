# SPDX-License-Identifier: MIT OR Apache-2.0
"""Numbers as people read them."""


def time(seconds):
    """Three significant digits and a unit, nine characters at most."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size * 0.9995:
            return digits(seconds / size) + " " + unit
    return digits(seconds / 1e-9) + " ns" if seconds > 0 else "0"


def digits(value):
    if value >= 999.5:
        return f"{value:,.0f}"
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def count(number):
    """Exact below a million, then with a unit."""
    if number < 1e6:
        return f"{number:,.0f}"
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return str(number)


def plural(number, what):
    ending = "" if number == 1 else "es" if what.endswith("x") else "s"
    return f"{count(number)} {what}{ending}"


def percent(share):
    value = 100 * share
    if 0 < value < 0.01:
        return "<0.01 %"
    return f"{value:.1f} %" if value >= 9.995 else f"{value:.2f} %"


def memory(size):
    return f"{size / (1 << 20):.1f} MiB"


def fit(text, width):
    """Cut in the middle: names differ at their ends."""
    if len(text) <= width:
        return text
    keep = width - 2
    return text[: keep - keep // 2] + ".." + text[len(text) - keep // 2:]
