/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tells ThreadSanitizer about locks when the *user's* code is built with it and libplc is not. */
#ifndef PLC_DETAIL_TSAN_H
#define PLC_DETAIL_TSAN_H

/* The fast paths are inlined and so instrumented; the slow paths are in the plain library, where ThreadSanitizer sees
   nothing. Without these calls it would miss their ordering and report races that are none. libplc's own
   ThreadSanitizer builds define PLC_NO_TSAN_ANNOTATIONS: there everything is instrumented, and announcing a lock would
   hide its inside. */
#if defined(__SANITIZE_THREAD__)
#define PLC_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLC_TSAN_ 1
#endif
#endif

#if defined(PLC_TSAN_) && !defined(PLC_NO_TSAN_ANNOTATIONS)

#ifdef __cplusplus
extern "C" {
#endif
void __tsan_mutex_pre_lock(void *address, unsigned flags);
void __tsan_mutex_post_lock(void *address, unsigned flags, int recursion);
int __tsan_mutex_pre_unlock(void *address, unsigned flags);
void __tsan_mutex_post_unlock(void *address, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#ifdef __cplusplus
}
#endif

/* Values of sanitizer/tsan_interface.h: a lock that needs no creation, in read mode, a try, a try that failed. */
#define PLC_TSAN_WRITE 0x1u
#define PLC_TSAN_READ (0x1u | 0x8u)
#define PLC_TSAN_TRY 0x10u
#define PLC_TSAN_TRY_FAILED (0x10u | 0x20u)
#define plc_tsan_pre_lock(lock, flags) __tsan_mutex_pre_lock((void *)(lock), (flags))
#define plc_tsan_post_lock(lock, flags) __tsan_mutex_post_lock((void *)(lock), (flags), 0)
#define plc_tsan_post_try(lock, flags, taken)                                                                          \
    __tsan_mutex_post_lock((void *)(lock), (flags) | ((taken) ? PLC_TSAN_TRY : PLC_TSAN_TRY_FAILED), 0)
#define plc_tsan_pre_unlock(lock, flags) ((void)__tsan_mutex_pre_unlock((void *)(lock), (flags)))
#define plc_tsan_post_unlock(lock, flags) __tsan_mutex_post_unlock((void *)(lock), (flags))
#define plc_tsan_acquire(object) __tsan_acquire((void *)(object))
#define plc_tsan_release(object) __tsan_release((void *)(object))

#else

#define PLC_TSAN_WRITE 0u
#define PLC_TSAN_READ 0u
#define PLC_TSAN_TRY 0u
#define plc_tsan_pre_lock(lock, flags) ((void)0)
#define plc_tsan_post_lock(lock, flags) ((void)0)
#define plc_tsan_post_try(lock, flags, taken) ((void)0)
#define plc_tsan_pre_unlock(lock, flags) ((void)0)
#define plc_tsan_post_unlock(lock, flags) ((void)0)
#define plc_tsan_acquire(object) ((void)0)
#define plc_tsan_release(object) ((void)0)

#endif
#endif
