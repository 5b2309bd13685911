// SPDX-License-Identifier: MIT OR Apache-2.0
// One function per workload: each registers its cells.
#ifndef PLC_BENCH_WORKLOADS_H
#define PLC_BENCH_WORKLOADS_H

namespace plc_bench {
// `full` adds the cells that the quick matrix leaves out.
void register_uncontended();
void register_contended(bool full);
void register_rwlock(bool full);
void register_ping_pong();
void register_queue(bool full);
void register_broadcast();
void register_many_locks(bool full);
void register_once();
void register_tasks();
// Not among the others: these need a process whose lots are still small, and they leave large ones.
void register_growth();
} // namespace plc_bench
#endif
