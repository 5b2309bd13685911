// SPDX-License-Identifier: MIT OR Apache-2.0
// libplc's loops of what threads and tasks park on.
#ifndef PLC_BENCH_LIBPLC_TASKS_H
#define PLC_BENCH_LIBPLC_TASKS_H

#include "harness/abi.h"

namespace plc_bench {
void add_tasks(plc_bench_peer &table);
} // namespace plc_bench
#endif
