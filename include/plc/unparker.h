/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  The calling thread's own parker, and references to it that may outlive the thread.
 *
 *  Each thread has one parker, made when it is first asked for and kept until the thread ends. An unparker is a counted
 *  reference to it: whoever holds one may unpark, even when the thread is gone, which does nothing then. So an unparker can
 *  be stored where a thread announces that it waits, and be used whenever something happens.
 *
 *  All who park on the calling thread's parker share its permit: a library that does must be ready for permits that were
 *  meant for others, that is, look again and park again. plc_block_on uses it too.
 *
 *  An unparker takes one allocation (plc_set_allocator), when a thread first asks for one; nothing else allocates. In
 *  destructors of thread-specific data all of it works; an unparker that is first asked for in the last round of these
 *  destructors is never freed, unless others hold references and give them up last.
 *
 *  Source: Tokio's CachedParkThread and UnparkThread; the name is crossbeam's. */
#ifndef PLC_UNPARKER_H
#define PLC_UNPARKER_H

#include <plc/parker.h>
#include <plc/waker.h>

PLC_BEGIN_DECLS

/** A counted reference to a thread's parker. */
typedef struct plc_unparker plc_unparker_t;

/** Has libplc's few allocations made by @p allocate and given back by @p release instead of malloc and free. Call it
 *  before anything is allocated, that is, before any use of this header or of plc/block_on.h. @p allocate may return null. */
PLC_API void plc_set_allocator(void *(*allocate)(size_t size), void (*release)(void *memory));

/** The calling thread's unparker, a new reference; null if memory is exhausted. */
PLC_API plc_unparker_t *plc_unparker_current(void);

/** Another reference. */
PLC_API plc_unparker_t *plc_unparker_clone(plc_unparker_t *unparker);

/** Gives a reference up. */
PLC_API void plc_unparker_drop(plc_unparker_t *unparker);

/** Leaves a permit for its thread, and wakes it if it is parked. Ordering as plc_parker_unpark. Never blocks. */
PLC_API void plc_unparker_unpark(plc_unparker_t *unparker);

/** Turns a reference into a waker, which unparks. */
PLC_API plc_waker_t plc_unparker_into_waker(plc_unparker_t *unparker);

/** Takes the calling thread's permit; waits for it if there is none, or until @p deadline has passed. Returns whether
 *  it took one. Without an unparker nobody could leave a permit, so a thread that never asked for one only waits. */
PLC_API bool plc_park_current_until(plc_deadline_t deadline);

/** As plc_park_current_until, without a deadline. */
PLC_API void plc_park_current(void);

PLC_END_DECLS
#endif
