/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is fuzzed: objects of libplc beside a sequential specification of them. */
#ifndef PLC_TESTS_FUZZ_SUBJECT_H
#define PLC_TESTS_FUZZ_SUBJECT_H

#include <memory>

#include "actors.h"
#include "bytes.h"

namespace fuzz {

/* The specification says which operations cannot block now: these are done at once. All others are an actor's, and the
   harness waits until everything is at rest: every operation has ended, or waits in the lot where the specification says
   so. Whatever the specification leaves open (who comes first of several that were let go together) is looked at and
   checked against what it allows. */
class Subject {
  public:
    virtual ~Subject() = default;
    /* Does one operation that the bytes choose, and waits for rest. */
    virtual void operate(Bytes &bytes) = 0;
    /* Ends one thing that would keep the program from ending; false: there is none left. */
    virtual bool unwind() = 0;
    /* At the end: nothing is left behind. */
    virtual void check_end() = 0;
};

std::unique_ptr<Subject> make_mutex_subject();
std::unique_ptr<Subject> make_rwlock_subject();
std::unique_ptr<Subject> make_once_subject();
std::unique_ptr<Subject> make_lot_subject();
std::unique_ptr<Subject> make_deadline_subject();
std::unique_ptr<Subject> make_task_subject();
std::unique_ptr<Subject> make_task_rwlock_subject();

/* An operation that an actor was given and that has not ended. */
struct Pending {
    Actor *actor;
    int mode;     /* the subject's own */
    size_t since; /* the step in which it began to wait: what waits longer comes first */
    std::shared_ptr<int> result = std::make_shared<int>(-1);
    bool in_any_order = false; /* is woken together with others, and competes as if it had come just then */
};

/* Compares a result that the specification foretells. */
inline void expect(const char *what, long actual, long expected) {
    if (actual != expected)
        mismatch("%s: %ld, but the specification says %ld", what, actual, expected);
}

/* Runs a program to its end. */
void run_program(const uint8_t *data, size_t size);

} // namespace fuzz

#endif
