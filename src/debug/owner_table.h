/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who holds which lock, by the lock's address: the memory of PLC_CHECKED builds. */
#ifndef PLC_OWNER_TABLE_H
#define PLC_OWNER_TABLE_H

#include <plc/detail/checked.h>

#include "word_lock/word_lock.h"

/* One holder of one lock in one mode. */
struct plc_owner {
    struct plc_owner *next; /* of the shard's list, or of its free ones */
    const void *lock;
    uint64_t thread;    /* unique: a number of the kernel's is used again after a thread has ended */
    uint64_t thread_id; /* what a message calls it */
    uint32_t count;     /* how many times: more than once only for recursive readers */
    enum plc_checked_mode mode;
};

/* A part of the table, with a lock of its own. All of the table reads as zero in the child of a fork: zero is an empty
   shard, none of whose own entries was ever used. */
enum { PLC_OWNERS_PER_SHARD = 15 };
struct plc_owner_shard {
    struct plc_word_lock lock;
    struct plc_owner *owners; /* in use */
    struct plc_owner *spare;  /* were in use */
    size_t fresh;             /* how many of the entries below have ever been used */
    struct plc_owner entries[PLC_OWNERS_PER_SHARD];
};

/* The calling thread's number in the table. */
uint64_t plc_owner_self(void);

/* The shard for a lock, locked. Nothing else may be locked meanwhile. */
struct plc_owner_shard *plc_owner_shard_lock(const void *lock);
/* The same for signal handlers: null if it cannot be had at once. */
struct plc_owner_shard *plc_owner_shard_try_lock(const void *lock);
void plc_owner_shard_unlock(struct plc_owner_shard *shard);

/* The next entry of the lock from owner on (start with shard->owners), or null. The shard is locked. */
struct plc_owner *plc_owner_find(struct plc_owner *owner, const void *lock);

/* Notes the calling thread as a holder once more. Without memory nothing is noted. The shard is locked. */
void plc_owner_add(struct plc_owner_shard *shard, const void *lock, enum plc_checked_mode mode);

/* Forgets one hold, or all holds, of an entry. The shard is locked. */
void plc_owner_drop_one(struct plc_owner_shard *shard, struct plc_owner *owner);
void plc_owner_drop(struct plc_owner_shard *shard, struct plc_owner *owner);

#endif
