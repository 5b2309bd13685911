/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The reader-writer lock's modes by name, and threads that hold it in one. */
#ifndef PLC_TESTS_SUPPORT_RWLOCK_HOLDER_H
#define PLC_TESTS_SUPPORT_RWLOCK_HOLDER_H

#include <atomic>
#include <initializer_list>
#include <memory>
#include <plc/rwlock.h>
#include <thread>
#include <vector>

#include "support/rwlock_peek.h"

namespace plc_test {

enum class Mode { read, recursive_read, upgradable, write };

inline void lock(plc_rwlock_t *lock, Mode mode) {
    switch (mode) {
    case Mode::read:
        return plc_rwlock_read_lock(lock);
    case Mode::recursive_read:
        return plc_rwlock_recursive_read_lock(lock);
    case Mode::upgradable:
        return plc_rwlock_upgradable_lock(lock);
    case Mode::write:
        return plc_rwlock_write_lock(lock);
    }
}

inline void unlock(plc_rwlock_t *lock, Mode mode) {
    switch (mode) {
    case Mode::read:
    case Mode::recursive_read:
        return plc_rwlock_read_unlock(lock);
    case Mode::upgradable:
        return plc_rwlock_upgradable_unlock(lock);
    case Mode::write:
        return plc_rwlock_write_unlock(lock);
    }
}

inline bool try_lock(plc_rwlock_t *lock, Mode mode) {
    switch (mode) {
    case Mode::read:
        return plc_rwlock_try_read_lock(lock);
    case Mode::recursive_read:
        return plc_rwlock_try_recursive_read_lock(lock);
    case Mode::upgradable:
        return plc_rwlock_try_upgradable_lock(lock);
    case Mode::write:
        return plc_rwlock_try_write_lock(lock);
    }
    return false;
}

constexpr Mode all_modes[] = {Mode::read, Mode::recursive_read, Mode::upgradable, Mode::write};

/* A thread that takes the lock in a mode, keeps it until it is told to let go, and says where it is. */
class Holder {
  public:
    Holder(plc_rwlock_t &lock, Mode mode)
        : thread_([this, &lock, mode] {
              plc_test::lock(&lock, mode);
              has_it_ = true;
              wait_until([this] { return let_go_.load(); });
              plc_test::unlock(&lock, mode);
          }) {}
    ~Holder() {
        release();
    }
    bool has_it() const {
        return has_it_;
    }
    void wait_for_it() const {
        wait_until([this] { return has_it(); });
    }
    void let_go() {
        let_go_ = true;
    }
    void release() {
        let_go();
        if (thread_.joinable())
            thread_.join();
    }

  private:
    std::atomic<bool> has_it_{false}, let_go_{false};
    std::thread thread_;
};

/* Holders that queue one after the other for a lock that keeps them all out. */
inline std::vector<std::unique_ptr<Holder>> queue_up(plc_rwlock_t &lock, std::initializer_list<Mode> modes) {
    std::vector<std::unique_ptr<Holder>> holders;
    for (Mode mode : modes) {
        holders.push_back(std::make_unique<Holder>(lock, mode));
        wait_queued(lock, holders.size());
    }
    return holders;
}

/* All let go before any is waited for: they may depend on each other. */
inline void finish(std::vector<std::unique_ptr<Holder>> &holders) {
    for (auto &holder : holders)
        holder->let_go();
    holders.clear();
}

} // namespace plc_test

#endif
