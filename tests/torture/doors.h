/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who is inside something that is renewed from time to time: it is closed, everybody leaves, and the last one has it alone. */
#ifndef PLC_TESTS_TORTURE_DOORS_H
#define PLC_TESTS_TORTURE_DOORS_H

#include <atomic>
#include <cstdint>

namespace torture {

class Doors {
  public:
    /* False while it is closed. */
    bool enter() {
        return enter_if([](uint32_t word) { return !(word & closed); });
    }
    /* Even if it is closed, as long as others are inside, who may need help to come out. */
    bool enter_to_help() {
        return enter_if([](uint32_t word) { return word != closed; });
    }
    /* By somebody inside. */
    void close() {
        word_.fetch_or(closed, std::memory_order_relaxed);
    }
    bool is_closed() const {
        return word_.load(std::memory_order_relaxed) & closed;
    }
    /* True: the caller has it alone, and reopens it. */
    bool leave() {
        if (word_.fetch_sub(1, std::memory_order_release) != (closed | 1))
            return false;
        word_.load(std::memory_order_acquire); /* all that those did who were inside */
        return true;
    }
    void reopen() {
        word_.store(0, std::memory_order_release);
    }

  private:
    template <typename Condition>
    bool enter_if(Condition may_enter) {
        uint32_t word = word_.load(std::memory_order_relaxed);
        do {
            if (!may_enter(word))
                return false;
        } while (!word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire, std::memory_order_relaxed));
        return true;
    }

    static constexpr uint32_t closed = UINT32_C(1) << 31;
    std::atomic<uint32_t> word_{0};
};

} // namespace torture

#endif
