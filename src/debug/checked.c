/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What PLC_CHECKED builds find out about each lock and unlock, and how they say it. */
#define PLC_CHECKED 1
#include <plc/mutex.h>
#include <plc/rwlock.h>
#include <plc/rwlock_scalable.h>
#include <string.h>

#include "debug/owner_table.h"
#include "platform/platform.h"

/* The table notes a hold after the lock was taken and forgets it before the lock is given back: while a shard is
 * locked, every hold that it notes is real. Two things can spoil this, and both are tolerated in silence:
 *
 *   - Code that was not compiled with PLC_CHECKED takes and gives back locks unnoticed. A lock that it took has no
 *     entry: giving it back is never reported on the ground that the table does not know the holder.
 *   - It may give back what checked code took, and memory is reused without giving back anything. Such an entry is
 *     stale, and is dropped where the lock itself shows that nobody holds it so, or when somebody else is noted.
 *
 * So these mistakes are not seen: any that involve a hold that unchecked code took; a read unlock by a thread that reads
 * nothing, while unchecked code elsewhere reads; what a thread did before it forked. And one rule is left for those who mix:
 * what checked code takes, checked code gives back. */

/* ---- Messages */

struct message {
    char text[160];
    size_t length;
};

static void say(struct message *message, const char *words) {
    while (*words && message->length < sizeof message->text - 1)
        message->text[message->length++] = *words++;
    message->text[message->length] = '\0';
}

static void say_number(struct message *message, uint64_t number) {
    char digits[20 + 1];
    char *digit = digits + sizeof digits - 1;
    *digit = '\0';
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    say(message, digit);
}

static const char *in_mode(enum plc_checked_mode mode) {
    switch (mode) {
    case PLC_CHECKED_SHARED:
    case PLC_CHECKED_SHARED_AGAIN:
        return "for reading";
    case PLC_CHECKED_UPGRADABLE:
        return "upgradably";
    case PLC_CHECKED_EXCLUSIVE:
        break;
    }
    return "exclusively";
}

__attribute__((noreturn)) static void report_relock(const void *lock, const char *type, enum plc_checked_mode wanted,
                                                    enum plc_checked_mode held) {
    struct message message = {{0}, 0};
    say(&message, "locks ");
    say(&message, in_mode(wanted));
    say(&message, " what it already holds ");
    say(&message, in_mode(held));
    say(&message, held == PLC_CHECKED_SHARED && wanted != PLC_CHECKED_EXCLUSIVE
                      ? ", and a writer that comes in between would make both wait for ever"
                      : ", and would wait for itself for ever");
    plc_os_fatal(type, lock, message.text);
}

__attribute__((noreturn)) static void report_wrong_mode(const void *lock, const char *type,
                                                        enum plc_checked_mode given_up, enum plc_checked_mode held) {
    struct message message = {{0}, 0};
    say(&message, "unlocks as if held ");
    say(&message, in_mode(given_up));
    say(&message, " what it holds ");
    say(&message, in_mode(held));
    plc_os_fatal(type, lock, message.text);
}

__attribute__((noreturn)) static void report_stranger(const void *lock, const char *type,
                                                      const struct plc_owner *owner) {
    struct message message = {{0}, 0};
    say(&message, "unlocks what thread ");
    say_number(&message, owner->thread_id);
    say(&message, " holds ");
    say(&message, in_mode(owner->mode));
    plc_os_fatal(type, lock, message.text);
}

/* ---- What the lock itself says; the table may know less, or have it from before */

static bool is_mutex(const char *type) {
    return strcmp(type, "mutex") == 0;
}

static bool is_scalable(const char *type) {
    return strcmp(type, PLC_RWLOCK_SCALABLE_TYPE_) == 0;
}

static size_t readers_of(const void *lock, const char *type) {
    if (is_scalable(type))
        return plc_rwlock_scalable_readers_(lock);
    const plc_rwlock_t *rwlock = lock;
    return (plc_load_relaxed(&rwlock->state) & PLC_RWLOCK_READERS_) / PLC_RWLOCK_READER_; /* relaxed: see the top */
}

static bool may_be_written(const void *lock, const char *type) {
    return is_scalable(type) ? plc_rwlock_scalable_is_write_locked(lock) : plc_rwlock_is_write_locked(lock);
}

/* Can the lock be held in this mode by anybody? */
static bool may_be_held(const void *lock, const char *type, enum plc_checked_mode mode) {
    if (is_mutex(type))
        return plc_mutex_is_locked(lock);
    return mode == PLC_CHECKED_EXCLUSIVE ? may_be_written(lock, type) : readers_of(lock, type) > 0;
}

static void drop_stale(struct plc_owner_shard *shard, const void *lock, const char *type) {
    struct plc_owner *next;
    for (struct plc_owner *owner = plc_owner_find(shard->owners, lock); owner; owner = next) {
        next = plc_owner_find(owner->next, lock);
        if (!may_be_held(lock, type, owner->mode))
            plc_owner_drop(shard, owner);
    }
}

/* ---- Before a lock */

/* Would a thread that holds the lock in one mode wait for itself if it locked in the other? */
static bool waits_for_itself(enum plc_checked_mode wanted, enum plc_checked_mode held) {
    switch (held) {
    case PLC_CHECKED_EXCLUSIVE:
        return true;
    case PLC_CHECKED_UPGRADABLE:
        return wanted == PLC_CHECKED_EXCLUSIVE || wanted == PLC_CHECKED_UPGRADABLE;
    case PLC_CHECKED_SHARED:
    case PLC_CHECKED_SHARED_AGAIN:
        break;
    }
    return wanted != PLC_CHECKED_SHARED_AGAIN;
}

void plc_checked_will_lock_(const void *lock, const char *type, enum plc_checked_mode mode) {
    struct plc_owner_shard *shard = plc_owner_shard_lock(lock);
    uint64_t self = plc_owner_self();
    drop_stale(shard, lock, type);
    for (struct plc_owner *owner = plc_owner_find(shard->owners, lock); owner;
         owner = plc_owner_find(owner->next, lock)) {
        if (owner->thread == self && waits_for_itself(mode, owner->mode))
            report_relock(lock, type, mode, owner->mode);
    }
    plc_owner_shard_unlock(shard);
}

/* ---- After a lock */

/* Can two threads hold a lock in these modes at once? */
static bool go_together(enum plc_checked_mode a, enum plc_checked_mode b) {
    return a == PLC_CHECKED_SHARED ? b != PLC_CHECKED_EXCLUSIVE : b == PLC_CHECKED_SHARED && a != PLC_CHECKED_EXCLUSIVE;
}

void plc_checked_locked_(const void *lock, const char *type, enum plc_checked_mode mode) {
    struct plc_owner_shard *shard = plc_owner_shard_lock(lock);
    struct plc_owner *next;
    (void)type;
    /* We hold it: whoever the table thinks holds it in a mode that does not go together with ours does not. */
    for (struct plc_owner *owner = plc_owner_find(shard->owners, lock); owner; owner = next) {
        next = plc_owner_find(owner->next, lock);
        if (!go_together(owner->mode, mode))
            plc_owner_drop(shard, owner);
    }
    plc_owner_add(shard, lock, mode);
    plc_owner_shard_unlock(shard);
}

/* ---- Before an unlock */

/* The calling thread gives up what the table does not say it holds. Returns if that may be right, because unchecked code
   took it, and if nobody holds the lock, which the lock's own slow path reports. */
static void question_stranger(struct plc_owner_shard *shard, const void *lock, const char *type,
                              enum plc_checked_mode mode) {
    uint64_t self = plc_owner_self();
    size_t readers = 0;
    bool impossible = false;
    const struct plc_owner *other = NULL;
    for (struct plc_owner *owner = plc_owner_find(shard->owners, lock); owner;
         owner = plc_owner_find(owner->next, lock)) {
        if (owner->thread == self)
            report_wrong_mode(lock, type, mode, owner->mode);
        readers += owner->count;
        impossible = impossible || !go_together(owner->mode, mode);
        other = owner;
    }
    if (!other)
        return;
    /* A reader whom the table does not know may be this thread, by unchecked code. */
    if (impossible || readers >= readers_of(lock, type))
        report_stranger(lock, type, other);
}

void plc_checked_unlock_(const void *lock, const char *type, enum plc_checked_mode mode) {
    struct plc_owner_shard *shard = plc_owner_shard_lock(lock);
    uint64_t self = plc_owner_self();
    struct plc_owner *owner = plc_owner_find(shard->owners, lock);
    while (owner && (owner->thread != self || owner->mode != mode))
        owner = plc_owner_find(owner->next, lock);
    if (owner) {
        plc_owner_drop_one(shard, owner);
    } else {
        drop_stale(shard, lock, type);
        question_stranger(shard, lock, type, mode);
    }
    plc_owner_shard_unlock(shard);
}
