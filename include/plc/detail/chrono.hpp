/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Deadlines from std::chrono: every clock, every representation, saturating instead of overflowing. */
#ifndef PLC_DETAIL_CHRONO_HPP
#define PLC_DETAIL_CHRONO_HPP

#include <chrono>
#include <cstdint>
#include <limits>
#include <plc/deadline.h>
#include <ratio>
#include <type_traits>

namespace plc {
namespace detail {

/* The duration in nanoseconds, rounded up: a wait must not end early. What does not fit becomes the nearest value that
   does, and not-a-number the largest. */
template <typename Rep, typename Period>
constexpr int64_t saturated_ns(const std::chrono::duration<Rep, Period> &duration) {
    using limits = std::numeric_limits<int64_t>;
    using in_ns = std::ratio_divide<Period, std::nano>;
    const long double ns = std::chrono::duration<long double, std::nano>(duration).count();
    /* 2^63 is a long double everywhere, the limits themselves may not be. */
    if (!(ns < 9223372036854775808.0L))
        return limits::max();
    if (ns < -9223372036854775808.0L)
        return limits::min();
    if constexpr (std::is_integral_v<Rep> && in_ns::den == 1)
        return static_cast<int64_t>(duration.count()) * in_ns::num;
    const int64_t whole = static_cast<int64_t>(ns);
    return static_cast<long double>(whole) < ns ? whole + 1 : whole;
}

/* How far `then` lies behind `now`, at least 0. */
constexpr int64_t ns_until(int64_t now, int64_t then) {
    if (then <= now)
        return 0;
    const uint64_t distance = static_cast<uint64_t>(then) - static_cast<uint64_t>(now);
    constexpr int64_t most = std::numeric_limits<int64_t>::max();
    return distance > static_cast<uint64_t>(most) ? most : static_cast<int64_t>(distance);
}

/* Does plc_deadline_t have this clock? Waits on other clocks must look again when they end. */
template <typename Clock>
constexpr bool is_native_clock_v =
    std::is_same_v<Clock, std::chrono::steady_clock> || std::is_same_v<Clock, std::chrono::system_clock>;

} // namespace detail

/** The deadline that lies @p duration from now. */
template <typename Rep, typename Period>
plc_deadline_t deadline_after(const std::chrono::duration<Rep, Period> &duration) {
    return plc_deadline_after_ns(detail::saturated_ns(duration));
}

/** The deadline at @p time. One on the system clock follows it when it is set; one on another clock than the system's
 *  and the steady one is as far away as that clock says now. time_point::max() means never. */
template <typename Clock, typename Duration>
plc_deadline_t deadline_at(const std::chrono::time_point<Clock, Duration> &time) {
    const int64_t then = detail::saturated_ns(time.time_since_epoch());
    if (then == std::numeric_limits<int64_t>::max())
        return PLC_NO_DEADLINE;
    if constexpr (std::is_same_v<Clock, std::chrono::system_clock>)
        return plc_deadline_t{then, PLC_CLOCK_REALTIME};
    else
        /* Not as it stands for the steady clock either: nothing says that its epoch is that of PLC_CLOCK_MONOTONIC. */
        return plc_deadline_after_ns(detail::ns_until(detail::saturated_ns(Clock::now().time_since_epoch()), then));
}

namespace detail {

/* Calls wait(deadline) -> bool until it succeeds or `time` has passed on its own clock. */
template <typename Clock, typename Duration, typename Wait>
bool wait_until(const std::chrono::time_point<Clock, Duration> &time, Wait wait) {
    bool success = wait(deadline_at(time));
    if constexpr (!is_native_clock_v<Clock>)
        while (!success && Clock::now() < time)
            success = wait(deadline_at(time));
    return success;
}

} // namespace detail
} // namespace plc

#endif
