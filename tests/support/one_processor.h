/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keeps the calling thread, and those that it starts, on one processor: which one they ran on is no chance then. */
#ifndef PLC_TESTS_SUPPORT_ONE_PROCESSOR_H
#define PLC_TESTS_SUPPORT_ONE_PROCESSOR_H

#include <sched.h>

#include "support/internal.h"

namespace plc_test {

class OneProcessor {
  public:
    OneProcessor() {
        plc_os_processor_count(); /* is asked once: not while we are pinned, or nobody spins in this process */
        if (sched_getaffinity(0, sizeof before_, &before_) == 0)
            pinned_ = pin(nth(0)) && plc_os_processor() != PLC_OS_UNKNOWN_PROCESSOR;
    }
    ~OneProcessor() {
        sched_setaffinity(0, sizeof before_, &before_);
    }
    OneProcessor(const OneProcessor &) = delete;
    OneProcessor &operator=(const OneProcessor &) = delete;

    /* False if that is not possible, or if libplc cannot tell the processor. */
    bool is_pinned() const {
        return pinned_;
    }
    /* From now on the calling thread runs on another processor; false if there is only one. */
    bool move_to_another() {
        return CPU_COUNT(&before_) > 1 && pin(nth(1));
    }
    bool move_back() {
        return pin(nth(0));
    }

  private:
    int nth(int n) const {
        for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
            if (CPU_ISSET(processor, &before_) && n-- == 0)
                return processor;
        }
        return -1;
    }
    static bool pin(int processor) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(processor, &one);
        return sched_setaffinity(0, sizeof one, &one) == 0;
    }

    cpu_set_t before_ = {};
    bool pinned_ = false;
};

} // namespace plc_test

#endif
