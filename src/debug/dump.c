/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc_debug_dump: who waits for what, and who holds it, as lines of text written by hand. */
#include <plc/debug.h>

#include "debug/names.h"
#include "debug/owner_table.h"
#include "debug/waiters.h"
#include "parking_lot/observer.h"
#include "platform/platform.h"

/* No stdio, which takes locks and allocates: we may be in a signal handler. A line is written in one piece, so that it
   does not mix with those of others. */

struct line {
    char text[256];
    size_t length;
};

static void say(struct line *line, const char *words) {
    while (*words && line->length < sizeof line->text - 1) /* room is left for the end of the line */
        line->text[line->length++] = *words++;
}

static void say_number(struct line *line, uint64_t number, unsigned base) {
    char digits[20 + 1];
    char *digit = digits + sizeof digits - 1;
    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    say(line, digit);
}

static void say_count(struct line *line, uint64_t number) {
    say_number(line, number, 10);
}

static void say_seconds(struct line *line, int64_t ns) {
    uint64_t ms = ns > 0 ? (uint64_t)ns / 1000000 : 0;
    say_number(line, ms / 1000, 10);
    say(line, ms % 1000 < 10 ? ".00" : ms % 1000 < 100 ? ".0" : ".");
    say_number(line, ms % 1000, 10);
    say(line, " s");
}

static void write_line(int fd, struct line *line) {
    line->text[line->length++] = '\n';
    plc_os_write(fd, line->text, line->length);
    line->length = 0;
}

/* ---- Who holds it */

static const char *way_of(enum plc_checked_mode mode) {
    switch (mode) {
    case PLC_CHECKED_SHARED:
    case PLC_CHECKED_SHARED_AGAIN:
        return " (to read)";
    case PLC_CHECKED_UPGRADABLE:
        return " (upgradable)";
    case PLC_CHECKED_EXCLUSIVE:
        break;
    }
    return "";
}

static void say_holder(struct line *line, bool is_first, uint64_t thread_id, const char *way) {
    say(line, is_first ? "; held by thread " : ", ");
    say_count(line, thread_id);
    say(line, way);
}

/* Those that the table of checked code knows, if it is to be had. Returns how many. */
static size_t say_noted_holders(struct line *line, const void *object) {
    size_t count = 0;
    struct plc_owner_shard *shard = plc_owner_shard_try_lock(object);
    if (!shard)
        return 0;
    for (const struct plc_owner *owner = plc_owner_find(shard->owners, object); owner;
         owner = plc_owner_find(owner->next, object))
        say_holder(line, count++ == 0, owner->thread_id, way_of(owner->mode));
    plc_owner_shard_unlock(shard);
    return count;
}

static void say_holders(struct line *line, const struct plc_debug_waiter *waiter) {
    const struct plc_lot_probes *probes = plc_lot_probes();
    if (say_noted_holders(line, waiter->object) > 0 || !probes || !probes->holder)
        return;
    uint64_t holder = probes->holder(waiter->object, waiter->kind);
    if (holder)
        say_holder(line, true, holder, "");
}

/* ---- Who waits */

static void write_object(int fd, const struct plc_debug_waiter *waiter) {
    char name[PLC_DEBUG_NAME_SIZE];
    struct line line = {.length = 0};
    say(&line, plc_debug_kind_name(waiter->kind));
    say(&line, " 0x");
    say_number(&line, (uintptr_t)waiter->object, 16);
    if (plc_debug_name_of(waiter->object, name, sizeof name)) {
        say(&line, " \"");
        say(&line, name);
        say(&line, "\"");
    }
    if (waiter->companions > 0) {
        say(&line, ": ");
        say_count(&line, waiter->companions);
        say(&line, waiter->companions == 1 ? " waits" : " wait");
    } else {
        say(&line, ", continued"); /* its first waiters were in another batch */
    }
    say_holders(&line, waiter);
    write_line(fd, &line);
}

static const char *wish_of(const struct plc_debug_waiter *waiter) {
    if (waiter->kind == PLC_DEBUG_RWLOCK_DRAIN || waiter->kind == PLC_DEBUG_SCALABLE_DRAIN)
        return ", to write, for the readers to leave";
    if (waiter->kind != PLC_DEBUG_RWLOCK)
        return "";
    if (waiter->mode == PLC_DEBUG_EXCLUSIVE)
        return ", to write";
    return waiter->mode == PLC_DEBUG_SHARED ? ", to read" : ", upgradable";
}

static void write_waiter(int fd, const struct plc_debug_waiter *waiter) {
    struct line line = {.length = 0};
    say(&line, waiter->thread_id != 0 ? "    thread " : "    a task");
    if (waiter->thread_id != 0)
        say_count(&line, waiter->thread_id);
    say(&line, " has waited for ");
    say_seconds(&line, waiter->waited_ns);
    say(&line, wish_of(waiter));
    write_line(fd, &line);
}

struct dump {
    int fd;
    size_t waiters;
};

/* The waiters of several keys take turns in a bucket: each key's are written together. */
static bool write_batch(void *context, const struct plc_seen_waiter *batch, size_t count) {
    struct dump *dump = context;
    bool is_written[PLC_WALK_BATCH] = {false};
    for (size_t i = 0; i < count; i++) {
        if (is_written[i])
            continue;
        struct plc_debug_waiter first = plc_debug_waiter_of(&batch[i]);
        write_object(dump->fd, &first);
        for (size_t j = i; j < count; j++) {
            struct plc_debug_waiter waiter = plc_debug_waiter_of(&batch[j]);
            is_written[j] = is_written[j] || (waiter.object == first.object && waiter.kind == first.kind);
            if (waiter.object == first.object && waiter.kind == first.kind)
                write_waiter(dump->fd, &waiter);
        }
    }
    dump->waiters += count;
    return true;
}

void plc_debug_dump(int fd) {
    struct dump dump = {fd, 0};
    struct line line = {.length = 0};
    size_t busy = plc_walk(write_batch, &dump);
    say(&line, "libplc: process ");
    say_count(&line, plc_os_process_id());
    say(&line, ": ");
    say_count(&line, dump.waiters);
    say(&line, dump.waiters == 1 ? " waits" : " wait");
    if (busy > 0) {
        say(&line, "; not shown: those in ");
        say_count(&line, busy);
        say(&line, " busy buckets");
    }
    if (plc_names_dropped() > 0) {
        say(&line, "; names that did not fit: ");
        say_count(&line, plc_names_dropped());
    }
    write_line(fd, &line);
}
