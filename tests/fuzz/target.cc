/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fuzz target: bytes become a program of operations on all subjects, each compared with its specification. */
#include "subject.h"

#include <cstddef>

#include "support/internal.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "parking_lot/table_state.h"
}
#pragma GCC diagnostic pop

namespace fuzz {

namespace {

/* Everybody has left the lot. The next program begins with the first, small table, and sees it grow: else only the first
   program of a process would. */
void forget_grown_tables() {
    struct plc_bucket_table *table = plc_current_table();
    plc_bucket_table_forget();
    while (struct plc_bucket_table *previous = table->previous) {
        size_t size = (((size_t)1 << table->bits) + 1) * sizeof(struct plc_bucket);
        size = (size + PLC_OS_MAX_PAGE_SIZE - 1) / PLC_OS_MAX_PAGE_SIZE * PLC_OS_MAX_PAGE_SIZE;
        plc_os_pages_free(table, size);
        table = previous;
    }
}

} // namespace

void run_program(const uint8_t *data, size_t size) {
    constexpr size_t longest = 400; /* a longer program finds nothing that a short one does not */
    Bytes bytes(data, size < longest ? size : longest);
    begin_program(data, size);
    std::unique_ptr<Subject> subjects[] = {make_mutex_subject(),   make_rwlock_subject(),      make_once_subject(),
                                           make_lot_subject(),     make_task_rwlock_subject(), make_task_subject(),
                                           make_deadline_subject()};
    while (!bytes.empty()) {
        /* Deadlines need little. */
        const size_t choice = bytes.below(25);
        subjects[choice == 24 ? 6 : choice % 6]->operate(bytes);
    }
    for (auto &subject : subjects) {
        while (subject->unwind()) {
        }
        subject->check_end();
    }
    forget_grown_tables();
}

} // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz::run_program(data, size);
    return 0;
}
