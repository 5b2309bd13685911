/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The drop-in's probes for tracers (USDT): glibc's names and arguments, and a few of our own. One nop each while nobody traces. */
#ifndef PLC_DROPIN_PROBES_H
#define PLC_DROPIN_PROBES_H

/* Where glibc has a probe there is one of the same name, with the same arguments, the object first; so scripts that were
   written for glibc work with this library's path in place of glibc's. Two things are otherwise: mutex_release comes right
   before the mutex is given back rather than right after, so that in a trace it comes before the next one's
   mutex_acquired; and timed reading and writing have their entry, too. What is glibc's to serve (robust, shared, ...) has
   its entry here and the rest in glibc.

   glibc calls the provider libpthread up to version 2.33 and libc since. */
#ifdef DROPIN_PROBES

#ifdef __clang__
/* Left the choice, clang puts arguments into memory: that would be more than a nop. */
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>

#ifdef __clang__
/* Of sdt.h's own macros, wherever they are expanded. */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

#ifndef DROPIN_PROBE_PROVIDER
#define DROPIN_PROBE_PROVIDER libpthread
#endif

/* The provider's own name reaches the note only if it was expanded before. */
#define DROPIN_STAP1(provider, name, a) STAP_PROBE1(provider, name, a)
#define DROPIN_STAP2(provider, name, a, b) STAP_PROBE2(provider, name, a, b)
#define DROPIN_STAP3(provider, name, a, b, c) STAP_PROBE3(provider, name, a, b, c)
#define DROPIN_PROBE(name, object) DROPIN_STAP1(DROPIN_PROBE_PROVIDER, name, object)
#define DROPIN_PROBE2(name, object, b) DROPIN_STAP2(DROPIN_PROBE_PROVIDER, name, object, b)
#define DROPIN_PROBE3(name, object, b, c) DROPIN_STAP3(DROPIN_PROBE_PROVIDER, name, object, b, c)

#else

#define DROPIN_PROBE(name, object) ((void)(object))
#define DROPIN_PROBE2(name, object, b) ((void)(object), (void)(b))
#define DROPIN_PROBE3(name, object, b, c) ((void)(object), (void)(b), (void)(c))

#endif
#endif
