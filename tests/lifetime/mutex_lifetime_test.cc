/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A mutex is freed by its next owner: nobody touches it after giving up the last right to it. */
#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <sys/mman.h>

#include "support/lot_probe.h"
#include "support/stress.h"

namespace {

using plc_test::Random;
using plc_test::run_threads;
using plc_test::scaled;

/* A mutex and the count that it guards. Under AddressSanitizer it lives on the heap, whose freed memory is watched;
   elsewhere on a page of its own, which is unmapped: a late touch is a crash in any build. */
struct Object {
    plc_mutex_t mutex;
    size_t references;
};

Object *create(size_t references) {
    void *memory = plc_test::with_asan
                       ? std::calloc(1, sizeof(Object))
                       : mmap(nullptr, sizeof(Object), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!memory || memory == MAP_FAILED)
        std::abort();
    auto *object = static_cast<Object *>(memory);
    object->references = references;
    return object;
}

void destroy(Object *object) {
    if (plc_test::with_asan)
        std::free(object);
    else
        munmap(object, sizeof *object);
}

void lock_somehow(plc_mutex_t *mutex, uint64_t way) {
    switch (way % 3) {
    case 0:
        plc_mutex_lock(mutex);
        break;
    case 1:
        while (!plc_mutex_try_lock(mutex))
            std::this_thread::yield();
        break;
    default:
        while (!plc_mutex_lock_until(mutex, plc_deadline_after_ns(2000)))
            continue;
    }
}

void unlock_somehow(plc_mutex_t *mutex, uint64_t way) {
    switch (way % 3) {
    case 0:
        plc_mutex_unlock(mutex);
        break;
    case 1:
        plc_mutex_unlock_fair(mutex);
        break;
    default:
        plc_mutex_bump(mutex);
        plc_mutex_unlock(mutex);
    }
}

/* Everybody drops a reference under the mutex; the last one frees the object after its unlock, while the one before may
   still be inside its own. */
void share_and_drop(size_t threads, size_t rounds, bool any_way) {
    std::atomic<Object *> shared{create(threads)};
    std::atomic<size_t> arrived{0};
    std::atomic<size_t> destroyed{0};
    run_threads(threads, [&](size_t, Random &random) {
        for (size_t round = 1; round <= rounds; ++round) {
            Object *object = shared.load();
            const uint64_t way = any_way ? random.next() : 0;
            if (arrived.fetch_add(1) + 1 == round * threads)
                shared = create(threads); /* all have this round's by now */
            while (arrived.load() < round * threads || shared.load() == object)
                std::this_thread::yield();
            lock_somehow(&object->mutex, way);
            const bool last = --object->references == 0;
            unlock_somehow(&object->mutex, way >> 32);
            if (last) {
                destroy(object);
                destroyed++;
            }
        }
    });
    destroy(shared.load());
    EXPECT_EQ(destroyed.load(), rounds);
}

TEST(MutexLifetime, TheLastOfTwoFreesIt) {
    share_and_drop(2, scaled(3000), false);
    share_and_drop(2, scaled(2000), true);
}

TEST(MutexLifetime, TheLastOfManyFreesIt) {
    share_and_drop(6, scaled(200), false);
    share_and_drop(6, scaled(200), true);
}

/* A known waiter frees the object while it holds the mutex, as soon as it has it: it never unlocks. */
TEST(MutexLifetime, TheNextOwnerFreesItWithoutUnlocking) {
    const size_t rounds = scaled(500);
    for (size_t round = 0; round < rounds; ++round) {
        Object *object = create(0);
        plc_mutex_lock(&object->mutex);
        std::thread next([object] {
            plc_mutex_lock(&object->mutex);
            destroy(object);
        });
        if (round % 2 == 0)
            plc_test::wait_until_parked(&object->mutex, 1, PLC_WAITER_MUTEX);
        if (round % 3 == 0)
            plc_mutex_unlock_fair(&object->mutex);
        else
            plc_mutex_unlock(&object->mutex);
        next.join();
    }
}

} // namespace
