# SPDX-License-Identifier: MIT OR Apache-2.0
"""A report for programs: JSON, times in seconds."""
import json


def frame(item):
    return {"function": item.function, "file": item.file, "line": item.line, "module": item.module}


def frames(items):
    return [frame(item) for item in items]


def lock(item):
    return {
        "name": item.name, "named": item.is_named, "address": f"{item.address:#x}", "file": item.file,
        "type": item.type, "kind": item.kind, "initialised": item.is_initialised, "destroyed": item.is_destroyed,
        "replaced": item.is_retired, "times_initialised": item.lives, "origin": frames(item.origin),
        "acquisitions": item.acquisitions, "waits": item.waits, "contended": item.contended(),
        "timeouts": item.timeouts, "waiting": item.waiting, "notified": item.notified,
        "wait": {"total": item.total, "mean": item.mean, "p50": item.p50, "p99": item.p99, "longest": item.longest,
                 "longest_stack": frames(item.longest_frames)},
        "hold": {"total": item.held, "longest": item.longest_hold, "longest_stack": frames(item.hold_frames)},
        "places": [{"share": place.share, "waits": place.waits, "seconds": place.seconds,
                    "stack": frames(place.frames)} for place in item.places]}


def render(process, top, is_running):
    del top
    return json.dumps({
        "format": "plc-profile 1", "pid": process.pid, "parent": process.parent, "forked": process.is_forked,
        "command": process.command, "running": is_running, "seconds": process.seconds, "memory": process.memory,
        "locks_seen": process.lock_count, "acquisitions": process.acquisitions, "waits": process.waits(),
        "waited": process.waited(), "dropped": process.dropped,
        "locks": [lock(item) for item in process.locks],
        "conds": [lock(item) for item in process.conds]}, indent=1) + "\n"
