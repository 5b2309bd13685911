/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A scalable reader-writer lock is freed by its next owner, its readers fork, and what they read stays theirs. */
#include <atomic>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <plc/rwlock_scalable.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "support/lot_probe.h"
#include "support/stress.h"
#include "sync/reader_table.h"

using namespace plc_test;

namespace {

/* Under AddressSanitizer it lives on the heap, whose freed memory is watched; elsewhere on a page of its own, which is
   unmapped: a late touch is a crash in any build. */
struct Object {
    plc_rwlock_scalable_t lock;
    std::atomic<size_t> readers_to_come;
};

Object *create(size_t readers) {
    void *memory = with_asan
                       ? std::calloc(1, sizeof(Object))
                       : mmap(nullptr, sizeof(Object), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!memory || memory == MAP_FAILED)
        std::abort();
    auto *object = static_cast<Object *>(memory);
    object->readers_to_come = readers;
    plc_reader_table_prepare();
    object->lock.table_is_open = 1; /* the readers go by the table from the start */
    return object;
}

void destroy(Object *object) {
    if (with_asan)
        std::free(object);
    else
        munmap(object, sizeof *object);
}

void open_table(plc_rwlock_scalable_t &lock) {
    while (!plc_load_acquire(&lock.table_is_open)) {
        plc_rwlock_scalable_read_lock(&lock);
        plc_rwlock_scalable_read_unlock(&lock);
    }
}

/* The writer gets the lock when the last reader has left its slot, and frees it while that one may still be on its way
   out of the unlock, looking for sleepers. */
TEST(RwlockScalableLifetimeTest, TheWriterAfterTheReadersFrees) {
    constexpr size_t readers = 2;
    std::vector<std::atomic<Object *>> objects(scaled(8000));
    for (std::atomic<Object *> &object : objects)
        object = create(readers);
    run_threads(readers + 1, [&](size_t index) {
        for (std::atomic<Object *> &each : objects) {
            Object *object = each.load();
            if (index < readers) {
                plc_rwlock_scalable_read_lock(&object->lock);
                object->readers_to_come.fetch_sub(1, std::memory_order_relaxed);
                plc_rwlock_scalable_read_unlock(&object->lock);
                continue;
            }
            bool last = false;
            while (!last) {
                plc_rwlock_scalable_write_lock(&object->lock);
                last = object->readers_to_come.load(std::memory_order_relaxed) == 0;
                plc_rwlock_scalable_write_unlock(&object->lock);
            }
            destroy(object);
        }
    });
}

TEST(RwlockScalableLifetimeTest, TheLastOfSeveralWritersFrees) {
    constexpr size_t writers = 3;
    std::vector<std::atomic<Object *>> objects(scaled(8000));
    for (std::atomic<Object *> &object : objects)
        object = create(writers);
    run_threads(writers, [&](size_t) {
        for (std::atomic<Object *> &each : objects) {
            Object *object = each.load();
            plc_rwlock_scalable_write_lock(&object->lock);
            const bool last = object->readers_to_come.fetch_sub(1, std::memory_order_relaxed) == 1;
            plc_rwlock_scalable_write_unlock(&object->lock);
            if (last)
                destroy(object);
        }
    });
}

/* ---- Fork */

/* The child runs the body, which returns 0 or the number of the expectation that failed; gtest stays out of it. */
void expect_in_child(const std::function<int()> &body) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(60); /* a child that hangs fails */
        _exit(body());
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "which expectation failed";
}

/* A reader in the table and a writer that sleeps until it leaves: 0 if all is well. */
int check_that_writers_sleep_and_wake() {
    if (with_tsan)
        return 0; /* it refuses new threads in the child of a process that had several */
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    plc_rwlock_scalable_read_lock(&lock);
    const plc_reader_slot *slot = plc_reader_table_find(&lock);
    if (!slot)
        return 101;
    std::thread writer([&] {
        plc_rwlock_scalable_write_lock(&lock);
        plc_rwlock_scalable_write_unlock(&lock);
    });
    wait_until_parked(slot, 1, PLC_WAITER_READER_SLOT);
    plc_rwlock_scalable_read_unlock(&lock);
    writer.join();
    return plc_rwlock_scalable_is_locked(&lock) ? 102 : 0;
}

TEST(RwlockScalableForkTest, WhatTheForkingThreadReadsItReadsInTheChild) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    plc_rwlock_scalable_read_lock(&lock);
    ASSERT_NE(plc_reader_table_find(&lock), nullptr);
    expect_in_child([&] {
        if (plc_rwlock_scalable_try_write_lock(&lock))
            return 1;
        plc_rwlock_scalable_read_unlock(&lock);
        if (!plc_rwlock_scalable_try_write_lock(&lock))
            return 2;
        plc_rwlock_scalable_write_unlock(&lock);
        return check_that_writers_sleep_and_wake();
    });
    EXPECT_FALSE(plc_rwlock_scalable_try_write_lock(&lock)) << "the child's unlock is its own";
    plc_rwlock_scalable_read_unlock(&lock);
    EXPECT_TRUE(plc_rwlock_scalable_try_write_lock(&lock));
    plc_rwlock_scalable_write_unlock(&lock);
}

TEST(RwlockScalableForkTest, WhatOtherThreadsReadStaysLockedInTheChild) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    std::atomic<bool> reading{false}, stop{false};
    std::thread reader([&] {
        plc_rwlock_scalable_read_lock(&lock);
        reading = true;
        while (!stop)
            std::this_thread::yield();
        plc_rwlock_scalable_read_unlock(&lock);
    });
    while (!reading)
        std::this_thread::yield();
    expect_in_child([&] {
        if (plc_rwlock_scalable_try_write_lock(&lock))
            return 1;
        if (!plc_rwlock_scalable_try_read_lock(&lock))
            return 2;
        plc_rwlock_scalable_read_unlock(&lock);
        return check_that_writers_sleep_and_wake();
    });
    stop = true;
    reader.join();
}

/* The parent's sleeping writer does not exist in the child, though its count is there: the reader's unlock finds nobody. */
TEST(RwlockScalableForkTest, ASleepingWriterIsNotInTheChild) {
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    open_table(lock);
    plc_rwlock_scalable_read_lock(&lock);
    const plc_reader_slot *slot = plc_reader_table_find(&lock);
    ASSERT_NE(slot, nullptr);
    std::thread writer([&] {
        plc_rwlock_scalable_write_lock(&lock);
        plc_rwlock_scalable_write_unlock(&lock);
    });
    wait_until_parked(slot, 1, PLC_WAITER_READER_SLOT);
    expect_in_child([&] {
        if (parked_count(slot, PLC_WAITER_READER_SLOT) != 0)
            return 1;
        plc_rwlock_scalable_read_unlock(&lock);
        if (plc_reader_table_count(&lock) != 0)
            return 2;
        return check_that_writers_sleep_and_wake();
    });
    plc_rwlock_scalable_read_unlock(&lock);
    writer.join();
    EXPECT_FALSE(plc_rwlock_scalable_is_locked(&lock));
}

} // namespace
