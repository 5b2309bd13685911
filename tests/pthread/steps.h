/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For tests that go through a lock one instruction at a time: a thread that sleeps in the lock meanwhile. */
#ifndef PLC_TESTS_PTHREAD_STEPS_H
#define PLC_TESTS_PTHREAD_STEPS_H

#include "dropin.h"

#include "../support/single_step.h"

#include <atomic>
#include <sched.h>

#define DROPIN_NEEDS_SINGLE_STEPS()                                                                                    \
    if (!plc_test::can_single_step)                                                                                    \
    GTEST_SKIP() << "this processor does not let a thread step by itself"

namespace dropin {

/* With a sanitizer there are many times as many instructions. */
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kInstrumented = true;
#elif defined(__has_feature)
inline constexpr bool kInstrumented = __has_feature(address_sanitizer);
#else
inline constexpr bool kInstrumented = false;
#endif

/* A thread that has begun `body`, and sleeps in it. */
class Sleeper {
  public:
    explicit Sleeper(void (*body)())
        : thread_([this, body] {
              tid_ = tid();
              body();
              has_ended_ = true;
          }) {
        await();
    }
    /* Until it sleeps, or has ended. */
    void await() const {
        while (!has_ended_ && (tid_ == 0 || !plc_test::is_in_the_kernel(tid_)))
            sched_yield();
    }
    bool has_ended() const {
        return has_ended_;
    }
    void join() {
        thread_.join();
    }

  private:
    std::atomic<int> tid_{0};
    std::atomic<bool> has_ended_{false};
    std::thread thread_;
};

} // namespace dropin

#endif
