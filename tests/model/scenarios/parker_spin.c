/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parker that spins before it sleeps: a spin that pays, one that does not, and what it learns from either. */
#include <plc/detail/atomic.h>

#include "mc.h"
#include "platform/tuning.h"
#include "thread_parker/spin_habit.h"
#include "thread_parker/thread_parker.h"

/* PLC_PARKER_SPIN_NS is negative here: a spin is one round of looks, since the model's clock stands still. */
static struct plc_thread_parker parker;
static uint32_t waiting, data;
static uint32_t waker_runs_on;

uint32_t model_processor(int thread);

/* The owner is on processor 0. */
uint32_t model_processor(int thread) {
    return thread == 0 ? 0 : waker_runs_on;
}

static void setup(void) {
    plc_thread_parker_init(&parker);
}

static void wait(uint32_t number) {
    plc_thread_parker_prepare_park(&parker, true);
    plc_store_release(&waiting, number);
    plc_thread_parker_park(&parker, NULL);
    MC_ASSERT(data == number);
}

static void wake(uint32_t number) {
    while (plc_load_acquire(&waiting) != number)
        mc_yield();
    data = number;
    plc_thread_parker_unpark_lock(&parker);
    plc_thread_parker_unpark(&parker);
}

static void wait_three_times(int self) {
    for (uint32_t i = 1; i <= 3; i++) {
        if (self == 0)
            wait(i);
        else
            wake(i);
    }
}

static void wait_once(int self) {
    if (self == 0)
        wait(1);
    else
        wake(1);
}

/* Each failed spin lets twice as many of the next waits sleep at once, and a wait that sleeps at once uses one up; a
   spin that paid ends that. */
static void learnt_something(void) {
    MC_ASSERT(parker.habit.skips <= 2 && parker.habit.skips_left <= parker.habit.skips);
}

/* The waker shares the owner's processor: sleeping would have been faster, so the spin counts as failed. */
static void same_processor(void) {
    setup();
    waker_runs_on = 0;
}

static void did_not_pay(void) {
    MC_ASSERT(parker.habit.skips <= 1);
    MC_OUTCOME(parker.habit.skips);
}

static void other_processor(void) {
    setup();
    waker_runs_on = 1;
}

/* A spin that fails after as many as there may be: more of the next waits sleep at once only where the waker before was on
   the owner's processor, or the one that ended the spin is. */
static void failed_often(uint32_t processor_of_wakers) {
    setup();
    parker.habit.skips = PLC_PARKER_MAX_SKIPS;
    parker.last_was_here = processor_of_wakers == 0;
    waker_runs_on = processor_of_wakers;
}

static void failed_often_here(void) {
    failed_often(0);
}

static void failed_often_elsewhere(void) {
    failed_often(1);
}

static void count_skips(void) {
    MC_OUTCOME(parker.habit.skips * 4 / PLC_PARKER_MAX_SKIPS);
}

/* A wait that sleeps at once, and is the last to do so before a spin is tried: twice as many follow if it was long, or if its
   waker and the one before ran on the owner's processor; none if not. One is left if the signal came before it began. */
static void last_to_sleep_at_once(uint32_t processor_of_wakers, bool last_was_here) {
    setup();
    parker.habit = (struct plc_spin_habit){.skips = PLC_SPIN_HERE_SKIPS, .skips_left = 1, .has_spun = true};
    parker.last_was_here = last_was_here;
    waker_runs_on = processor_of_wakers;
}

static void last_beside_wakers_elsewhere(void) {
    last_to_sleep_at_once(1, true);
}

static void last_beside_a_waker_here(void) {
    last_to_sleep_at_once(0, false);
}

static void last_beside_wakers_here(void) {
    last_to_sleep_at_once(0, true);
}

static void count_skips_left(void) {
    MC_OUTCOME(parker.habit.skips_left == 2 * PLC_SPIN_HERE_SKIPS ? 2 : parker.habit.skips_left);
}

static void may_spin_again(void) {
    MC_ASSERT(parker.habit.skips_left <= 1);
    count_skips_left();
}

static void sleeps_on(void) {
    MC_ASSERT(parker.habit.skips_left >= 1);
    count_skips_left();
}

/* The owner finds out on processor 0 that spinning is in vain, and then that it pays; a thread that has not spun yet asks
   meanwhile on its own. */
static void tell_and_ask(int self) {
    struct plc_spin_habit habit = {0};
    if (self == 0) {
        plc_spin_habit_learn(&habit, false, PLC_PARKER_MAX_SKIPS);
        habit.skips_left = 0;
        MC_ASSERT(plc_spin_habit_may_spin(&habit)); /* it knows better */
        plc_spin_habit_learn(&habit, true, PLC_PARKER_MAX_SKIPS);
    } else {
        bool may_spin = plc_spin_habit_may_spin(&habit);
        MC_ASSERT(habit.skips_left == (may_spin ? 0 : PLC_SPIN_STRANGER_SKIPS));
        MC_OUTCOME(may_spin);
    }
}

/* A word has no room to say where its wakers ran; the owner of this one is on processor 0. */
static uint32_t word;

static void tell_waker_and_ask(int self) {
    plc_spin_tell_waker(&word);
    if (self == 0)
        MC_OUTCOME(plc_spin_waker_was_here(&word));
}

/* Two wakers on the owner's processor, one after the other, and some spins in vain before. */
static void learn_from_wakers(int self) {
    static const struct {
        uint16_t skips;
        bool here[3];
        uint16_t then;
    } cases[] = {
        {PLC_SPIN_HERE_SKIPS, {true, true, false}, 2 * PLC_SPIN_HERE_SKIPS},
        {PLC_SPIN_HERE_SKIPS, {true, false, true}, PLC_SPIN_HERE_SKIPS},
        {PLC_SPIN_HERE_SKIPS / 2, {true, true, true}, PLC_SPIN_HERE_SKIPS / 2},
        {PLC_PARKER_MAX_SKIPS_HERE, {true, true, true}, PLC_PARKER_MAX_SKIPS_HERE},
    };
    for (size_t i = 0; self == 0 && i < sizeof cases / sizeof cases[0]; i++) {
        struct plc_spin_habit habit = {.skips = cases[i].skips, .has_spun = true};
        for (int wait = 0; wait < 3; wait++)
            plc_spin_habit_learn_waker(&habit, cases[i].here[wait]);
        MC_ASSERT(habit.skips == cases[i].then && habit.was_here == cases[i].here[2]);
    }
}

static void paid_at_last(void) {
    MC_ASSERT(!plc_spin_was_vain_here());
}

MC_SCENARIOS({.name = "parker: spins, sleeps, learns",
              .threads = 2,
              .setup = other_processor,
              .thread = wait_three_times,
              .finish = learnt_something,
              .preemptions = 3,
              .stale = 2},
             {.name = "parker: spins while the waker is on another processor",
              .threads = 2,
              .setup = other_processor,
              .thread = wait_once,
              .finish = did_not_pay,
              .outcomes = "0 1"},
             {.name = "parker: spins while the waker is on the same processor",
              .threads = 2,
              .setup = same_processor,
              .thread = wait_once,
              .finish = did_not_pay,
              .outcomes = "0 1"},
             {.name = "parker: skips more where its wakers are on its own processor",
              .threads = 2,
              .setup = failed_often_here,
              .thread = wait_once,
              .finish = count_skips,
              .outcomes = "4 8"},
             {.name = "parker: skips no more where its wakers are elsewhere",
              .threads = 2,
              .setup = failed_often_elsewhere,
              .thread = wait_once,
              .finish = count_skips,
              .outcomes = "1 4"},
             {.name = "parker: no spin after a long wait that slept at once",
              .threads = 2,
              .setup = last_beside_wakers_elsewhere,
              .thread = wait_once,
              .finish = count_skips_left,
              .clock_jumps = 1,
              .outcomes = "0 1 2"},
             {.name = "parker: a spin after a short wait that slept at once",
              .threads = 2,
              .setup = last_beside_wakers_elsewhere,
              .thread = wait_once,
              .finish = may_spin_again,
              .outcomes = "0 1"},
             {.name = "parker: a spin where only the last waker was on the owner's processor",
              .threads = 2,
              .setup = last_beside_a_waker_here,
              .thread = wait_once,
              .finish = may_spin_again,
              .outcomes = "0 1"},
             {.name = "parker: no spin where all wakers are on the owner's processor",
              .threads = 2,
              .setup = last_beside_wakers_here,
              .thread = wait_once,
              .finish = sleeps_on,
              .outcomes = "1 2"},
             {.name = "parker: a stranger goes by what others found on its processor",
              .threads = 2,
              .setup = same_processor,
              .thread = tell_and_ask,
              .finish = paid_at_last,
              .outcomes = "0 1"},
             {.name = "parker: a stranger on another processor finds out for itself",
              .threads = 2,
              .setup = other_processor,
              .thread = tell_and_ask,
              .finish = paid_at_last,
              .outcomes = "1"},
             {.name = "parker: where a word's wakers ran, two processors",
              .threads = 2,
              .setup = other_processor,
              .thread = tell_waker_and_ask,
              .outcomes = "0 1"},
             {.name = "parker: where a word's wakers ran, one processor",
              .threads = 2,
              .setup = same_processor,
              .thread = tell_waker_and_ask,
              .outcomes = "1"},
             {.name = "parker: skips more after two wakers on its own processor",
              .threads = 1,
              .setup = same_processor,
              .thread = learn_from_wakers});
