/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sleeping on a word: the kernel does it. */
#include <limits.h>

#include "platform/platform.h"
#include "task/word_wait.h"

bool plc_word_wait(uint32_t *word, uint32_t expected, plc_deadline_t deadline) {
    return plc_os_futex_wait(word, expected, deadline);
}

void plc_word_wake_one(uint32_t *word) {
    plc_os_futex_wake(word, 1);
}

void plc_word_wake_all(uint32_t *word) {
    plc_os_futex_wake(word, INT_MAX);
}
