/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every constant that was found by measuring, or that the model checker sets differently, in one place. */
#ifndef PLC_TUNING_H
#define PLC_TUNING_H

/* log2 of the buckets of the first, static table: 256 buckets of 64 bytes are the 16 KiB that we allow ourselves. */
#ifndef PLC_FIRST_TABLE_BITS
#define PLC_FIRST_TABLE_BITS 8
#endif

/* The table never grows beyond 2^20 buckets (64 MiB). */
#ifndef PLC_MAX_TABLE_BITS
#define PLC_MAX_TABLE_BITS 20
#endif

/* A parker moves at most this many buckets to a larger table, which takes it less than 100 us. */
#ifndef PLC_GROWTH_STEP
#define PLC_GROWTH_STEP 256
#endif

/* How many buckets of a large table are looked at to estimate its load: all would take longer than a millisecond. */
#ifndef PLC_GROWTH_SAMPLE
#define PLC_GROWTH_SAMPLE 1024
#endif

/* Walking past this many waiters of other keys makes an unpark, or who joins a mutex, wish for a larger table. */
#ifndef PLC_GROW_AFTER_FOREIGN
#define PLC_GROW_AFTER_FOREIGN 4
#endif

/* When so many threads wait in a bucket, or a multiple of it, the system is told to expect this many times as many sleepers, or these
   at most (in Linux 64 bytes each); again when that many wait. Before, on two processors, it had 16 slots for all of them. */
#ifndef PLC_CROWD
#define PLC_CROWD 256
#endif
#ifndef PLC_CROWD_ROOM
#define PLC_CROWD_ROOM 16
#endif
#ifndef PLC_CROWD_MOST
#define PLC_CROWD_MOST (UINT32_C(1) << 18)
#endif

/* How much of the stack of one of such a crowd its waker has fetched, below and above where it waits. */
#ifndef PLC_WAKE_FETCH_BELOW
#define PLC_WAKE_FETCH_BELOW 512
#endif
#ifndef PLC_WAKE_FETCH_ABOVE
#define PLC_WAKE_FETCH_ABOVE 832
#endif

/* A waiter that has waited longer than this is handed the lock by the next unlock. */
#ifndef PLC_FAIR_AFTER_NS
#define PLC_FAIR_AFTER_NS 500000
#endif

/* Before sleeping a parker spins for at most this long. It must exceed what waking a sleeping thread costs (17 us on
   the machine where it was chosen), or two threads that take turns never come to meet while both are awake. */
#ifndef PLC_PARKER_SPIN_NS
#define PLC_PARKER_SPIN_NS 20000
#endif

/* After failed spins a parker goes to sleep at once for up to this many times before it tries again. */
#ifndef PLC_PARKER_MAX_SKIPS
#define PLC_PARKER_MAX_SKIPS 512
#endif

/* The same where the wakers run on the parker's own processor. At 2 us a wait it still tries 60 times a second. */
#ifndef PLC_PARKER_MAX_SKIPS_HERE
#define PLC_PARKER_MAX_SKIPS_HERE 8192
#endif

/* A thread that has not spun yet does not begin to where a spin was in vain within this many milliseconds, and looks at that
   again after some waits. Long enough that finding out costs a processor less than a hundredth of its time, short enough
   that threads which take turns on two processors soon find each other. */
#ifndef PLC_SPIN_VAIN_TICKS
#define PLC_SPIN_VAIN_TICKS 4
#endif
#ifndef PLC_SPIN_STRANGER_SKIPS
#define PLC_SPIN_STRANGER_SKIPS 16
#endif

/* Before a parker tries a spin again it looks at a wait that slept at once. One that took longer than this says that spinning for
   a fiftieth of it is in vain. Queues of 32 threads that all sleep and that spinning makes fast again wait for 0.3 to 0.6 ms. */
#ifndef PLC_SPIN_LONG_WAIT_NS
#define PLC_SPIN_LONG_WAIT_NS 1000000
#endif

/* The same for one that was ended together with others' waits: whose turn is next is no matter there. */
#ifndef PLC_SPIN_LONG_IN_COMPANY_NS
#define PLC_SPIN_LONG_IN_COMPANY_NS 100000
#endif

/* Nor is a spin tried after that many skips if the last two wakers ran on the parker's own processor. From the first skip on, queues of
   128 items between 4 and 4 threads took a third longer. */
#ifndef PLC_SPIN_HERE_SKIPS
#define PLC_SPIN_HERE_SKIPS 16
#endif

/* Threads that are woken together sleep on words of which there are this many, each for 32 of them, so that one call wakes
   them (thread_parker/linux_futex.c). More threads share places, and wake in vain now and then. */
#ifndef PLC_PARKER_SHARED_WORDS
#define PLC_PARKER_SHARED_WORDS 256
#endif

/* Does every thread expect to be woken together with others, whatever it has learnt? */
#ifndef PLC_EXPECT_COMPANY
#define PLC_EXPECT_COMPANY false
#endif

/* A sleeper that keeps watch over a driver which workers leave and come back to looks this often whether one has stayed away
   since it last looked. A look disturbs whoever is at work. */
#ifndef PLC_DRIVER_WATCH_NS
#define PLC_DRIVER_WATCH_NS 4000000
#endif

/* A driver that has learnt to do so looks again and again for at most this long before it sleeps, unless it did that in vain so many
   times one after the other. To wake a thread on an idle processor took 25 to 40 us where this was chosen. */
#ifndef PLC_DRIVER_LOOK_NS
#define PLC_DRIVER_LOOK_NS 80000
#endif
#ifndef PLC_DRIVER_VAIN_LOOKS
#define PLC_DRIVER_VAIN_LOOKS 2
#endif

/* It begins to if a sleep lasted no less than this, for then it was no peer on the same processor that ended it, and no more than
   that. */
#ifndef PLC_DRIVER_SHORT_SLEEP_NS
#define PLC_DRIVER_SHORT_SLEEP_NS 20000
#endif
#ifndef PLC_DRIVER_LONG_SLEEP_NS
#define PLC_DRIVER_LONG_SLEEP_NS 150000
#endif

/* So many waits go by between two sleeps that are timed; twice as many after looks in vain, up to the second number. */
#ifndef PLC_DRIVER_MIN_PAUSE
#define PLC_DRIVER_MIN_PAUSE 32
#endif
#ifndef PLC_DRIVER_MAX_PAUSE
#define PLC_DRIVER_MAX_PAUSE 4096
#endif

/* A notification prefers a waiter that is awake to the first one for at most this long. */
#ifndef PLC_NOTIFY_PASS_NS
#define PLC_NOTIFY_PASS_NS 1000000
#endif

/* A broadcast wakes at most this many waiters for each processor at once. More are moved to the mutex's queue and woken one
   after the other. On an idle machine that loses: 64 waiters took 760 to 1010 us so, and 220 to 300 when woken by one
   call; beside much other work it won (160 us instead of 365). So it is for crowds whose wake-ups are a burden. */
#ifndef PLC_BROADCAST_WAKES
#define PLC_BROADCAST_WAKES 128
#endif

/* A notification looks for a waiter that is awake among this many that came last. */
#ifndef PLC_NOTIFY_LOOKS
#define PLC_NOTIFY_LOOKS 16
#endif

/* It looks at half as many after each time that it found none, so many times at most. With 16 looks each time, one wake among 100 that
   sleep cost 32 of its 58 misses of the first cache. */
#ifndef PLC_NOTIFY_VAIN_SEARCHES
#define PLC_NOTIFY_VAIN_SEARCHES 3
#endif

/* A spin before a thread parks: rounds of 4, 8, 16 pauses (0.3 to 0.7 us, at 11 to 25 ns a pause), then yields. The
   first look comes after several pauses because each look takes the line away from a holder that is about to write it:
   the mutex took 21 to 34 ns for empty sections so, and 25 to 44 with 1, 2, 4, 8, 16. Fewer yields made its 64 threads
   slower. */
#ifndef PLC_SPIN_FIRST_PAUSES
#define PLC_SPIN_FIRST_PAUSES 4
#endif
#ifndef PLC_SPIN_PAUSE_ROUNDS
#define PLC_SPIN_PAUSE_ROUNDS 3
#endif
#ifndef PLC_SPIN_YIELD_ROUNDS
#define PLC_SPIN_YIELD_ROUNDS 16
#endif

/* The mutex's rounds are seven of 32 pauses: it takes the line as soon as it finds it free, and two processors that take
   turns at empty sections are slower than one, so it looks seldom; but it looks for long, for a yield or a sleep costs more than all
   of them. Bounded queues took 90 to 150 ns an item instead of 250 to 580 with 16 + 32 + 64. With 32 + 64 + 128 the last
   look of 1 us sections with 1 us between them came too late (docs/performance.md). */
#ifndef PLC_MUTEX_SPIN_PAUSES
#define PLC_MUTEX_SPIN_PAUSES 32
#endif
#ifndef PLC_MUTEX_SPIN_ROUNDS
#define PLC_MUTEX_SPIN_ROUNDS 7
#endif

/* The mutex: a woken waiter is overtaken for at most a slice, then it is handed the lock. */
#ifndef PLC_MUTEX_SLICE_NS
#define PLC_MUTEX_SLICE_NS 500000
#endif

/* The mutex: a waiter that was woken but has not come for this long is handed the lock, so that nobody else takes it.
 */
#ifndef PLC_MUTEX_STUCK_NS
#define PLC_MUTEX_STUCK_NS 500000
#endif

/* The mutex: for how long it is kept free for a task that was beaten for a slice, and then woken. Long enough for a runtime
   that is busy with other tasks; a task that is leaked costs the threads that wait one such time. */
#ifndef PLC_MUTEX_RESERVE_NS
#define PLC_MUTEX_RESERVE_NS 1000000
#endif

/* The mutex: how long a woken and beaten waiter naps first; the naps double until the slice is over. */
#ifndef PLC_MUTEX_NAP_NS
#define PLC_MUTEX_NAP_NS 50000
#endif

/* A mutex in its quiet time: who waits for it looks by itself after naps that double up to this; nearly always it is woken. So late
   that a thread which waits for ever wakes up as good as never. */
#ifndef PLC_QUIET_NAP_NS
#define PLC_QUIET_NAP_NS 50000
#endif
#ifndef PLC_QUIET_LONGEST_NAP_NS
#define PLC_QUIET_LONGEST_NAP_NS INT64_C(10000000000)
#endif

/* The same for who waits until a time of CLOCK_REALTIME: naps are by the monotonic clock, and so late it is noticed that the
   other one was set. */
#ifndef PLC_QUIET_LONGEST_REALTIME_NAP_NS
#define PLC_QUIET_LONGEST_REALTIME_NAP_NS INT64_C(100000000)
#endif

/* The table of scalable readers has at most this many rows, a power of two, of this many slots; and as many rows as a
   power of two that is this many times the processors. */
#ifndef PLC_READER_MAX_ROWS
#define PLC_READER_MAX_ROWS 256
#endif
#ifndef PLC_READER_ROW_SLOTS
#define PLC_READER_ROW_SLOTS 8
#endif
#ifndef PLC_READER_ROWS_PER_PROCESSOR
#define PLC_READER_ROWS_PER_PROCESSOR 2
#endif

/* How many scalable read locks a thread may hold at once before it is counted in the lock's word instead. */
#ifndef PLC_READER_HOLDS
#define PLC_READER_HOLDS 8
#endif

/* The scalable rwlock: after a write, this many read locks, and one more for each row of the table, go to the lock's word
   before readers use the table again, so that the sweeps of writers cost each read little. On 64 simulated processors 16
   per row took ten times as long, where one operation in 1000 writes: each read by the word costs more than a row. */
#ifndef PLC_READER_COUNTED
#define PLC_READER_COUNTED 16
#endif
#ifndef PLC_READER_COUNTED_PER_ROW
#define PLC_READER_COUNTED_PER_ROW 1
#endif

/* The mutex: how many pauses a woken waiter spins while the lock is held before it naps. */
#ifndef PLC_MUTEX_HEIR_PAUSES
#define PLC_MUTEX_HEIR_PAUSES 40
#endif

/* The reader-writer lock's rounds are of 96 pauses and then of 32 (2.2 to 6 us in all): it looks late at first, for each look takes
   the word from those who are busy with short sections, but then often, and for long: a reader that meets a writer waits for a
   whole section, and to sleep through it takes longer. With 32 + 64 + 128 1 us sections waited half a microsecond too long. The
   yields that follow let a reader run on that lost its processor inside (docs/performance.md). */
#ifndef PLC_RWLOCK_SPIN_FIRST_PAUSES
#define PLC_RWLOCK_SPIN_FIRST_PAUSES 96
#endif
#ifndef PLC_RWLOCK_SPIN_PAUSES
#define PLC_RWLOCK_SPIN_PAUSES 32
#endif
#ifndef PLC_RWLOCK_SPIN_ROUNDS
#define PLC_RWLOCK_SPIN_ROUNDS 5
#endif

/* A reader whose exchanges fail because others change the word stands aside for so many pauses (1.3 to 3 us), and twice as long
   each time up to the most. Two readers of empty sections took 71 ns a section without, 44 with 32 pauses, 31 with 64, 23 with
   128; sections of 100 ns and more cost the same with all of them. */
#ifndef PLC_RWLOCK_ASIDE_PAUSES
#define PLC_RWLOCK_ASIDE_PAUSES 128
#endif
#ifndef PLC_RWLOCK_ASIDE_MOST_PAUSES
#define PLC_RWLOCK_ASIDE_MOST_PAUSES 512
#endif

/* A writer that drains spins for so many rounds of so many pauses (4.5 to 11 us) before it yields: readers that run leave
   soon, and to yield or sleep keeps everybody waiting. 16 threads that write a tenth of their 1 us sections took 765 ns so,
   and 1340 to 1810 with 4 + 8 + 16 pauses. The first rounds are shorter, for readers of short sections leave at once. */
#ifndef PLC_RWLOCK_DRAIN_FIRST_PAUSES
#define PLC_RWLOCK_DRAIN_FIRST_PAUSES 8
#endif
#ifndef PLC_RWLOCK_DRAIN_PAUSES
#define PLC_RWLOCK_DRAIN_PAUSES 32
#endif
#ifndef PLC_RWLOCK_DRAIN_ROUNDS
#define PLC_RWLOCK_DRAIN_ROUNDS 14
#endif

/* A task's poll that drains does not sleep: after the same rounds it yields so often, for readers that lost their processor inside,
   and then it gives up. A task that writes beside two or three readers of 1 us sections on two processors had the lock in 0.3 to
   1.4 ms in the median with none, where a reader of its processor had always lost that inside, and in 12 us with 1, 2 and 4; of
   a thousand locks beside three readers 3, 1 and 0.2 found none without readers for 100 ms. */
#ifndef PLC_RWLOCK_POLL_YIELDS
#define PLC_RWLOCK_POLL_YIELDS 4
#endif

/* A reader that has spun in vain for all rounds but the last two looks each so many pauses, so many times after that one and after each yield,
   and asks writers to give way. These do so for so many looks. */
#ifndef PLC_RWLOCK_EAGER_PAUSES
#define PLC_RWLOCK_EAGER_PAUSES 8
#endif
#ifndef PLC_RWLOCK_EAGER_LOOKS
#define PLC_RWLOCK_EAGER_LOOKS 24
#endif
#ifndef PLC_RWLOCK_GIVE_WAY_LOOKS
#define PLC_RWLOCK_GIVE_WAY_LOOKS 6
#endif

/* The reader-writer lock: the same three as the mutex. Whoever was summoned is overtaken for at most a slice from then on, awake or
   not; then the lock is handed over. */
#ifndef PLC_RWLOCK_SLICE_NS
#define PLC_RWLOCK_SLICE_NS 500000
#endif
#ifndef PLC_RWLOCK_NAP_NS
#define PLC_RWLOCK_NAP_NS 50000
#endif
#ifndef PLC_RWLOCK_HEIR_PAUSES
#define PLC_RWLOCK_HEIR_PAUSES 40
#endif

/* The names of plc/debug.h: how many, and how long with their terminating zeros. The model has fewer and shorter ones. */
#ifndef PLC_NAME_CAPACITY
#define PLC_NAME_CAPACITY 1024
#endif
#ifndef PLC_NAME_BYTES
#define PLC_NAME_BYTES 48
#endif

/* A walk over the buckets tries each so many times, and lets others run now and then, before it calls it busy: a few
   milliseconds, which passes only where the walk has interrupted the holder, or everybody hammers one lock. */
#ifndef PLC_WALK_TRIES
#define PLC_WALK_TRIES 2000
#endif
#ifndef PLC_WALK_TRIES_TO_YIELD
#define PLC_WALK_TRIES_TO_YIELD 100
#endif

#endif
