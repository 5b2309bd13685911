/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scenarios whose threads all run on one processor, which decides where a notification under the lock leads. */
#ifndef PLC_MODEL_PROCESSORS_H
#define PLC_MODEL_PROCESSORS_H

#include "lot.h"
#include "platform/platform.h"

static uint32_t processor = PLC_OS_UNKNOWN_PROCESSOR;

uint32_t model_processor(int thread);
uint32_t model_processor(int thread) {
    (void)thread;
    return processor;
}

static inline void one_processor_setup(void) {
    lot_setup();
    processor = 0;
}

#endif
