/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The drop-in's once under its internal name, for C11's. */
#ifndef PLC_DROPIN_ONCE_H
#define PLC_DROPIN_ONCE_H

#include <pthread.h>

int dropin_once(pthread_once_t *control, void (*routine)(void));

#endif
