/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tables of a lock profile: threads that insert the same things at once find one entry, and every count arrives. */
extern "C" {
#include "pthread/observe/profile/tables.h"
}

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 4;
constexpr size_t kObjects =
    1000; /* by kThreads less than PROFILE_WAITS: of those who come at once, all but one lose an entry */

char objects[kObjects * 8];

struct Found {
    std::vector<profile_lock *> locks;
    std::vector<profile_waits *> waits;
    std::vector<uint32_t> stacks;
};

class ProfileTables : public testing::Test {
  protected:
    void SetUp() override {
        void *memory = mmap(nullptr, sizeof *profile_region, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        profile_region = static_cast<struct profile_region *>(memory);
        profile_region->header.locks = profile_region->header.waits = profile_region->header.stack_words = 1;
    }
    void TearDown() override {
        munmap(profile_region, sizeof *profile_region);
        profile_region = nullptr;
    }
};

void insert_all(std::atomic<int> *arrived, Found *found) {
    arrived->fetch_add(1);
    while (arrived->load() < kThreads)
        std::this_thread::yield();
    for (size_t i = 0; i < kObjects; ++i) {
        const profile_lock_birth birth = {0, 0, &objects[0]};
        profile_lock *lock = profile_lock_of(&objects[i * 8], &birth);
        const uintptr_t frames[2] = {reinterpret_cast<uintptr_t>(&objects[0]),
                                     reinterpret_cast<uintptr_t>(&objects[i / 2 + 1])};
        const uint32_t stack = profile_stack_keep(frames, 2);
        profile_waits *waits = profile_waits_of(lock);
        profile_site_add(waits, stack, 1, 10);
        found->locks.push_back(lock);
        found->waits.push_back(waits);
        found->stacks.push_back(stack);
    }
}

TEST_F(ProfileTables, ThreadsThatInsertTheSameAtOnceFindOneEntry) {
    std::atomic<int> arrived{0};
    Found found[kThreads];
    std::vector<std::thread> threads;
    for (Found &mine : found)
        threads.emplace_back(insert_all, &arrived, &mine);
    for (std::thread &thread : threads)
        thread.join();
    for (const Found &other : found) {
        EXPECT_EQ(other.locks, found[0].locks);
        EXPECT_EQ(other.waits, found[0].waits);
        EXPECT_EQ(other.stacks, found[0].stacks);
    }
    for (size_t i = 0; i < kObjects; ++i) {
        ASSERT_NE(found[0].locks[i], nullptr);
        EXPECT_EQ(found[0].locks[i]->object, reinterpret_cast<uint64_t>(&objects[i * 8]));
        EXPECT_EQ(found[0].waits[i]->object, found[0].locks[i]->object);
        EXPECT_NE(found[0].stacks[i], 0u);
    }
    uint64_t weight = profile_region->header.dropped_sites;
    for (const profile_site &site : profile_region->sites)
        weight += site.weight;
    EXPECT_EQ(weight, uint64_t{kThreads} * uint64_t{kObjects});
}

TEST_F(ProfileTables, BucketsGrowByAnEighthAndNeverShrink) {
    unsigned last = 0;
    for (uint64_t ticks = 1; ticks < (uint64_t{1} << 40); ticks += ticks / 16 + 1) {
        const unsigned bucket = profile_bucket(ticks);
        EXPECT_GE(bucket, last);
        EXPECT_LE(bucket, last + 1);
        EXPECT_LT(bucket, unsigned{PROFILE_BUCKETS});
        last = bucket;
    }
    EXPECT_EQ(last, unsigned{PROFILE_BUCKETS} - 1);
}

TEST_F(ProfileTables, WhatHasNoRoomIsCountedAndNotNull) {
    profile_region->header.waits = PROFILE_WAITS;
    const profile_lock_birth birth = {0, 0, nullptr};
    profile_lock *lock = profile_lock_of(&objects[0], &birth);
    EXPECT_EQ(profile_waits_of(lock), &profile_region->waits[0]);
    EXPECT_EQ(lock->waits, 0);
    profile_region->header.stack_words = PROFILE_STACK_WORDS;
    const uintptr_t frame = 1;
    EXPECT_EQ(profile_stack_keep(&frame, 1), 0u);
    EXPECT_EQ(profile_region->header.dropped_stacks, 1u);
    profile_region->header.locks = PROFILE_LOCKS + 1;
    EXPECT_EQ(profile_lock_of(&objects[8], &birth), nullptr);
    EXPECT_EQ(profile_lock_of(&objects[0], &birth), lock);
}

} // namespace

struct profile_region *profile_region;
