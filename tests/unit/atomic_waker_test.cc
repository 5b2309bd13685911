/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Wakers, and the place for one: who owns what, and wakers that use the place from inside. */
#include <plc/atomic_waker.h>
#include <plc/waker.h>

#include <gtest/gtest.h>

namespace {

/* Counts what is done with wakers for it. */
struct Bell {
    int living = 0;
    int clones = 0;
    int rung = 0;
    plc_atomic_waker_t *place = nullptr; /* woken from inside each function, if set */

    void intrude() const {
        if (place)
            plc_atomic_waker_wake(place);
    }
    plc_waker_t waker() {
        static const plc_waker_vtable vtable = {
            [](void *data) {
                auto *bell = static_cast<Bell *>(data);
                ++bell->clones;
                bell->intrude();
                return bell->waker();
            },
            [](void *data) {
                auto *bell = static_cast<Bell *>(data);
                ++bell->rung;
                --bell->living;
                bell->intrude();
            },
            [](void *data) {
                auto *bell = static_cast<Bell *>(data);
                ++bell->rung;
                bell->intrude();
            },
            [](void *data) {
                auto *bell = static_cast<Bell *>(data);
                --bell->living;
                bell->intrude();
            },
        };
        ++living;
        return {&vtable, this};
    }
};

TEST(Waker, OwnsOneReference) {
    Bell bell;
    plc_waker_t first = bell.waker();
    plc_waker_t second = plc_waker_clone(&first);
    EXPECT_EQ(bell.living, 2);
    plc_waker_wake_by_ref(&first);
    EXPECT_EQ(bell.living, 2);
    plc_waker_wake(&first);
    EXPECT_FALSE(plc_waker_is_set(&first));
    plc_waker_drop(&second);
    EXPECT_FALSE(plc_waker_is_set(&second));
    plc_waker_drop(&second);
    EXPECT_EQ(bell.living, 0);
    EXPECT_EQ(bell.rung, 2);
}

TEST(Waker, WillWakeComparesWhatIsWoken) {
    Bell bell, other;
    plc_waker_t first = bell.waker(), second = bell.waker(), third = other.waker(), noop = plc_waker_noop();
    EXPECT_TRUE(plc_waker_will_wake(&first, &second));
    EXPECT_FALSE(plc_waker_will_wake(&first, &third));
    EXPECT_FALSE(plc_waker_will_wake(&first, &noop));
    for (plc_waker_t *waker : {&first, &second, &third})
        plc_waker_drop(waker);
}

TEST(Waker, NoopDoesNothing) {
    plc_waker_t noop = plc_waker_noop();
    plc_waker_t clone = plc_waker_clone(&noop);
    EXPECT_TRUE(plc_waker_will_wake(&noop, &clone));
    plc_waker_wake_by_ref(&noop);
    plc_waker_wake(&noop);
    plc_waker_drop(&clone);
}

TEST(AtomicWaker, WakingAnEmptyPlaceDoesNothing) {
    plc_atomic_waker_t place = PLC_ATOMIC_WAKER_INIT;
    plc_atomic_waker_wake(&place);
    plc_waker_t taken = plc_atomic_waker_take(&place);
    EXPECT_FALSE(plc_waker_is_set(&taken));
}

TEST(AtomicWaker, WakesOnceWhatWasRegisteredLast) {
    plc_atomic_waker_t place = PLC_ATOMIC_WAKER_INIT;
    Bell first, second;
    plc_atomic_waker_register(&place, first.waker());
    plc_atomic_waker_register(&place, second.waker());
    EXPECT_EQ(first.living, 0) << "the waker that was replaced is dropped";
    EXPECT_EQ(first.rung, 0);
    plc_atomic_waker_wake(&place);
    plc_atomic_waker_wake(&place);
    EXPECT_EQ(second.rung, 1);
    EXPECT_EQ(second.living, 0);
}

TEST(AtomicWaker, RegisteringTheSameByReferenceClonesOnce) {
    plc_atomic_waker_t place = PLC_ATOMIC_WAKER_INIT;
    Bell bell, other;
    plc_waker_t waker = bell.waker(), another = other.waker();
    for (int i = 0; i < 5; ++i)
        plc_atomic_waker_register_by_ref(&place, &waker);
    EXPECT_EQ(bell.clones, 1);
    plc_atomic_waker_register_by_ref(&place, &another);
    EXPECT_EQ(bell.living, 1) << "only the one outside";
    plc_atomic_waker_wake(&place);
    EXPECT_EQ(other.rung, 1);
    EXPECT_EQ(bell.rung, 0);
    plc_waker_drop(&waker);
    plc_waker_drop(&another);
    EXPECT_EQ(bell.living + other.living, 0);
}

TEST(AtomicWaker, TakeGivesTheWakerAway) {
    plc_atomic_waker_t place = PLC_ATOMIC_WAKER_INIT;
    Bell bell;
    plc_atomic_waker_register(&place, bell.waker());
    plc_waker_t taken = plc_atomic_waker_take(&place);
    plc_atomic_waker_wake(&place);
    EXPECT_EQ(bell.rung, 0);
    plc_waker_wake(&taken);
    EXPECT_EQ(bell.rung, 1);
    EXPECT_EQ(bell.living, 0);
}

/* A waker whose every function wakes the place that it is in. */
TEST(AtomicWaker, WakersMayUseThePlace) {
    plc_atomic_waker_t place = PLC_ATOMIC_WAKER_INIT;
    Bell bell, plain;
    bell.place = &place;
    plc_waker_t waker = bell.waker();
    plc_atomic_waker_register_by_ref(&place, &waker); /* the clone wakes an empty place */
    EXPECT_EQ(bell.rung, 0);
    plc_atomic_waker_register(&place, plain.waker()); /* the drop of the old one wakes the new one */
    EXPECT_EQ(plain.rung, 1);
    EXPECT_EQ(plain.living, 0);
    plc_atomic_waker_register_by_ref(&place, &waker);
    plc_atomic_waker_wake(&place); /* and a wake wakes again, when nobody is there any more */
    EXPECT_EQ(bell.rung, 1);
    plc_waker_drop(&waker);
    EXPECT_EQ(bell.living, 0);
    plc_waker_t left = plc_atomic_waker_take(&place);
    EXPECT_FALSE(plc_waker_is_set(&left));
}

/* What a register or a wake finds while another thread registers: put there by hand, for it lasts an instant. */
TEST(AtomicWaker, RegisteringWhileSomebodyRegistersWakesAtOnce) {
    plc_atomic_waker_t place = {{nullptr, nullptr}, 1};
    Bell bell;
    plc_atomic_waker_register(&place, bell.waker());
    EXPECT_EQ(bell.rung, 1);
    EXPECT_EQ(bell.living, 0);
    plc_waker_t waker = bell.waker();
    plc_atomic_waker_register_by_ref(&place, &waker);
    EXPECT_EQ(bell.rung, 2);
    plc_waker_drop(&waker);
    EXPECT_EQ(bell.living, 0);
    EXPECT_EQ(place.state, 1u) << "the other one still has it";
}

TEST(AtomicWaker, WakingWhileSomebodyRegistersLeavesItToThem) {
    plc_atomic_waker_t place = {{nullptr, nullptr}, 1};
    plc_atomic_waker_wake(&place);
    EXPECT_EQ(place.state, 3u);
    plc_waker_t taken = plc_atomic_waker_take(&place);
    EXPECT_FALSE(plc_waker_is_set(&taken));
}

} // namespace
