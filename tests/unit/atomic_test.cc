/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The atomics header: each operation does what its name says, on every width, from C++. */
#include <gtest/gtest.h>
#include <plc/detail/atomic.h>
#include <thread>

namespace {

template <typename T>
class Atomic : public testing::Test {};
using Widths = testing::Types<uint8_t, uint32_t, uint64_t, uintptr_t>;
TYPED_TEST_SUITE(Atomic, Widths, );

/* Neighbours that an operation of the wrong width would overwrite. */
template <typename T>
struct Guarded {
    T before = static_cast<T>(~T{0});
    T value = 0;
    T behind = static_cast<T>(~T{0});

    void expect(T expected) const {
        EXPECT_EQ(value, expected);
        EXPECT_EQ(before, static_cast<T>(~T{0}));
        EXPECT_EQ(behind, static_cast<T>(~T{0}));
    }
};

TYPED_TEST(Atomic, LoadsAndStores) {
    using T = TypeParam;
    const T top = static_cast<T>(T{1} << (sizeof(T) * 8 - 1));
    Guarded<T> cell;
    plc_store_relaxed(&cell.value, top);
    cell.expect(top);
    EXPECT_EQ(plc_load_relaxed(&cell.value), top);
    plc_store_release(&cell.value, T{3});
    cell.expect(3);
    EXPECT_EQ(plc_load_acquire(&cell.value), T{3});
}

TYPED_TEST(Atomic, ExchangesReturnTheOldValue) {
    using T = TypeParam;
    Guarded<T> cell;
    EXPECT_EQ(plc_exchange_relaxed(&cell.value, T{1}), T{0});
    EXPECT_EQ(plc_exchange_acquire(&cell.value, T{2}), T{1});
    EXPECT_EQ(plc_exchange_release(&cell.value, T{3}), T{2});
    EXPECT_EQ(plc_exchange_acq_rel(&cell.value, T{4}), T{3});
    cell.expect(4);
}

/* One compare-and-swap of the header under the name of a function. */
#define STRONG_CASES(X)                                                                                                \
    X(relaxed) X(acquire) X(acquire_or_acquire) X(release) X(release_or_acquire) X(acq_rel) X(acq_rel_or_acquire)
#define WEAK_CASES(X)                                                                                                  \
    X(relaxed_weak)                                                                                                    \
    X(acquire_weak) X(release_weak) X(release_or_acquire_weak) X(acq_rel_weak) X(acq_rel_or_acquire_weak)

TYPED_TEST(Atomic, StrongCompareAndSwap) {
    using T = TypeParam;
#define CHECK_STRONG(name)                                                                                             \
    {                                                                                                                  \
        SCOPED_TRACE(#name);                                                                                           \
        Guarded<T> cell;                                                                                               \
        T expected = 0;                                                                                                \
        EXPECT_TRUE(plc_cas_##name(&cell.value, &expected, T{5}));                                                     \
        EXPECT_EQ(expected, T{0});                                                                                     \
        EXPECT_FALSE(plc_cas_##name(&cell.value, &expected, T{6}));                                                    \
        EXPECT_EQ(expected, T{5});                                                                                     \
        cell.expect(5);                                                                                                \
    }
    STRONG_CASES(CHECK_STRONG)
#undef CHECK_STRONG
}

TYPED_TEST(Atomic, WeakCompareAndSwapSucceedsInALoop) {
    using T = TypeParam;
#define CHECK_WEAK(name)                                                                                               \
    {                                                                                                                  \
        SCOPED_TRACE(#name);                                                                                           \
        Guarded<T> cell;                                                                                               \
        T expected = 1;                                                                                                \
        EXPECT_FALSE(plc_cas_##name(&cell.value, &expected, T{6}));                                                    \
        EXPECT_EQ(expected, T{0});                                                                                     \
        while (!plc_cas_##name(&cell.value, &expected, T{5}))                                                          \
            EXPECT_EQ(expected, T{0});                                                                                 \
        cell.expect(5);                                                                                                \
    }
    WEAK_CASES(CHECK_WEAK)
#undef CHECK_WEAK
}

TYPED_TEST(Atomic, ArithmeticReturnsTheOldValue) {
    using T = TypeParam;
    Guarded<T> cell;
    EXPECT_EQ(plc_fetch_add_relaxed(&cell.value, T{7}), T{0});
    EXPECT_EQ(plc_fetch_add_acquire(&cell.value, T{1}), T{7});
    EXPECT_EQ(plc_fetch_sub_relaxed(&cell.value, T{2}), T{8});
    EXPECT_EQ(plc_fetch_sub_release(&cell.value, T{2}), T{6});
    EXPECT_EQ(plc_fetch_sub_acq_rel(&cell.value, T{1}), T{4});
    cell.expect(3);
    EXPECT_EQ(plc_fetch_or_relaxed(&cell.value, T{8}), T{3});
    EXPECT_EQ(plc_fetch_or_release(&cell.value, T{16}), T{11});
    EXPECT_EQ(plc_fetch_and_relaxed(&cell.value, T{24}), T{27});
    EXPECT_EQ(plc_fetch_and_release(&cell.value, T{16}), T{24});
    cell.expect(16);
    EXPECT_EQ(plc_sub_fetch_release(&cell.value, T{16}), T{0}) << "the one that returns the new value";
    cell.expect(0);
}

TYPED_TEST(Atomic, NoUpdateIsLost) {
    using T = TypeParam;
    constexpr unsigned rounds = 20000;
    Guarded<T> cell;
    const auto add = [&cell] {
        for (unsigned i = 0; i < rounds; ++i)
            plc_fetch_add_relaxed(&cell.value, T{1}); /* relaxed: only the sum is looked at, after join */
    };
    std::thread other(add);
    add();
    other.join();
    cell.expect(static_cast<T>(2 * rounds));
}

/* The store-load pair that the named fence is for: at least one side sees the other's store. */
TEST(AtomicFence, StoreLoadPairSeesAtLeastOneSide) {
    for (unsigned round = 0; round < 2000; ++round) {
        uint32_t ready = 0;
        uint32_t flags[2] = {0, 0};
        uint32_t seen[2] = {0, 0};
        const auto side = [&](unsigned me) {
            plc_fetch_add_relaxed(&ready, 1u); /* relaxed: only starts both at once */
            while (plc_load_relaxed(&ready) != 2)
                std::this_thread::yield();
            plc_store_relaxed(&flags[me], 1u); /* relaxed: the fence orders it before the load */
            plc_fence_seq_cst();               /* the other side is the same line of the other thread */
            seen[me] = plc_load_relaxed(&flags[1 - me]);
        };
        std::thread other(side, 1u);
        side(0);
        other.join();
        ASSERT_TRUE(seen[0] || seen[1]) << "round " << round;
    }
}

} // namespace
