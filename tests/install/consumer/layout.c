/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The binary interface, recorded: sizes, offsets and numbers that compiled users have built in. A change here breaks
   them, and needs a new soname. */
#include <plc/plc.h>

#define SAME(what, value) _Static_assert((what) == (value), #what " is part of the binary interface")
#define WORD sizeof(void *)

SAME(sizeof(plc_mutex_t), 1);
SAME(_Alignof(plc_mutex_t), 1);
SAME(sizeof(plc_rwlock_t), WORD);
SAME(_Alignof(plc_rwlock_t), WORD);
SAME(sizeof(plc_condvar_t), WORD);
SAME(_Alignof(plc_condvar_t), WORD);
SAME(sizeof(plc_once_t), 1);
SAME(_Alignof(plc_once_t), 1);

SAME(sizeof(plc_deadline_t), 16);
SAME(offsetof(plc_deadline_t, ns), 0);
SAME(offsetof(plc_deadline_t, clock), 8);
SAME(PLC_CLOCK_MONOTONIC, 0);
SAME(PLC_CLOCK_REALTIME, 1);

SAME(PLC_MUTEX_LOCKED_, 1);
SAME(PLC_MUTEX_PARKED_, 2);
SAME(PLC_ONCE_DONE_, 1);
SAME(PLC_ONCE_NEW, 0);
SAME(PLC_ONCE_RUNNING, 1);
SAME(PLC_ONCE_DONE, 2);
SAME(PLC_ONCE_POISONED, 3);

SAME(sizeof(struct plc_lock_ops), 2 * WORD);
SAME(offsetof(struct plc_lock_ops, unlock), 0);
SAME(offsetof(struct plc_lock_ops, lock), WORD);

SAME(sizeof(struct plc_park_ops), 6 * WORD);
SAME(offsetof(struct plc_park_ops, validate), 0);
SAME(offsetof(struct plc_park_ops, before_sleep), WORD);
SAME(offsetof(struct plc_park_ops, timed_out), 2 * WORD);
SAME(offsetof(struct plc_park_ops, wait_begin), 3 * WORD);
SAME(offsetof(struct plc_park_ops, wait_end), 4 * WORD);
SAME(offsetof(struct plc_park_ops, flags), 5 * WORD);
SAME(PLC_PARK_AT_FRONT, 1);
SAME(PLC_PARK_NO_SPIN, 2);

SAME(sizeof(struct plc_park_result), 2 * WORD);
SAME(offsetof(struct plc_park_result, status), 0);
SAME(offsetof(struct plc_park_result, token), WORD);
SAME(PLC_PARK_UNPARKED, 0);
SAME(PLC_PARK_INVALID, 1);
SAME(PLC_PARK_TIMED_OUT, 2);

SAME(sizeof(struct plc_unpark_result), 3 * WORD);
SAME(offsetof(struct plc_unpark_result, unparked), 0);
SAME(offsetof(struct plc_unpark_result, requeued), WORD);
SAME(offsetof(struct plc_unpark_result, have_more), 2 * WORD);
SAME(offsetof(struct plc_unpark_result, be_fair), 2 * WORD + 1);

SAME(PLC_FILTER_UNPARK, 0);
SAME(PLC_FILTER_SKIP, 1);
SAME(PLC_FILTER_STOP, 2);
SAME(PLC_REQUEUE_ABORT, 0);
SAME(PLC_REQUEUE_WAKE_ONE, 1);
SAME(PLC_REQUEUE_WAKE_ALL, 2);
SAME(PLC_REQUEUE_ONE, 3);
SAME(PLC_REQUEUE_ALL, 4);
SAME(PLC_REQUEUE_WAKE_ONE_MOVE_REST, 5);
