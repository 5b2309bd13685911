/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The internal interfaces that tests look at, and which sanitizer they are built with. */
#ifndef PLC_TESTS_SUPPORT_INTERNAL_H
#define PLC_TESTS_SUPPORT_INTERNAL_H

#include <plc/detail/atomic.h>

/* C++ sees a struct and a function of one name, which C keeps apart. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "parking_lot/lot.h"
#pragma GCC diagnostic pop

#include "platform/platform.h"
#include "thread_parker/thread_parker.h"
#include "word_lock/word_lock.h"

#if defined(__SANITIZE_ADDRESS__)
#define PLC_TEST_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define PLC_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLC_TEST_ASAN 1
#elif __has_feature(thread_sanitizer)
#define PLC_TEST_TSAN 1
#endif
#endif

namespace plc_test {

/* The struct, where the function of the same name hides it. */
using LotKey = struct plc_lot_key;

#ifdef PLC_TEST_ASAN
inline constexpr bool with_asan = true;
#else
inline constexpr bool with_asan = false;
#endif
#ifdef PLC_TEST_TSAN
inline constexpr bool with_tsan = true;
#else
inline constexpr bool with_tsan = false;
#endif

/* Both clocks, for tests that must hold on either. */
inline constexpr plc_clock clocks[] = {PLC_CLOCK_MONOTONIC, PLC_CLOCK_REALTIME};

/* An instant @p ns from now on @p clock: a wait until then really sleeps, but nothing is asserted about how long. */
inline plc_deadline_t after(plc_clock clock, int64_t ns) {
    return plc_deadline_t{plc_os_now_ns(clock) + ns, clock};
}

inline plc_deadline_t soon(plc_clock clock = PLC_CLOCK_MONOTONIC) {
    return after(clock, 2'000'000);
}

/* Late enough that a test which waits for it has failed. */
inline plc_deadline_t much_later(plc_clock clock = PLC_CLOCK_MONOTONIC) {
    return after(clock, INT64_C(3'600'000'000'000));
}

} // namespace plc_test

#endif
