/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the stress tests of reader-writer locks share: data that a lock guards, and deadlines of every kind. */
#ifndef PLC_TESTS_SUPPORT_GUARDED_H
#define PLC_TESTS_SUPPORT_GUARDED_H

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <plc/deadline.h>

#include "support/stress.h"

namespace plc_test {

/* Plain memory, several words that belong together: a writer changes them one by one. */
template <typename Lock>
class GuardedWords {
  public:
    void write() {
        for (uint64_t &word : words_)
            ++word;
    }
    /* All words are equal; returns their value. */
    uint64_t read() const {
        const uint64_t first = words_.front();
        for (uint64_t word : words_)
            if (word != first)
                ADD_FAILURE() << "read a half-written state: " << word << " and " << first;
        return first;
    }
    Lock lock{};

  private:
    std::array<uint64_t, 6> words_{};
};

/* Past, never, or soon. */
inline plc_deadline_t some_deadline(Random &random) {
    switch (random.below(4)) {
    case 0:
        return plc_deadline_after_ns(0);
    case 1:
        return PLC_NO_DEADLINE;
    default:
        return plc_deadline_after_ns(static_cast<int64_t>(random.below(50000)));
    }
}

} // namespace plc_test

#endif
