/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* C11's locks of libplc_pthread_debug.so: c11.c as it is, on the observed functions in place of the plain ones. */
#include "observed_cond.h"
#include "observed_mutex.h"

#include "../cond.h"
#include "../mutex.h"

#define dropin_mutex_init observed_mutex_init
#define dropin_mutex_destroy observed_mutex_destroy
#define dropin_mutex_lock observed_mutex_lock
#define dropin_mutex_trylock observed_mutex_trylock
#define dropin_mutex_timedlock observed_mutex_timedlock
#define dropin_mutex_unlock observed_mutex_unlock
#define dropin_cond_init observed_cond_init
#define dropin_cond_destroy observed_cond_destroy
#define dropin_cond_wait observed_cond_wait
#define dropin_cond_timedwait observed_cond_timedwait
#define dropin_cond_signal observed_cond_signal
#define dropin_cond_broadcast observed_cond_broadcast

#include "../c11.c" /* NOLINT(bugprone-suspicious-include): it is compiled for these names */
