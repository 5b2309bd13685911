// SPDX-License-Identifier: MIT OR Apache-2.0
// Locks that nobody else wants: nanoseconds per pair of calls.
#include "workloads/workloads.h"

#include "harness/registry.h"

namespace plc_bench {
void register_uncontended() {
    register_loop_cell("uncontended/lock_unlock", &plc_bench_peer::lock_unlock);
    register_loop_cell("uncontended/try_lock_unlock", &plc_bench_peer::try_lock_unlock);
    register_loop_cell("uncontended/try_lock_held", &plc_bench_peer::try_lock_held);
    register_loop_cell("uncontended/read_unlock", &plc_bench_peer::read_unlock);
    register_loop_cell("uncontended/write_unlock", &plc_bench_peer::write_unlock);
    register_loop_cell("uncontended/once_done", &plc_bench_peer::once_done);
}
} // namespace plc_bench
