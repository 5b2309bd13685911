/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The thread parker: how one thread sleeps until another wakes it. THE interface; one implementation per platform. */
#ifndef PLC_THREAD_PARKER_H
#define PLC_THREAD_PARKER_H

#include <plc/deadline.h>

/* Defines struct plc_thread_parker; CMake puts exactly one implementation's folder on the include path. */
#include "thread_parker_type.h"

PLC_BEGIN_DECLS

/* Who calls what
 *
 *   "The queue lock" is whatever guards the queue in which the parker's owner waits: a bucket's lock, or a word_lock's
 *   QUEUE_LOCKED bit. A parker belongs to one thread at a time, its owner, and serves one wait at a time:
 *
 *     owner                                waker
 *     prepare_park   (before it can be found)
 *     ... is queued ...                    takes the owner out of the queue, under the queue lock
 *                                          unpark_lock   (under the queue lock)
 *     park, or park_until                  unpark        (holding no lock)
 *
 *   A waker unparks a parker exactly once per prepare_park, and only after it promised so under the queue lock: by taking
 *   its owner out of the queue, or by marking it there. Whoever was promised a wake gets it: an owner that ran out of
 *   time, took the queue lock and found the promise calls park, and this returns soon. An owner that found none leaves
 *   the queue and calls timed_out under the same queue lock; then nobody unparks it.
 *
 *   unpark's store is the waker's last access to the parker: as soon as park returns the owner may free it. A waker that
 *   has several owners to wake reads its link to the next one before it unparks. A wake by address may come after the
 *   owner has gone; it can hit another object at the same address, so every sleep is a loop.
 *
 * Ordering [P1]: all that the waker did before unpark happens before park's return (store-release by the waker,
 * load-acquire by the owner). prepare_park's store needs no order of its own: the queue lock publishes it.
 *
 * Spurious returns: none. park returns only after unpark, park_until after unpark or at the deadline. Signals, stray
 * wakes and stolen wakes are absorbed inside.
 *
 * Nothing here allocates, calls back (but for the hooks) or changes errno. */

/* Called right before and after each system call that sleeps; both or neither. */
struct plc_sleep_hooks {
    void (*begin)(void *context);
    void (*end)(void *context);
    void *context;
};

/* Makes the parker usable; all-zero memory is not enough on every platform. destroy undoes it: nobody may be inside
   unpark, which holds as soon as park has returned. */
void plc_thread_parker_init(struct plc_thread_parker *parker);
void plc_thread_parker_destroy(struct plc_thread_parker *parker);

/* Owner, before anybody can find it: the next park waits for an unpark. may_spin: spinning a little before sleeping may
   pay; the parker itself learns from its owner's earlier waits whether it does. */
void plc_thread_parker_prepare_park(struct plc_thread_parker *parker, bool may_spin);

/* Owner, before each prepare_park of a wait whose waker may wake others at the same time: it sleeps at this place, where one
   call wakes many who sleep at neighbouring places; 0: alone. Several may have one place, and then wake in vain now and
   then. It is best to sleep alone unless many are woken. */
void plc_thread_parker_sleep_at(struct plc_thread_parker *parker, uint32_t place);

/* Owner, when it was woken: did the waker wake others with it? */
bool plc_thread_parker_had_company(const struct plc_thread_parker *parker);

/* Owner, between prepare_park and park: it will be busy with something else for a while, and counts as asleep from now on. */
void plc_thread_parker_fall_asleep(struct plc_thread_parker *parker);

/* Owner, no lock held: sleeps until unpark. hooks may be null. */
void plc_thread_parker_park(struct plc_thread_parker *parker, const struct plc_sleep_hooks *hooks);

/* The same, but gives up when the deadline has passed; returns whether it was unparked. */
bool plc_thread_parker_park_until(struct plc_thread_parker *parker, plc_deadline_t deadline,
                                  const struct plc_sleep_hooks *hooks);

/* Owner, under the queue lock, after park_until returned false and it left the queue itself: nobody will unpark it.
   Returns true; false would mean that somebody did all the same, which is a bug of the caller. */
bool plc_thread_parker_timed_out(struct plc_thread_parker *parker);

/* Waker, under the queue lock, of an owner that was promised nothing yet: is it still running, so that unparking it costs
   no system call? A guess; it may fall asleep at any time. */
bool plc_thread_parker_is_awake(const struct plc_thread_parker *parker);

/* Waker, under the queue lock, when it promises the wake: takes what makes the later unpark safe. It
   must not let the owner go: its memory is still linked into the waker's list. */
void plc_thread_parker_unpark_lock(struct plc_thread_parker *parker);

/* Waker, no lock held: lets the owner go, and wakes it if it sleeps. */
void plc_thread_parker_unpark(struct plc_thread_parker *parker);

/* The same for a waker of many: those who sleep are woken together, by few calls, when the batch is finished at the latest;
   the waker must not wait for anything before. A batch begins as zeros. */
void plc_thread_parker_unpark_with_others(struct plc_thread_parker *parker, struct plc_wake_batch *batch);
void plc_wake_batch_finish(struct plc_wake_batch *batch);

PLC_END_DECLS

#endif
