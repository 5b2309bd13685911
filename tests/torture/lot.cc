/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parking lot itself: parking in all ways, unparking, filtering and requeueing among a group of keys; and a semaphore
   built on it. */
#include <plc/parking_lot.h>
#include <vector>

#include "part.h"

namespace torture {

namespace {

/* Tokens say that they are such, so that a wake with any other is noticed. */
constexpr uintptr_t token_base = 1'000'000;

class Keys final : public Part {
  public:
    explicit Keys(const Configuration &configuration) : keys_(configuration.objects * 2 + 2) {}

    void operate(Worker &worker, Random &random) override {
        const size_t choice = random.below(10);
        const char *key = some_key(random);
        switch (choice) {
        case 0:
            return unpark_one(worker, random, key);
        case 1:
            worker.at("lot: unpark_all", key);
            return sent(plc_unpark_all(key, token_base), token_base);
        case 2:
            return filter(worker, random, key);
        case 3:
        case 4:
            return requeue(worker, random, key, some_key(random));
        case 5:
        case 6:
            if (worker.sleepers().may_sleep()) {
                park(worker, random, key, far(random), true);
                worker.sleepers().woke();
            }
            return;
        default:
            park(worker, random, key, soon(random), false);
        }
    }
    void serve(Worker &) override {
        for (const char &key : keys_)
            sent(plc_unpark_all(&key, token_base), token_base);
    }
    void check() override {
        if (sent_ != received_ || sent_tokens_ != received_tokens_)
            fail("lot: %zu wakes with tokens of %zu were sent, %zu with %zu arrived", sent_.load(), sent_tokens_.load(),
                 received_.load(), received_tokens_.load());
        for (const char &key : keys_) {
            if (plc_unpark_all(&key, token_base) != 0)
                fail("lot: somebody was still parked on %p", static_cast<const void *>(&key));
        }
    }
    void in_child() override {
        for (const char &key : keys_) {
            if (plc_unpark_all(&key, token_base) != 0)
                fail("lot: a thread of the parent is parked in the child, on %p", static_cast<const void *>(&key));
        }
        Random random(1);
        const plc_park_ops nothing = {};
        if (plc_park(&keys_[0], &nothing, nullptr, 0, soon(random)).status != PLC_PARK_TIMED_OUT)
            fail("lot: a park in the child was unparked");
    }

  private:
    const char *some_key(Random &random) {
        return &keys_[random.below(keys_.size())];
    }
    void sent(size_t count, uintptr_t token) {
        sent_.fetch_add(count, std::memory_order_relaxed);
        sent_tokens_.fetch_add(count * token, std::memory_order_relaxed);
    }

    /* ---- Parking */

    struct Park {
        Keys *keys;
        bool is_valid;
        unsigned validated;
        unsigned slept;
        unsigned timed_out;
        sig_atomic_t outside;
    };
    static bool validate(void *context) {
        Park *self = static_cast<Park *>(context);
        ++self->validated;
        return self->is_valid;
    }
    static void before_sleep(void *context) {
        ++static_cast<Park *>(context)->slept;
    }
    static void timed_out(void *context, const void *key, bool) {
        Park *self = static_cast<Park *>(context);
        const char *first = self->keys->keys_.data();
        if (static_cast<const char *>(key) < first ||
            static_cast<const char *>(key) >= first + self->keys->keys_.size())
            fail("lot: timed out on a strange key, %p", key);
        ++self->timed_out;
    }
    /* Handlers may use the lot while the thread sleeps in it. */
    static void wait_begin(void *context) {
        static_cast<Park *>(context)->outside = OutsideTheLibrary::set(1);
    }
    static void wait_end(void *context) {
        OutsideTheLibrary::set(static_cast<Park *>(context)->outside);
    }

    void park(Worker &worker, Random &random, const char *key, plc_deadline_t deadline, bool until_woken) {
        Park self = {this, !random.one_in(8), 0, 0, 0, 0};
        plc_park_ops ops = {};
        ops.validate = validate;
        ops.before_sleep = before_sleep;
        ops.timed_out = timed_out;
        if (random.one_in(2)) {
            ops.wait_begin = wait_begin;
            ops.wait_end = wait_end;
        }
        ops.flags = static_cast<unsigned>(random.below(4)); /* at the front or not, spinning or not */
        worker.at(until_woken ? "lot: park until woken" : "lot: park for a while", key);
        const plc_park_result result = plc_park(key, &ops, &self, random.below(4), deadline);
        const bool invalid = result.status == PLC_PARK_INVALID;
        const bool late = result.status == PLC_PARK_TIMED_OUT;
        if (self.validated != 1 || self.slept != (invalid ? 0u : 1u) || self.timed_out != (late ? 1u : 0u) ||
            invalid == self.is_valid)
            fail("lot: a park on %p ended with %d, and callbacks ran %u %u %u times", static_cast<const void *>(key),
                 result.status, self.validated, self.slept, self.timed_out);
        if (late && until_woken)
            fail("lot: a park on %p timed out long before its deadline", static_cast<const void *>(key));
        if (late)
            check_time_out(deadline, "park", key);
        if (result.status == PLC_PARK_UNPARKED)
            received(result.token);
        else if (result.token != 0)
            fail("lot: a park that nobody ended has token %zu", size_t{result.token});
    }
    void received(uintptr_t token) {
        if (token < token_base || token >= token_base + 100)
            fail("lot: a wake with the wrong token %zu", size_t{token});
        received_.fetch_add(1, std::memory_order_relaxed);
        received_tokens_.fetch_add(token, std::memory_order_relaxed);
    }

    /* ---- Unparking. A callback is told beforehand what the call returns afterwards. */

    struct Unpark {
        uintptr_t token;
        plc_unpark_result told;
        plc_filter_op answers[4];
        plc_requeue_op op;
        size_t chosen; /* by the filter */
    };
    static uintptr_t give_token(void *context, plc_unpark_result result) {
        Unpark *self = static_cast<Unpark *>(context);
        self->told = result;
        return self->token;
    }
    void check_told(const Unpark &self, plc_unpark_result result) {
        if (self.told.unparked != result.unparked || self.told.requeued != result.requeued ||
            self.told.have_more != result.have_more || self.told.be_fair != result.be_fair)
            fail("lot: a callback was told other than the caller");
        sent(result.unparked, self.token);
    }
    Unpark some_unpark(Random &random) {
        Unpark self = {};
        self.token = token_base + random.below(100);
        for (plc_filter_op &answer : self.answers)
            answer = static_cast<plc_filter_op>(random.below(3));
        self.op = static_cast<plc_requeue_op>(random.below(6));
        return self;
    }
    void unpark_one(Worker &worker, Random &random, const char *key) {
        Unpark self = some_unpark(random);
        worker.at("lot: unpark_one", key);
        check_told(self, plc_unpark_one(key, give_token, &self));
    }
    static plc_filter_op answer(void *context, uintptr_t park_token) {
        if (park_token > 3)
            fail("lot: a filter sees the strange token %zu", size_t{park_token});
        Unpark *self = static_cast<Unpark *>(context);
        self->chosen += self->answers[park_token] == PLC_FILTER_UNPARK ? 1 : 0;
        return self->answers[park_token];
    }
    void filter(Worker &worker, Random &random, const char *key) {
        Unpark self = some_unpark(random);
        worker.at("lot: unpark_filter", key);
        check_told(self, plc_unpark_filter(key, answer, give_token, &self));
        if (self.told.unparked != self.chosen)
            fail("lot: a filter chose %zu threads, and %zu were woken", self.chosen, self.told.unparked);
    }
    static plc_requeue_op choose(void *context) {
        return static_cast<Unpark *>(context)->op;
    }
    static uintptr_t give_requeue_token(void *context, plc_requeue_op op, plc_unpark_result result) {
        if (op != static_cast<Unpark *>(context)->op)
            fail("lot: another requeue than was asked for");
        return give_token(context, result);
    }
    void requeue(Worker &worker, Random &random, const char *from, const char *to) {
        Unpark self = some_unpark(random);
        worker.at("lot: unpark_requeue", from);
        check_told(self, plc_unpark_requeue(from, to, choose, give_requeue_token, &self));
    }

    std::vector<char> keys_;
    std::atomic<size_t> sent_{0};
    std::atomic<size_t> received_{0};
    std::atomic<uintptr_t> sent_tokens_{0};
    std::atomic<uintptr_t> received_tokens_{0};
};

/* A semaphore of units that are taken for a moment: everybody who sleeps is woken by one who gives a unit back. */
class Semaphore {
  public:
    void operate(Worker &worker, Random &random) {
        worker.at("semaphore: take", this);
        while (!try_take())
            plc_park(this, &ops, this, 0, PLC_NO_DEADLINE);
        if (inside_.fetch_add(1, std::memory_order_relaxed) >= units)
            fail("semaphore %p: more than %d inside", static_cast<void *>(this), units);
        work(random);
        inside_.fetch_sub(1, std::memory_order_relaxed);
        worker.at("semaphore: give", this);
        free_.fetch_add(1, std::memory_order_acq_rel);
        plc_unpark_one(this, nullptr, nullptr);
    }
    void check() const {
        if (free_ != units)
            fail("semaphore %p: %d units are left of %d", static_cast<const void *>(this), free_.load(), units);
    }

  private:
    static constexpr int units = 2;
    static bool is_empty(void *context) {
        return static_cast<Semaphore *>(context)->free_.load(std::memory_order_relaxed) == 0;
    }
    static constexpr plc_park_ops ops = {is_empty, nullptr, nullptr, nullptr, nullptr, 0};

    bool try_take() {
        int free = free_.load(std::memory_order_relaxed);
        while (free > 0) {
            if (free_.compare_exchange_weak(free, free - 1, std::memory_order_acquire))
                return true;
        }
        return false;
    }
    std::atomic<int> free_{units};
    std::atomic<int> inside_{0};
};

class Semaphores final : public Part {
  public:
    explicit Semaphores(const Configuration &configuration) : semaphores_(configuration.objects) {}
    void operate(Worker &worker, Random &random) override {
        semaphores_[random.below(semaphores_.size())].operate(worker, random);
    }
    void check() override {
        for (Semaphore &semaphore : semaphores_)
            semaphore.check();
    }

  private:
    std::vector<Semaphore> semaphores_;
};

} // namespace

std::unique_ptr<Part> make_lot(const Configuration &configuration) {
    return std::make_unique<Keys>(configuration);
}

std::unique_ptr<Part> make_semaphores(const Configuration &configuration) {
    return std::make_unique<Semaphores>(configuration);
}

} // namespace torture
