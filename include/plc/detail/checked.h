/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a PLC_CHECKED build of the user's code reports about each lock that it takes and gives back. */
#ifndef PLC_DETAIL_CHECKED_H
#define PLC_DETAIL_CHECKED_H

#include <plc/detail/config.h>

/* The layout of a lock never changes: owners are kept in a side table by address (src/debug/checked.c), so that checked
   and unchecked code may share a lock. Each of these aborts with a message that names the lock, the thread and the
   mistake.

   What unchecked code took is in no table: a mistake about such a hold is not seen, and never reported wrongly. The
   reverse has one rule: what checked code takes, checked code gives back. In the child of a fork the table is empty. */
enum plc_checked_mode {
    PLC_CHECKED_EXCLUSIVE = 0,
    PLC_CHECKED_SHARED = 1,
    PLC_CHECKED_UPGRADABLE = 2,
    PLC_CHECKED_SHARED_AGAIN = 3, /* for will_lock alone: reading, maybe not for the first time */
};

#ifdef PLC_CHECKED
PLC_BEGIN_DECLS
/* Before a lock that may block: the thread must not hold it in a way that would block it for ever. */
PLC_API void plc_checked_will_lock_(const void *lock, const char *type, enum plc_checked_mode mode);
/* After a lock was taken, in whatever way. */
PLC_API void plc_checked_locked_(const void *lock, const char *type, enum plc_checked_mode mode);
/* Before an unlock: the calling thread must hold the lock in this mode. */
PLC_API void plc_checked_unlock_(const void *lock, const char *type, enum plc_checked_mode mode);
PLC_END_DECLS
#else
#define plc_checked_will_lock_(lock, type, mode) ((void)0)
#define plc_checked_locked_(lock, type, mode) ((void)0)
#define plc_checked_unlock_(lock, type, mode) ((void)0)
#endif
#endif
