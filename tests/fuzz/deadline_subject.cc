/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The arithmetic of deadlines, against numbers that cannot overflow. */
#include <climits>
#include <ctime>
#include <plc/deadline.h>
#include <plc/mutex.h>

#include "pthread/deadlines.h"
#include "subject.h"

namespace fuzz {

namespace {

__extension__ typedef __int128 Wide;

int64_t clock_now(plc_clock clock) {
    timespec time;
    clock_gettime(clock == PLC_CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int64_t saturated(Wide ns) {
    return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : static_cast<int64_t>(ns);
}

/* The edges come by themselves too rarely. */
int64_t number(Bytes &bytes) {
    const auto offset = static_cast<int64_t>(bytes.below(5)) - 2;
    switch (bytes.below(7)) {
    case 0:
        return INT64_MAX - 2 + offset;
    case 1:
        return INT64_MIN + 2 + offset;
    case 2:
        return INT64_MAX / 1'000'000'000 + offset;
    case 3:
        return offset;
    case 4:
        return clock_now(PLC_CLOCK_REALTIME) + offset;
    case 5:
        return clock_now(PLC_CLOCK_MONOTONIC) + offset;
    default:
        return static_cast<int64_t>(bytes.word());
    }
}

class DeadlineSubject final : public Subject {
  public:
    void operate(Bytes &bytes) override {
        const plc_clock clock = bytes.flag() ? PLC_CLOCK_REALTIME : PLC_CLOCK_MONOTONIC;
        const int64_t value = number(bytes);
        const long ns = bytes.flag() ? 999'999'999 - static_cast<long>(bytes.below(2))
                                     : static_cast<long>(bytes.word() % 1'000'000'000);
        note("deadline: clock %d, %lld, %ld", clock, static_cast<long long>(value), ns);
        check_at(clock, value, ns);
        check_after(value);
        check_passed({value, clock});
        check_wait({value, clock});
    }
    bool unwind() override {
        return false;
    }
    void check_end() override {}

  private:
    static void check_at(plc_clock clock, int64_t seconds, long ns) {
        const plc_deadline_t deadline = plc_deadline_at(clock, seconds, ns);
        const Wide exact = Wide{seconds} * 1'000'000'000 + ns;
        expect("the clock of a deadline", deadline.clock, clock);
        if (seconds >= 0)
            expect("plc_deadline_at", deadline.ns, saturated(exact));
        else
            expect("a negative time is past", plc_deadline_has_passed(deadline), true);
        const timespec time = {seconds, ns};
        const plc_deadline_t same =
            dropin_deadline(clock == PLC_CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, &time);
        expect("a timespec's deadline", same.ns == deadline.ns && same.clock == deadline.clock, true);
        expect("a valid timespec", dropin_time_is_valid(&time), true);
        const timespec invalid = {seconds, ns % 2 ? -1 - ns : 1'000'000'000 + ns};
        expect("an invalid timespec", dropin_time_is_valid(&invalid), false);
    }
    static void check_after(int64_t ns) {
        const int64_t before = clock_now(PLC_CLOCK_MONOTONIC);
        const plc_deadline_t deadline = plc_deadline_after_ns(ns);
        const int64_t after = clock_now(PLC_CLOCK_MONOTONIC);
        const int64_t added = ns > 0 ? ns : 0;
        if (deadline.ns < saturated(Wide{before} + added) || deadline.ns > saturated(Wide{after} + added))
            mismatch("plc_deadline_after_ns(%lld) is %lld", static_cast<long long>(ns),
                     static_cast<long long>(deadline.ns));
        expect("its clock", deadline.clock, PLC_CLOCK_MONOTONIC);
    }
    static void check_passed(plc_deadline_t deadline) {
        const int64_t before = clock_now(deadline.clock);
        const bool passed = plc_deadline_has_passed(deadline);
        const int64_t after = clock_now(deadline.clock);
        const bool never = deadline.ns == INT64_MAX;
        expect("is_never", plc_deadline_is_never(deadline), never);
        if (never)
            expect("never has passed", passed, false);
        else if (passed ? deadline.ns > after : deadline.ns <= before)
            mismatch("plc_deadline_has_passed(%lld): %d at %lld", static_cast<long long>(deadline.ns), passed,
                     static_cast<long long>(after));
    }
    /* A free lock is had at any time; one that is held is not, and the wait ends if the deadline is no more than a moment
       away. */
    static void check_wait(plc_deadline_t deadline) {
        plc_mutex_t mutex = PLC_MUTEX_INIT;
        expect("lock_until of a free mutex", plc_mutex_lock_until(&mutex, deadline), true);
        if (deadline.ns <= clock_now(deadline.clock) + 1000)
            expect("lock_until of a held mutex", plc_mutex_lock_until(&mutex, deadline), false);
        plc_mutex_unlock(&mutex);
        expect("state", mutex.state, 0);
    }
};

} // namespace

std::unique_ptr<Subject> make_deadline_subject() {
    return std::make_unique<DeadlineSubject>();
}

} // namespace fuzz
