/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Two threads that take the same driver parker for theirs: reported. */
#include "driver_parker.h"

static void park_on_the_same(int self) {
    (void)self;
    park(0);
}

MC_SCENARIOS({.name = "driver parker: two owners" ON,
              .setup = share_driver,
              .threads = 2,
              .thread = park_on_the_same,
              .expect = MC_ASSERTION,
              .says = "another thread is parked"});
