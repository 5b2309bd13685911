/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A task that waits is polled again when its waker is woken, and a waker may outlive its thread. */
#include <plc/block_on.h>
#include <plc/unparker.h>

#include "lot.h"
#include "task.h"

static struct {
    plc_waker_t waker;
    bool is_there;
    bool finished;
} slot; /* guarded by an ideal lock on slot */
static int data, freed, polls;
static uint8_t flag;

static void *allocate(size_t size) {
    return mc_pages(size);
}

static void release(void *memory) {
    (void)memory;
    freed++;
}

static void setup(void) {
    lot_setup();
    plc_set_allocator(allocate, release);
}

static enum plc_poll wait_for_slot(void *context, const plc_waker_t *waker) {
    (void)context;
    polls++;
    mc_lock(&slot);
    bool finished = slot.finished;
    if (!finished && !slot.is_there) {
        slot.waker = plc_waker_clone(waker);
        slot.is_there = true;
    }
    mc_unlock(&slot);
    return finished ? PLC_POLL_READY : PLC_POLL_PENDING;
}

static void finish_slot(void) {
    data = 1;
    mc_lock(&slot);
    slot.finished = true;
    bool is_there = slot.is_there;
    slot.is_there = false;
    mc_unlock(&slot);
    if (is_there)
        plc_waker_wake(&slot.waker);
}

static void run_one_task(int self) {
    if (self == 0) {
        plc_block_on(wait_for_slot, NULL);
        MC_ASSERT(data == 1);
        plc_model_thread_ends();
    } else {
        finish_slot();
    }
}

/* Whoever came last, the thread or its waker, has freed the unparker. */
static void freed_once(void) {
    MC_ASSERT(freed == 1);
    MC_ASSERT(polls == 1 || polls == 2);
    MC_OUTCOME(polls);
}

/* The poll looks at nothing but a relaxed flag: the wake alone must make it visible. */
static enum plc_poll look_at_flag(void *context, const plc_waker_t *waker) {
    (void)context;
    if (!slot.is_there) {
        slot.waker = plc_waker_clone(waker);
        slot.is_there = true;
        mc_unlock(&slot); /* taken before block_on: from here on T1 has the waker */
    }
    return plc_load_relaxed(&flag) ? PLC_POLL_READY : PLC_POLL_PENDING;
}

static void wake_publishes(int self) {
    if (self == 0) {
        mc_lock(&slot);
        plc_block_on(look_at_flag, NULL);
        return;
    }
    for (bool is_there = false; !is_there;) {
        mc_lock(&slot);
        is_there = slot.is_there;
        mc_unlock(&slot);
        if (!is_there)
            mc_yield();
    }
    plc_store_relaxed(&flag, (uint8_t)1);
    plc_waker_wake(&slot.waker);
}

static void give_up_at_deadline(int self) {
    if (self == 1) {
        finish_slot();
        return;
    }
    enum plc_block_on_status status = plc_block_on_until(wait_for_slot, NULL, soon());
    MC_ASSERT(status == PLC_BLOCK_ON_READY ? data == 1 : status == PLC_BLOCK_ON_TIMED_OUT);
    flag = status == PLC_BLOCK_ON_READY;
    plc_model_thread_ends();
}

static void in_time_or_not(void) {
    MC_ASSERT(freed == 1);
    MC_OUTCOME(flag);
}

/* References are cloned and given up by several threads; the last one frees. */
static plc_unparker_t *shared;
static void share_out(int self) {
    if (self == 0) {
        mc_lock(&shared);
        shared = plc_unparker_current();
        mc_unlock(&shared);
        plc_park_current();
        MC_ASSERT(data == 1);
        plc_model_thread_ends();
        return;
    }
    plc_unparker_t *mine = NULL;
    while (!mine) {
        mc_lock(&shared);
        mine = shared;
        mc_unlock(&shared);
        if (!mine)
            mc_yield();
    }
    mine = plc_unparker_clone(mine);
    if (self == 1) {
        data = 1;
        plc_unparker_unpark(mine);
        plc_unparker_drop(mine);
        plc_unparker_drop(shared);
    }
}

MC_SCENARIOS({.name = "block_on: finished before or after the first poll" ON,
              .threads = 2,
              .setup = setup,
              .thread = run_one_task,
              .finish = freed_once,
              .outcomes = "1 2"},
             {.name = "block_on: a wake publishes" ON, .threads = 2, .setup = setup, .thread = wake_publishes},
             {.name = "block_on: the deadline" ON,
              .threads = 2,
              .setup = setup,
              .thread = give_up_at_deadline,
              .finish = in_time_or_not,
              .outcomes = "0 1"},
             {.name = "block_on: the waker outlives the thread" ON,
              .threads = 2,
              .setup = setup,
              .thread = share_out,
              .finish = NULL});
