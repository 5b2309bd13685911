/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A reader-writer lock is freed by its next owner: nobody touches it after giving up the last right to it. */
#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>
#include <plc/rwlock.h>
#include <sys/mman.h>
#include <vector>

#include "support/rwlock_peek.h"
#include "support/stress.h"

using namespace plc_test;

namespace {

/* A lock and what it guards. Under AddressSanitizer it lives on the heap, whose freed memory is watched; elsewhere on a
   page of its own, which is unmapped: a late touch is a crash in any build. */
struct Object {
    plc_rwlock_t lock;
    size_t owners;
};

Object *create(size_t owners) {
    Object *object = nullptr;
    if (with_asan) {
        object = static_cast<Object *>(std::calloc(1, sizeof *object));
    } else {
        void *page = mmap(nullptr, sizeof *object, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page != MAP_FAILED)
            object = static_cast<Object *>(page);
    }
    if (!object)
        std::abort();
    object->owners = owners;
    return object;
}

void destroy(Object *object) {
    if (with_asan)
        std::free(object);
    else
        munmap(object, sizeof *object);
}

void write_lock(plc_rwlock_t *lock) {
    plc_rwlock_write_lock(lock);
}
void write_lock_by_upgrade(plc_rwlock_t *lock) {
    plc_rwlock_upgradable_lock(lock);
    plc_rwlock_upgrade(lock);
}
void write_lock_after_time_outs(plc_rwlock_t *lock) {
    while (!plc_rwlock_write_lock_until(lock, plc_deadline_after_ns(1000)))
        continue;
}
void downgrade_and_unlock(plc_rwlock_t *lock) {
    plc_rwlock_downgrade(lock);
    plc_rwlock_read_unlock(lock);
}
void downgrade_to_upgradable_and_unlock(plc_rwlock_t *lock) {
    plc_rwlock_downgrade_to_upgradable(lock);
    plc_rwlock_upgradable_unlock(lock);
}

/* Each owner gives up its share under the lock; the one that finds itself the last frees the lock, while the others may
   still be on their way out of the unlock. */
void last_owner_frees(void (*lock)(plc_rwlock_t *), void (*unlock)(plc_rwlock_t *)) {
    constexpr size_t owners = 3;
    const size_t rounds = scaled(10000);
    std::vector<std::atomic<Object *>> objects(rounds);
    for (std::atomic<Object *> &object : objects)
        object = create(owners);
    run_threads(owners, [&](size_t) {
        for (std::atomic<Object *> &slot : objects) {
            Object *object = slot.load();
            lock(&object->lock);
            const bool last = --object->owners == 0;
            unlock(&object->lock);
            if (last)
                destroy(object);
        }
    });
}

TEST(RwlockLifetimeTest, TheLastWriterFrees) {
    last_owner_frees(write_lock, plc_rwlock_write_unlock);
}

TEST(RwlockLifetimeTest, TheLastWriterFreesAfterAFairUnlock) {
    last_owner_frees(write_lock, plc_rwlock_write_unlock_fair);
}

TEST(RwlockLifetimeTest, TheLastUpgraderFrees) {
    last_owner_frees(write_lock_by_upgrade, plc_rwlock_write_unlock);
}

TEST(RwlockLifetimeTest, TheLastTimedWriterFrees) {
    last_owner_frees(write_lock_after_time_outs, plc_rwlock_write_unlock);
}

/* The others leave by way of a lesser mode; the last writer drains them before it frees the lock. */
TEST(RwlockLifetimeTest, TheLastOneFreesAfterADowngrade) {
    constexpr size_t owners = 3;
    for (auto unlock : {downgrade_and_unlock, downgrade_to_upgradable_and_unlock}) {
        const size_t rounds = scaled(10000);
        std::vector<std::atomic<Object *>> objects(rounds);
        for (std::atomic<Object *> &object : objects)
            object = create(owners);
        run_threads(owners, [&](size_t) {
            for (std::atomic<Object *> &slot : objects) {
                Object *object = slot.load();
                plc_rwlock_write_lock(&object->lock);
                const bool last = --object->owners == 0;
                if (!last) {
                    unlock(&object->lock);
                    continue;
                }
                plc_rwlock_write_unlock(&object->lock);
                destroy(object);
            }
        });
    }
}

/* Readers come and go; a writer that has seen them all come in drains them, and frees the lock at once. The last reader
   may be about to wake it, by then in vain. */
void writer_frees_after_readers(void (*lock)(plc_rwlock_t *)) {
    constexpr size_t readers = 2;
    const size_t rounds = scaled(10000);
    std::vector<std::atomic<Object *>> objects(rounds);
    std::vector<std::atomic<size_t>> came_in(rounds);
    for (std::atomic<Object *> &object : objects)
        object = create(0);
    run_threads(readers + 1, [&](size_t index) {
        for (size_t round = 0; round < rounds; ++round) {
            Object *object = objects[round].load();
            if (index == 0) {
                wait_until([&] { return came_in[round].load() == readers; });
                lock(&object->lock);
                plc_rwlock_write_unlock(&object->lock);
                destroy(object);
            } else {
                plc_rwlock_read_lock(&object->lock);
                came_in[round].fetch_add(1);
                wait_until([&] { return came_in[round].load() == readers; });
                plc_rwlock_read_unlock(&object->lock);
            }
        }
    });
}

TEST(RwlockLifetimeTest, AWriterFreesWhatReadersHaveLeft) {
    writer_frees_after_readers(write_lock);
}

TEST(RwlockLifetimeTest, ATimedWriterFreesWhatReadersHaveLeft) {
    writer_frees_after_readers(write_lock_after_time_outs);
}

TEST(RwlockLifetimeTest, AnUpgraderFreesWhatReadersHaveLeft) {
    writer_frees_after_readers(write_lock_by_upgrade);
}

} // namespace
