/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory from the functions that plc_set_allocator was given. */
#ifndef PLC_MEMORY_H
#define PLC_MEMORY_H

#include <plc/detail/config.h>

PLC_BEGIN_DECLS

/* Null if memory is exhausted. */
void *plc_allocate(size_t size);
void plc_release(void *memory);

PLC_END_DECLS

#endif
