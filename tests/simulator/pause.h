/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Included before each simulated source: its pauses take the simulator's time. */
#ifndef PLC_SIMULATOR_PAUSE_H
#define PLC_SIMULATOR_PAUSE_H
void sim_pause(void);
#define __builtin_ia32_pause() sim_pause()
#endif
