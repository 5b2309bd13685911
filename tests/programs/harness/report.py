# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes comparisons as a Markdown table and as JSON."""

import dataclasses
import json
import statistics


def _number(value):
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def _result(comparison):
    if comparison.is_good:
        return "the same" if comparison.glibc or comparison.runs else "not run"
    return "; ".join(comparison.failures[:1] or ["hangs"])


def _served(comparison):
    text = _number(comparison.counts.served)
    if comparison.counts.left_to_glibc:
        text += f" (and {_number(comparison.counts.left_to_glibc)} left to glibc)"
    return text


def _judged(comparison, index):
    judgement = comparison.judgement(index)
    text = f"{judgement.median:.3f}"
    if judgement.pairs > 2:
        text += f" ({judgement.low:.3f} to {judgement.high:.3f})"
    if judgement.is_slower:
        text += " **slower**"
    return text


def _rows(comparison):
    start = [comparison.name, _result(comparison), f"{comparison.hangs} of {comparison.runs}", _served(comparison)]
    labels = comparison.labels()
    if not labels:
        return [[*start, "", "", "", ""]]
    rows = []
    for index, label in enumerate(labels):
        unit = comparison.unit(index)
        rows.append([*(start if index == 0 else [""] * len(start)), f"{label}, {unit}",
                     *(_number(statistics.median(comparison.values(way, index))) for way in ("glibc", "libplc")),
                     _judged(comparison, index)])
    return rows


def markdown(comparisons):
    header = ["program", "result", "hangs", "lock operations (short run)", "measure", "glibc", "libplc",
              "speed relative to glibc"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for comparison in comparisons for row in _rows(comparison)]
    lines += ["", "Speed relative to glibc: the median of the ratios of interleaved pairs, above 1 where libplc is faster, and its "
              "95 % bootstrap interval;", "**slower**: that interval and a one-sided sign test at 5 % say that it is below 1."]
    return "\n".join(lines)


def as_json(comparisons, about):
    found = []
    for comparison in comparisons:
        entry = dataclasses.asdict(comparison)
        entry["judgements"] = {}
        for index, label in enumerate(comparison.labels()):
            judgement = comparison.judgement(index)
            entry["judgements"][label] = dataclasses.asdict(judgement) | {
                "is_slower": judgement.is_slower, "ratios": comparison.ratios(index)}
        found.append(entry)
    return json.dumps({**about, "programs": found}, indent=1)
