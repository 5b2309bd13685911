/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  libplc for C++17: the C locks as classes that the standard library's lock guards accept.
 *
 *  The classes have the names, members and meaning of their namesakes in std and boost (upgrade_mutex), and are what
 *  the C types are: one byte or one word, constant-initialised, without a destructor. What C says of fairness, ordering
 *  and lifetime holds here too. Nothing throws, but for what callbacks and clocks of the caller throw; misuse aborts
 *  with a message, as in C. */
#ifndef PLC_PLC_HPP
#define PLC_PLC_HPP

#include <condition_variable> /* std::cv_status */
#include <functional>
#include <mutex>
#include <plc/detail/chrono.hpp>
#include <plc/plc.h>
#include <utility>

namespace plc {

/** A mutex of one byte. Lockable and TimedLockable. */
class PLC_CAPABILITY("mutex") mutex {
  public:
    /** The C type. */
    using native_handle_type = plc_mutex_t *;

    constexpr mutex() noexcept = default;
    mutex(const mutex &) = delete;
    mutex &operator=(const mutex &) = delete;

    /** @{ */
    /** As in std::timed_mutex. A free lock is taken even after the deadline. */
    void lock() noexcept PLC_ACQUIRE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_mutex_lock(&raw_);
    }
    bool try_lock() noexcept PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_mutex_try_lock(&raw_);
    }
    template <typename Rep, typename Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period> &duration)
        PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_mutex_try_lock(&raw_) || plc_mutex_lock_until(&raw_, deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &time)
        PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_mutex_try_lock(&raw_) ||
               detail::wait_until(time, [this](plc_deadline_t end) { return plc_mutex_lock_until(&raw_, end); });
    }
    void unlock() noexcept PLC_RELEASE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_mutex_unlock(&raw_);
    }
    /** @} */
    /** Unlocks and hands over to the thread that waits longest, if there is one. */
    void unlock_fair() noexcept PLC_RELEASE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_mutex_unlock_fair(&raw_);
    }
    /** Lets a waiting thread have the mutex, if there is one, and locks it again. */
    void bump() noexcept PLC_REQUIRES(this) PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_mutex_bump(&raw_);
    }
    /** Does anybody hold it? Out of date as soon as it is known, unless the caller does. */
    bool is_locked() const noexcept {
        return plc_mutex_is_locked(&raw_);
    }
    /** For the functions of C. */
    native_handle_type native_handle() noexcept {
        return &raw_;
    }

  private:
    plc_mutex_t raw_ = PLC_MUTEX_INIT;
};

/** A reader-writer lock of one word. Lockable, TimedLockable, SharedLockable and SharedTimedLockable. */
class PLC_CAPABILITY("shared_mutex") shared_mutex {
  public:
    /** The C type. */
    using native_handle_type = plc_rwlock_t *;

    constexpr shared_mutex() noexcept = default;
    shared_mutex(const shared_mutex &) = delete;
    shared_mutex &operator=(const shared_mutex &) = delete;

    /** @{ */
    /** As in std::shared_timed_mutex: the exclusive mode. */
    void lock() noexcept PLC_ACQUIRE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_write_lock(&raw_);
    }
    bool try_lock() noexcept PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_write_lock(&raw_);
    }
    template <typename Rep, typename Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period> &duration)
        PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_write_lock(&raw_) || plc_rwlock_write_lock_until(&raw_, deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &time)
        PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_write_lock(&raw_) ||
               detail::wait_until(time, [this](plc_deadline_t end) { return plc_rwlock_write_lock_until(&raw_, end); });
    }
    void unlock() noexcept PLC_RELEASE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_write_unlock(&raw_);
    }
    /** @} */
    /** Unlocks and hands over to the threads that wait longest, if there are any. */
    void unlock_fair() noexcept PLC_RELEASE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_write_unlock_fair(&raw_);
    }
    /** Lets waiting threads have the lock, if there are any, and locks it again. */
    void bump() noexcept PLC_REQUIRES(this) PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_write_bump(&raw_);
    }

    /** @{ */
    /** As in std::shared_timed_mutex: the shared mode. */
    void lock_shared() noexcept PLC_ACQUIRE_SHARED() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_read_lock(&raw_);
    }
    bool try_lock_shared() noexcept PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_read_lock(&raw_);
    }
    template <typename Rep, typename Period>
    bool try_lock_shared_for(const std::chrono::duration<Rep, Period> &duration)
        PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_read_lock(&raw_) || plc_rwlock_read_lock_until(&raw_, deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration> &time)
        PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_read_lock(&raw_) ||
               detail::wait_until(time, [this](plc_deadline_t end) { return plc_rwlock_read_lock_until(&raw_, end); });
    }
    void unlock_shared() noexcept PLC_RELEASE_SHARED() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_read_unlock(&raw_);
    }
    /** @} */
    /** lock_shared for a thread that may hold the lock shared already: waiting writers do not stop it. */
    void lock_shared_recursive() noexcept PLC_ACQUIRE_SHARED() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_recursive_read_lock(&raw_);
    }
    /** Turns an exclusive lock into a shared one without a gap. */
    void unlock_and_lock_shared() noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_downgrade(&raw_);
    }

    /** Does anybody hold it? Out of date as soon as it is known, unless the caller does. */
    bool is_locked() const noexcept {
        return plc_rwlock_is_locked(&raw_);
    }
    /** For the functions of C. */
    native_handle_type native_handle() noexcept {
        return &raw_;
    }

  protected:
    plc_rwlock_t raw_ = PLC_RWLOCK_INIT;
};

/** A shared_mutex with a third mode, shared with readers but with no other of its kind, which may become exclusive.
 *  The members are named as boost::upgrade_mutex's. */
class PLC_CAPABILITY("upgrade_mutex") upgrade_mutex : public shared_mutex {
  public:
    /** @{ */
    /** The upgradable mode. */
    void lock_upgrade() noexcept PLC_ACQUIRE_SHARED() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_upgradable_lock(&raw_);
    }
    bool try_lock_upgrade() noexcept PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_upgradable_lock(&raw_);
    }
    template <typename Rep, typename Period>
    bool try_lock_upgrade_for(const std::chrono::duration<Rep, Period> &duration)
        PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_upgradable_lock(&raw_) ||
               plc_rwlock_upgradable_lock_until(&raw_, deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_upgrade_until(const std::chrono::time_point<Clock, Duration> &time)
        PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_upgradable_lock(&raw_) || detail::wait_until(time, [this](plc_deadline_t end) {
                   return plc_rwlock_upgradable_lock_until(&raw_, end);
               });
    }
    void unlock_upgrade() noexcept PLC_RELEASE_SHARED() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_upgradable_unlock(&raw_);
    }

    /** @} */
    /** Upgradable to exclusive; waits for the readers to leave, and no other writer comes in between. */
    void unlock_upgrade_and_lock() noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_upgrade(&raw_);
    }
    /** @{ */
    /** Upgradable to exclusive, if there are no readers or they leave in time. False: still upgradable. */
    bool try_unlock_upgrade_and_lock() noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_upgrade(&raw_);
    }
    template <typename Rep, typename Period>
    bool
    try_unlock_upgrade_and_lock_for(const std::chrono::duration<Rep, Period> &duration) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_upgrade(&raw_) || plc_rwlock_upgrade_until(&raw_, deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_unlock_upgrade_and_lock_until(const std::chrono::time_point<Clock, Duration> &time)
        PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_try_upgrade(&raw_) ||
               detail::wait_until(time, [this](plc_deadline_t end) { return plc_rwlock_upgrade_until(&raw_, end); });
    }
    /** @} */
    /** Exclusive to upgradable. */
    void unlock_and_lock_upgrade() noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_downgrade_to_upgradable(&raw_);
    }
    /** Upgradable to shared. */
    void unlock_upgrade_and_lock_shared() noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_downgrade_upgradable(&raw_);
    }
};

/** A reader-writer lock of two words whose readers do not get in each other's way: plc_rwlock_scalable_t. Lockable,
 *  TimedLockable, SharedLockable and SharedTimedLockable. */
class PLC_CAPABILITY("scalable_shared_mutex") scalable_shared_mutex {
  public:
    /** The C type. */
    using native_handle_type = plc_rwlock_scalable_t *;

    constexpr scalable_shared_mutex() noexcept = default;
    scalable_shared_mutex(const scalable_shared_mutex &) = delete;
    scalable_shared_mutex &operator=(const scalable_shared_mutex &) = delete;

    /** @{ */
    /** As in std::shared_timed_mutex: the exclusive mode. */
    void lock() noexcept PLC_ACQUIRE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_scalable_write_lock(&raw_);
    }
    bool try_lock() noexcept PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_scalable_try_write_lock(&raw_);
    }
    template <typename Rep, typename Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period> &duration)
        PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_scalable_try_write_lock(&raw_) ||
               plc_rwlock_scalable_write_lock_until(&raw_, deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &time)
        PLC_TRY_ACQUIRE(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_scalable_try_write_lock(&raw_) || detail::wait_until(time, [this](plc_deadline_t end) {
                   return plc_rwlock_scalable_write_lock_until(&raw_, end);
               });
    }
    void unlock() noexcept PLC_RELEASE() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_scalable_write_unlock(&raw_);
    }
    /** @} */

    /** @{ */
    /** As in std::shared_timed_mutex: the shared mode. */
    void lock_shared() noexcept PLC_ACQUIRE_SHARED() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_scalable_read_lock(&raw_);
    }
    bool try_lock_shared() noexcept PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_scalable_try_read_lock(&raw_);
    }
    template <typename Rep, typename Period>
    bool try_lock_shared_for(const std::chrono::duration<Rep, Period> &duration)
        PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_scalable_try_read_lock(&raw_) ||
               plc_rwlock_scalable_read_lock_until(&raw_, deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration> &time)
        PLC_TRY_ACQUIRE_SHARED(true) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_rwlock_scalable_try_read_lock(&raw_) || detail::wait_until(time, [this](plc_deadline_t end) {
                   return plc_rwlock_scalable_read_lock_until(&raw_, end);
               });
    }
    void unlock_shared() noexcept PLC_RELEASE_SHARED() PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_scalable_read_unlock(&raw_);
    }
    /** @} */
    /** Turns an exclusive lock into a shared one without a gap. */
    void unlock_and_lock_shared() noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        plc_rwlock_scalable_downgrade(&raw_);
    }

    /** Does anybody hold it? Out of date as soon as it is known, unless the caller does. */
    bool is_locked() const noexcept {
        return plc_rwlock_scalable_is_locked(&raw_);
    }
    /** For the functions of C. */
    native_handle_type native_handle() noexcept {
        return &raw_;
    }

  private:
    plc_rwlock_scalable_t raw_ = PLC_RWLOCK_SCALABLE_INIT;
};

/** A condition variable of one word, for plc::mutex and for any other BasicLockable; but at any time all who wait use
 *  the same mutex, or none of them a plc::mutex. Waits do not end spuriously, except for wait_until on a clock that is
 *  neither std::chrono::steady_clock nor system_clock. */
class condition_variable {
  public:
    /** The C type. */
    using native_handle_type = plc_condvar_t *;

    constexpr condition_variable() noexcept = default;
    condition_variable(const condition_variable &) = delete;
    condition_variable &operator=(const condition_variable &) = delete;

    /** Returns whether anybody was waiting. */
    bool notify_one() noexcept {
        return plc_condvar_notify_one(&raw_);
    }
    /** Returns how many were waiting. */
    size_t notify_all() noexcept {
        return plc_condvar_notify_all(&raw_);
    }

    /** @{ */
    /** As in std::condition_variable_any. */
    template <typename Lock>
    void wait(Lock &lock) {
        wait_for_deadline(lock, PLC_NO_DEADLINE);
    }
    template <typename Lock, typename Predicate>
    void wait(Lock &lock, Predicate predicate) {
        while (!predicate())
            wait(lock);
    }
    template <typename Lock, typename Clock, typename Duration>
    std::cv_status wait_until(Lock &lock, const std::chrono::time_point<Clock, Duration> &time) {
        if (wait_for_deadline(lock, deadline_at(time)))
            return std::cv_status::no_timeout;
        if constexpr (!detail::is_native_clock_v<Clock>)
            if (Clock::now() < time)
                return std::cv_status::no_timeout;
        return std::cv_status::timeout;
    }
    template <typename Lock, typename Clock, typename Duration, typename Predicate>
    bool wait_until(Lock &lock, const std::chrono::time_point<Clock, Duration> &time, Predicate predicate) {
        while (!predicate())
            if (wait_until(lock, time) == std::cv_status::timeout)
                return predicate();
        return true;
    }
    template <typename Lock, typename Rep, typename Period>
    std::cv_status wait_for(Lock &lock, const std::chrono::duration<Rep, Period> &duration) {
        return wait_for_deadline(lock, deadline_after(duration)) ? std::cv_status::no_timeout : std::cv_status::timeout;
    }
    template <typename Lock, typename Rep, typename Period, typename Predicate>
    bool wait_for(Lock &lock, const std::chrono::duration<Rep, Period> &duration, Predicate predicate) {
        const plc_deadline_t end = deadline_after(duration);
        while (!predicate())
            if (!wait_for_deadline(lock, end))
                return predicate();
        return true;
    }
    /** @} */

    /** For the functions of C. */
    native_handle_type native_handle() noexcept {
        return &raw_;
    }

  private:
    bool wait_for_deadline(std::unique_lock<mutex> &lock, plc_deadline_t end) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_condvar_wait_until(&raw_, lock.mutex()->native_handle(), end);
    }
    bool wait_for_deadline(mutex &lock, plc_deadline_t end) PLC_NO_THREAD_SAFETY_ANALYSIS {
        return plc_condvar_wait_until(&raw_, lock.native_handle(), end);
    }
    template <typename Lock>
    bool wait_for_deadline(Lock &lock, plc_deadline_t end) {
        static constexpr plc_lock_ops ops = {unlock_any<Lock>, lock_any<Lock>};
        return plc_condvar_wait_any_until(&raw_, &ops, &lock, end);
    }
    /* An exception here ends the program, as it does in std::condition_variable_any. */
    template <typename Lock>
    static void unlock_any(void *lock) noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        static_cast<Lock *>(lock)->unlock();
    }
    template <typename Lock>
    static void lock_any(void *lock) noexcept PLC_NO_THREAD_SAFETY_ANALYSIS {
        static_cast<Lock *>(lock)->lock();
    }

    plc_condvar_t raw_ = PLC_CONDVAR_INIT;
};

/** What call_once needs to remember: one byte. */
class once_flag {
  public:
    /** The C type. */
    using native_handle_type = plc_once_t *;

    constexpr once_flag() noexcept = default;
    once_flag(const once_flag &) = delete;
    once_flag &operator=(const once_flag &) = delete;

    /** Has a call succeeded? One load. */
    bool is_done() const noexcept {
        return plc_once_is_done(&raw_);
    }
    /** For the functions of C. */
    native_handle_type native_handle() noexcept {
        return &raw_;
    }

  private:
    plc_once_t raw_ = PLC_ONCE_INIT;
};

/** Calls @p function unless a call for @p flag has succeeded; waits if another thread is calling. An exception leaves
 *  through here, and the next caller tries again. */
template <typename Function, typename... Args>
void call_once(once_flag &flag, Function &&function, Args &&...args) {
    if (flag.is_done())
        return;
    auto call = [&] { std::invoke(std::forward<Function>(function), std::forward<Args>(args)...); };
    plc_once_call(
        flag.native_handle(),
        [](void *context) {
            (*static_cast<decltype(call) *>(context))();
            return true;
        },
        &call);
}

} // namespace plc

#endif
