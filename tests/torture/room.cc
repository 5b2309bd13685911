/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What happens in every room, whatever its locks are. */
#include "room.h"

namespace torture {

void Room::operate(Worker &worker, Random &random) {
    if (random.one_in(2) || !doors_.enter())
        return help(worker, random);
    use(worker, random);
    if (random.one_in(64))
        doors_.close();
    leave(worker);
}

void Room::help(Worker &worker, Random &random) {
    if (!doors_.enter_to_help())
        return;
    worker.at("room: poll tasks", this);
    size_t polls = 0;
    const size_t first = random.below(guests_.size());
    for (size_t i = 0; i < guests_.size() && polls < 4; ++i)
        polls += guests_[(first + i) % guests_.size()]->run_at_random();
    if (random.one_in(8))
        guests_[first]->recover();
    leave(worker);
}

void Room::leave(Worker &worker) {
    if (!doors_.leave())
        return;
    worker.at("room: close down", this);
    close_down();
}

/* A leaked task may keep tasks and notifications to itself, so it is brought back; but not while a thread should have
   got the lock in spite of it. */
void Room::serve(Worker &worker) {
    if (!doors_.enter_to_help())
        return;
    worker.at("room: serve", this);
    for (auto &guest : guests_)
        guest->run();
    serve_threads(worker);
    if (sleeping_threads_.load(std::memory_order_relaxed) == 0 || is_locked()) {
        for (auto &guest : guests_)
            guest->recover();
    }
    leave(worker);
}

void Room::run_all() {
    bool any = true;
    while (any) {
        any = false;
        for (auto &guest : guests_) {
            if (guest->is_due() && !guest->is_idle())
                any = guest->run() || any;
        }
    }
}

void Room::close_down() {
    doors_.close();
    for (auto &guest : guests_)
        guest->recover();
    run_all();
    check_and_release();
    run_all();
    for (auto &guest : guests_) {
        if (!guest->is_idle())
            fail("task %zu was not woken: nothing keeps it out any more", guest->index());
        guest->check_idle();
    }
    renew();
    doors_.reopen();
}

void Room::in_child() {
    for (auto &guest : guests_)
        guest->in_child();
}

} // namespace torture
