/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compiler-dependent spellings that the public headers share: linkage, branch hints, thread-safety attributes. */
#ifndef PLC_DETAIL_CONFIG_H
#define PLC_DETAIL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define PLC_BEGIN_DECLS extern "C" {
#define PLC_END_DECLS }
#define PLC_STATIC_ASSERT(condition, message) static_assert(condition, message)
#define PLC_NOEXCEPT noexcept
#define PLC_NULL nullptr
#else
#define PLC_BEGIN_DECLS
#define PLC_END_DECLS
#define PLC_STATIC_ASSERT(condition, message) _Static_assert(condition, message)
#define PLC_NOEXCEPT
#define PLC_NULL NULL
#endif

/* Everything that libplc exports carries PLC_API; the rest is hidden. */
#define PLC_API __attribute__((visibility("default")))

/* Fast paths are inlined into the caller. src/exported_inlines.c defines PLC_INLINE as PLC_API before it includes the
   headers, so that every inline is also an ordinary symbol of the library, for dlsym and foreign function interfaces.
 */
#ifndef PLC_INLINE
#define PLC_INLINE static inline
#endif

#define PLC_LIKELY(x) __builtin_expect(!!(x), 1)
#define PLC_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Clang's thread-safety analysis (-Wthread-safety); other compilers see nothing. */
#if defined(__clang__)
#define PLC_THREAD_SAFETY(x) __attribute__((x))
#else
#define PLC_THREAD_SAFETY(x)
#endif
#define PLC_CAPABILITY(name) PLC_THREAD_SAFETY(capability(name))
#define PLC_ACQUIRE(...) PLC_THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define PLC_ACQUIRE_SHARED(...) PLC_THREAD_SAFETY(acquire_shared_capability(__VA_ARGS__))
#define PLC_RELEASE(...) PLC_THREAD_SAFETY(release_capability(__VA_ARGS__))
#define PLC_RELEASE_SHARED(...) PLC_THREAD_SAFETY(release_shared_capability(__VA_ARGS__))
#define PLC_TRY_ACQUIRE(...) PLC_THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define PLC_TRY_ACQUIRE_SHARED(...) PLC_THREAD_SAFETY(try_acquire_shared_capability(__VA_ARGS__))
#define PLC_REQUIRES(...) PLC_THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define PLC_REQUIRES_SHARED(...) PLC_THREAD_SAFETY(requires_shared_capability(__VA_ARGS__))
#define PLC_NO_THREAD_SAFETY_ANALYSIS PLC_THREAD_SAFETY(no_thread_safety_analysis)

#endif
