/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Has another program turn the addresses of a report into functions and lines. */
#ifndef PLC_OBSERVE_RENDER_H
#define PLC_OBSERVE_RENDER_H

#include <plc/detail/config.h>

/* Remembers the program that PLC_WATCH_RENDERER names. */
void render_start(void);

/* Gives the text to the renderer, which writes to fd, and waits for its end. False if it could not be done; then nothing was written.
   The process's own children, signals and descriptors are not concerned. */
bool render(const char *text, size_t length, int fd);

#endif
