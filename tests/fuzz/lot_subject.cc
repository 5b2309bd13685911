/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The parking lot, exactly: queues of tokens by key.
 *
 * Specification: a park joins its key's queue at the back, or in front if asked to; unparks, filters and requeues take
 * from the front, in order; callbacks are told what is done. */
#include <algorithm>
#include <deque>
#include <plc/parking_lot.h>
#include <vector>

#include "subject.h"
#include "support/lot_probe.h"

namespace fuzz {

namespace {

constexpr size_t key_count = 6;
constexpr plc_deadline_t past = {INT64_MIN, PLC_CLOCK_MONOTONIC};

struct Parked {
    Actor *actor;
    uintptr_t token;
    std::shared_ptr<plc_park_result> result = std::make_shared<plc_park_result>();
};
using Queue = std::deque<Parked>;

class LotSubject final : public Subject {
  public:
    void operate(Bytes &bytes) override {
        const size_t key = bytes.below(key_count);
        switch (bytes.below(10)) {
        case 0:
        case 1:
        case 2:
        case 3:
            park(key, bytes.next(), bytes.below(4));
            break;
        case 4:
            park_until_past(key, bytes.flag());
            break;
        case 5:
            unpark_one(key, bytes.next());
            break;
        case 6:
            unpark_all(key, bytes.next());
            break;
        case 7:
            filter(key, bytes);
            break;
        default:
            requeue(key, bytes.below(key_count), static_cast<plc_requeue_op>(bytes.below(6)), bytes.next());
        }
        check_queues();
    }
    bool unwind() override {
        for (size_t key = 0; key < key_count; ++key) {
            if (!queues_[key].empty()) {
                unpark_all(key, 0);
                return true;
            }
        }
        return false;
    }
    void check_end() override {
        check_queues();
    }

  private:
    const char *address(size_t key) const {
        return &keys_[key];
    }

    /* ---- Parking */

    void park(size_t key, uintptr_t token, size_t flags) {
        Actor *actor = idle_actor();
        if (!actor)
            return;
        note("lot: park on %zu, token %zu, flags %zu", key, size_t{token}, flags);
        const bool in_front = (flags & PLC_PARK_AT_FRONT) != 0;
        const Parked parked = {actor, token};
        actor->start([at = address(key), token, flags, result = parked.result] {
            plc_park_ops ops = {};
            ops.flags = static_cast<unsigned>(flags);
            *result = plc_park(at, &ops, nullptr, token, PLC_NO_DEADLINE);
        });
        if (in_front)
            queues_[key].push_front(parked);
        else
            queues_[key].push_back(parked);
        wait_until("a park", [&] { return plc_test::parked_count(address(key)) == queues_[key].size(); });
    }
    struct Past {
        bool is_valid;
        unsigned slept = 0;
        unsigned late = 0;
        const void *key = nullptr;
        bool was_last = false;
    };
    void park_until_past(size_t key, bool is_valid) {
        note("lot: park on %zu until the past, %s", key, is_valid ? "valid" : "invalid");
        Past self = {is_valid};
        plc_park_ops ops = {};
        ops.validate = [](void *context) { return static_cast<Past *>(context)->is_valid; };
        ops.before_sleep = [](void *context) { ++static_cast<Past *>(context)->slept; };
        ops.timed_out = [](void *context, const void *at, bool was_last) {
            auto *past_self = static_cast<Past *>(context);
            ++past_self->late;
            past_self->key = at;
            past_self->was_last = was_last;
        };
        const plc_park_result result = plc_park(address(key), &ops, &self, 0, past);
        expect("status of a park until the past", result.status, is_valid ? PLC_PARK_TIMED_OUT : PLC_PARK_INVALID);
        expect("calls of before_sleep", self.slept, is_valid);
        expect("calls of timed_out", self.late, is_valid);
        if (is_valid) {
            expect("the key of timed_out", self.key == address(key), true);
            expect("was_last", self.was_last, queues_[key].empty());
        }
    }

    /* ---- Unparking */

    struct Told {
        uintptr_t token;
        plc_unpark_result result = {};
        int op = -1;
    };
    static uintptr_t tell(void *context, plc_unpark_result result) {
        auto *told = static_cast<Told *>(context);
        told->result = result;
        return told->token;
    }
    static void expect_result(plc_unpark_result actual, size_t unparked, size_t requeued, bool have_more) {
        expect("unparked", static_cast<long>(actual.unparked), static_cast<long>(unparked));
        expect("requeued", static_cast<long>(actual.requeued), static_cast<long>(requeued));
        expect("have_more", actual.have_more, have_more);
    }
    static void arrived(const Parked &parked, uintptr_t token) {
        wait_until("an unparked thread", [&parked] { return parked.actor->is_done(); });
        expect("status of a park", parked.result->status, PLC_PARK_UNPARKED);
        expect("token of a wake", static_cast<long>(parked.result->token), static_cast<long>(token));
        parked.actor->rest();
    }
    Queue take(Queue &queue, size_t count) {
        Queue taken;
        while (taken.size() < count && !queue.empty()) {
            taken.push_back(queue.front());
            queue.pop_front();
        }
        return taken;
    }
    void unpark_one(size_t key, uintptr_t token) {
        note("lot: unpark_one of %zu", key);
        Told told = {token};
        const Queue woken = take(queues_[key], 1);
        const plc_unpark_result result = plc_unpark_one(address(key), tell, &told);
        expect_result(result, woken.size(), 0, !queues_[key].empty());
        expect_result(told.result, woken.size(), 0, !queues_[key].empty());
        for (const Parked &parked : woken)
            arrived(parked, token);
    }
    void unpark_all(size_t key, uintptr_t token) {
        note("lot: unpark_all of %zu", key);
        const Queue woken = take(queues_[key], SIZE_MAX);
        expect("unpark_all", static_cast<long>(plc_unpark_all(address(key), token)), static_cast<long>(woken.size()));
        for (const Parked &parked : woken)
            arrived(parked, token);
    }
    struct Filter {
        Told told; /* first: the callback takes it for a Told */
        std::vector<uint8_t> answers;
        std::vector<uintptr_t> seen;
    };
    static plc_filter_op answer(void *context, uintptr_t token) {
        auto *self = static_cast<Filter *>(context);
        const size_t index = self->seen.size();
        self->seen.push_back(token);
        return static_cast<plc_filter_op>(index < self->answers.size() ? self->answers[index] : 0);
    }
    void filter(size_t key, Bytes &bytes) {
        Queue &queue = queues_[key];
        Filter self;
        self.told.token = bytes.next();
        for (size_t i = 0; i < queue.size(); ++i)
            self.answers.push_back(static_cast<uint8_t>(bytes.below(3)));
        self.seen.reserve(queue.size() + 1); /* no malloc under a bucket lock */
        note("lot: unpark_filter of %zu, %zu are parked", key, queue.size());
        std::vector<uintptr_t> seen;
        Queue woken;
        Queue left;
        bool stopped = false;
        for (size_t i = 0; i < queue.size(); ++i) {
            const bool leaves = stopped || self.answers[i] != PLC_FILTER_UNPARK;
            if (!stopped)
                seen.push_back(queue[i].token);
            stopped = stopped || self.answers[i] == PLC_FILTER_STOP;
            (leaves ? left : woken).push_back(queue[i]);
        }
        queue = left;
        const plc_unpark_result result = plc_unpark_filter(address(key), answer, tell, &self);
        expect_result(result, woken.size(), 0, !left.empty());
        expect_result(self.told.result, woken.size(), 0, !left.empty());
        if (self.seen != seen)
            mismatch("a filter has seen other tokens than it should");
        for (const Parked &parked : woken)
            arrived(parked, self.told.token);
    }
    void requeue(size_t from, size_t to, plc_requeue_op op, uintptr_t token) {
        note("lot: unpark_requeue of %zu to %zu, operation %d", from, to, op);
        struct Choice {
            Told told;
            plc_requeue_op op;
        } choice = {{token}, op};
        const bool wakes_one = op == PLC_REQUEUE_WAKE_ONE || op == PLC_REQUEUE_WAKE_ONE_MOVE_REST;
        const bool moves_all = op == PLC_REQUEUE_ALL || op == PLC_REQUEUE_WAKE_ONE_MOVE_REST;
        const Queue woken = take(queues_[from], wakes_one ? 1 : op == PLC_REQUEUE_WAKE_ALL ? SIZE_MAX : 0);
        const Queue moved = take(queues_[from], op == PLC_REQUEUE_ONE ? 1 : moves_all ? SIZE_MAX : 0);
        const bool have_more = op != PLC_REQUEUE_ABORT && !queues_[from].empty();
        const plc_unpark_result result = plc_unpark_requeue(
            address(from), address(to), [](void *context) { return static_cast<Choice *>(context)->op; },
            [](void *context, plc_requeue_op done, plc_unpark_result what) {
                static_cast<Choice *>(context)->told.op = done;
                return tell(context, what);
            },
            &choice);
        expect_result(result, woken.size(), moved.size(), have_more);
        expect("the callback of a requeue", choice.told.op, op == PLC_REQUEUE_ABORT ? -1 : op);
        if (op != PLC_REQUEUE_ABORT)
            expect_result(choice.told.result, woken.size(), moved.size(), have_more);
        queues_[to].insert(queues_[to].end(), moved.begin(), moved.end());
        for (const Parked &parked : woken)
            arrived(parked, token);
    }

    /* ---- The queues, token by token */

    /* Looks into a queue without waking anybody. */
    struct Look {
        uintptr_t tokens[16];
        size_t count;
    };
    static plc_filter_op look(void *context, uintptr_t token) {
        auto *self = static_cast<Look *>(context);
        self->tokens[self->count++ % 16] = token;
        return PLC_FILTER_SKIP;
    }
    void check_queues() {
        for (size_t key = 0; key < key_count; ++key) {
            Look seen = {};
            plc_unpark_filter(address(key), look, nullptr, &seen);
            const Queue &queue = queues_[key];
            bool is_right = seen.count == queue.size();
            for (size_t i = 0; is_right && i < queue.size(); ++i)
                is_right = seen.tokens[i] == queue[i].token && !queue[i].actor->is_done();
            if (!is_right)
                mismatch("lot: the queue of key %zu is not as it should be: %zu are parked", key, seen.count);
        }
    }

    Queue queues_[key_count];
    char keys_[key_count] = {};
};

} // namespace

std::unique_ptr<Subject> make_lot_subject() {
    return std::make_unique<LotSubject>();
}

} // namespace fuzz
