/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of names: who names an object takes a lock; who looks one up, maybe in a signal handler, takes none. */
#include "debug/names.h"

#include <plc/detail/atomic.h>

#include <string.h>

#include "platform/platform.h"
#include "word_lock/word_lock.h"

/* An entry is a sequence lock: its version is odd while it is changed, and another one afterwards.
 *
 *   version   object    text          left by
 *   even      null      any           name, under the lock: odd
 *   even      an object its name      name and forget, under the lock: odd
 *   odd       any       in parts      the same call: even. In the child of a fork that came in between: the next one
 *
 * Memory order
 *   [E1] a change's store-release of each word of the text, and of the object -> a look's load-acquire: whoever has seen
 *        anything of a change sees the odd version before it, or a later one, when it looks at the version again.
 *   [E2] a change's last store-release of the version -> a look's load-acquire of the version: the whole text. */

struct plc_name_table plc_name_table;

/* For debuggers, as plc_debug_layout_lot_ is (parking_lot/bucket_table.c). */
struct name_layout {
    size_t version;
    const struct plc_name_table *table;
    size_t capacity, bytes, objects, versions, texts;
};
PLC_API extern const struct name_layout plc_debug_layout_names_;
const struct name_layout plc_debug_layout_names_ = {
    .version = 1,
    .table = &plc_name_table,
    .capacity = PLC_NAME_CAPACITY,
    .bytes = PLC_NAME_BYTES,
    .objects = offsetof(struct plc_name_table, objects),
    .versions = offsetof(struct plc_name_table, versions),
    .texts = offsetof(struct plc_name_table, texts),
};

/* In the child of a fork the lock is free again: whoever held it is not there. */
static union {
    struct {
        struct plc_word_lock lock;
        uint32_t prepared; /* the page is marked to be wiped, or a handler is registered */
    } writers;
    char whole_page[PLC_OS_MAX_PAGE_SIZE];
} page __attribute__((aligned(PLC_OS_MAX_PAGE_SIZE)));

static uint32_t dropped;

uint32_t plc_names_dropped(void) {
    return plc_load_relaxed(&dropped); /* relaxed: a number to be shown */
}

static void forget_lock(void) {
    page.writers.lock.word = 0;
}

static void lock_writers(void) {
    if (PLC_UNLIKELY(!plc_load_relaxed(&page.writers.prepared)) && /* relaxed: says only who does it */
        !plc_exchange_relaxed(&page.writers.prepared, 1u) && !plc_os_wipe_on_fork(&page, sizeof page))
        plc_os_at_fork_child(forget_lock);
    plc_word_lock_lock(&page.writers.lock);
}

/* ---- With the writers' lock */

/* The entry of an object (null: a free entry), or PLC_NAME_CAPACITY. */
static size_t find(const void *object) {
    size_t i = 0;
    while (i < PLC_NAME_CAPACITY &&
           plc_load_relaxed(&plc_name_table.objects[i]) != object) /* relaxed: looked at again */
        i++;
    return i;
}

static void change(size_t i, const void *object, const uint64_t text[PLC_NAME_WORDS]) {
    uint32_t odd = plc_load_relaxed(&plc_name_table.versions[i]) | 1u; /* relaxed: changed under this lock only */
    plc_store_relaxed(&plc_name_table.versions[i], odd);               /* relaxed: the releases below order it */
    for (size_t word = 0; word < PLC_NAME_WORDS; word++)
        plc_store_release(&plc_name_table.texts[i][word], text[word]); /* release [E1] */
    plc_store_release(&plc_name_table.objects[i], object);             /* release [E1] */
    plc_store_release(&plc_name_table.versions[i], odd + 1);           /* release [E2] */
}

static size_t length_of(const char *text, size_t most) {
    size_t length = 0;
    while (length < most && text[length])
        length++;
    return length;
}

bool plc_debug_name(const void *object, const char *name) {
    uint64_t text[PLC_NAME_WORDS] = {0};
    size_t length = length_of(name, PLC_NAME_BYTES - 1);
    memcpy(text, name, length);
    lock_writers();
    size_t i = find(object);
    if (i == PLC_NAME_CAPACITY)
        i = find(NULL);
    bool fits = object && i < PLC_NAME_CAPACITY;
    if (fits)
        change(i, object, text);
    else if (object)
        (void)plc_fetch_add_relaxed(&dropped, 1u); /* relaxed: a number to be shown */
    plc_word_lock_unlock(&page.writers.lock);
    return fits;
}

void plc_debug_forget(const void *object) {
    static const uint64_t nothing[PLC_NAME_WORDS];
    lock_writers();
    size_t i = object ? find(object) : PLC_NAME_CAPACITY;
    if (i < PLC_NAME_CAPACITY)
        change(i, NULL, nothing);
    plc_word_lock_unlock(&page.writers.lock);
}

/* ---- Without */

/* Copies the text of the entry if all of it belongs to the object. */
static bool look(size_t i, const void *object, uint64_t text[PLC_NAME_WORDS]) {
    uint32_t version = plc_load_acquire(&plc_name_table.versions[i]); /* acquire [E2] */
    for (size_t word = 0; word < PLC_NAME_WORDS; word++)
        text[word] = plc_load_acquire(&plc_name_table.texts[i][word]);   /* acquire [E1] */
    bool is_it = plc_load_acquire(&plc_name_table.objects[i]) == object; /* acquire [E1] */
    return is_it && version % 2 == 0 &&
           plc_load_relaxed(&plc_name_table.versions[i]) == version; /* relaxed: [E1] keeps it after the others */
}

bool plc_debug_name_of(const void *object, char *name, size_t size) {
    uint64_t text[PLC_NAME_WORDS];
    bool found = false;
    for (size_t i = object ? find(object) : PLC_NAME_CAPACITY; i < PLC_NAME_CAPACITY && !found; i++)
        found = plc_load_relaxed(&plc_name_table.objects[i]) == object && /* relaxed: look sees to the rest */
                look(i, object, text);
    if (size == 0)
        return found;
    size_t length = found ? length_of((const char *)text, PLC_NAME_BYTES) : 0;
    if (length > size - 1)
        length = size - 1;
    memcpy(name, text, found ? length : 0);
    name[length] = '\0';
    return found;
}
