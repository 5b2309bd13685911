/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Objects that are freed by the last one who used them, at once, while others are on the last instructions of their
   unlock; their memory becomes another object right away. */
#include <cstdlib>
#include <cstring>
#include <plc/mutex.h>
#include <plc/rwlock.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

/* A mutex or a read-write lock that guards the number of those who still need it. */
struct Disposable {
    union {
        plc_mutex_t mutex;
        plc_rwlock_t rwlock;
    };
    bool is_rwlock;
    size_t users;
    size_t uses;
};

void lock(Disposable *object) {
    object->is_rwlock ? plc_rwlock_write_lock(&object->rwlock) : plc_mutex_lock(&object->mutex);
}

void unlock(Disposable *object, bool is_rwlock, bool fair) {
    if (is_rwlock)
        fair ? plc_rwlock_write_unlock_fair(&object->rwlock) : plc_rwlock_write_unlock(&object->rwlock);
    else
        fair ? plc_mutex_unlock_fair(&object->mutex) : plc_mutex_unlock(&object->mutex);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#elif defined(__has_feature)
constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool is_sanitized = false;
#endif

/* One place for an object, which is replaced from time to time. Freed memory is filled with a pattern and used again as
   soon as possible; a sanitizer knows better what is wrong with a late access, so there it goes back to malloc. */
class Place {
  public:
    Place() : object_(make(false)) {}
    ~Place() {
        std::free(object_);
        std::free(spare_);
    }
    Place(const Place &) = delete;
    Place &operator=(const Place &) = delete;

    void operate(Worker &worker, Random &random) {
        const bool replace = random.one_in(4);
        worker.at("disposable: borrow or replace", this);
        plc_mutex_lock(&mutex_);
        guarded_.enter(worker.index(), this);
        Disposable *object = object_;
        if (replace) {
            object_ = make(random.one_in(2)); /* the place's own use goes on to the caller */
        } else {
            lock(object);
            ++object->users;
            unlock(object, object->is_rwlock, random.one_in(4));
        }
        guarded_.leave(worker.index(), this);
        plc_mutex_unlock(&mutex_);
        use(worker, random, object);
    }
    void check() {
        guarded_.check(this);
        if (object_->users != 1)
            fail("disposable %p was left with %zu users", static_cast<void *>(object_), object_->users);
    }

  private:
    static constexpr int pattern = 0x5a; /* ones and zeros where locks have their bits */

    /* With the place locked. */
    Disposable *make(bool is_rwlock) {
        void *memory = spare_ ? spare_ : std::malloc(sizeof(Disposable));
        if (!memory)
            fail("no memory");
        if (spare_) {
            for (size_t i = 0; i < sizeof(Disposable); ++i) {
                if (static_cast<const unsigned char *>(memory)[i] != pattern)
                    fail("byte %zu of freed lock %p was written to", i, memory);
            }
        }
        spare_ = nullptr;
        std::memset(memory, 0, sizeof(Disposable));
        auto *object = static_cast<Disposable *>(memory);
        object->is_rwlock = is_rwlock;
        object->users = 1;
        return object;
    }
    void use(Worker &worker, Random &random, Disposable *object) {
        const bool fair = random.one_in(4);
        worker.at("disposable: use", object);
        lock(object);
        ++object->uses;
        const bool is_rwlock = object->is_rwlock; /* no look at it after the unlock */
        const bool is_last = --object->users == 0;
        unlock(object, is_rwlock, fair);
        if (is_last)
            dispose(worker, object);
    }
    void dispose(Worker &worker, Disposable *object) {
        if (is_sanitized) {
            std::free(object);
            return;
        }
        std::memset(static_cast<void *>(object), pattern, sizeof *object);
        worker.at("disposable: free", this);
        plc_mutex_lock(&mutex_);
        guarded_.enter(worker.index(), this);
        void *surplus = spare_;
        spare_ = object;
        guarded_.leave(worker.index(), this);
        plc_mutex_unlock(&mutex_);
        std::free(surplus);
    }

    plc_mutex_t mutex_ = PLC_MUTEX_INIT;
    Guarded guarded_;
    void *spare_ = nullptr;
    Disposable *object_;
};

class Disposables final : public Part {
  public:
    explicit Disposables(const Configuration &configuration)
        : count_(configuration.objects), places_(std::make_unique<Place[]>(count_)) {}

    void operate(Worker &worker, Random &random) override {
        places_[random.below(count_)].operate(worker, random);
    }
    void check() override {
        for (size_t i = 0; i < count_; ++i)
            places_[i].check();
    }

  private:
    size_t count_;
    std::unique_ptr<Place[]> places_;
};

} // namespace

std::unique_ptr<Part> make_disposables(const Configuration &configuration) {
    return std::make_unique<Disposables>(configuration);
}

} // namespace torture
