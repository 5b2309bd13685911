/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which files are mapped where, from /proc/self/maps, for those who will look the stacks up when the process is
   gone. */
#include "tables.h"

#include <plc/detail/atomic.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Memory order
     [OM1] a module is written: store-release of its path's first character -> load-acquire by whoever looks for
     addresses. */

static bool is_known(uint64_t address) {
    uint32_t count = plc_load_relaxed(&profile_region->header.modules); /* relaxed: each entry says when it is there */
    for (uint32_t i = 0; i < count && i < PROFILE_MODULES; i++) {
        const struct profile_module *module = &profile_region->modules[i];
        if (plc_load_acquire(&module->path[0]) != '\0' && /* acquire [OM1] */
            address >= module->begin && address < module->end)
            return true;
    }
    return false;
}

static void note(uint64_t begin, uint64_t end, uint64_t offset, const char *path) {
    uint32_t number = plc_load_relaxed(&profile_region->header.modules); /* relaxed: a full table stays full */
    if (number >= PROFILE_MODULES || is_known(begin))
        return;
    number = plc_fetch_add_relaxed(&profile_region->header.modules, 1u); /* relaxed: the entry is ours alone */
    if (number >= PROFILE_MODULES)
        return;
    struct profile_module *module = &profile_region->modules[number];
    module->begin = begin;
    module->end = end;
    module->offset = offset;
    size_t length = strlen(path);
    length = length < sizeof module->path ? length : sizeof module->path - 1;
    memcpy(module->path + 1, path + 1, length - 1);
    plc_store_release(&module->path[0], path[0]); /* release [OM1] */
}

static const char *read_hexadecimal(const char *text, uint64_t *value) {
    for (*value = 0;; text++) {
        unsigned digit = (unsigned char)*text;
        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if (digit >= 'a' && digit <= 'f')
            digit -= 'a' - 10;
        else
            return text;
        *value = *value << 4 | digit;
    }
}

/* A line is "begin-end rights offset device inode   path". What follows a file's last part without a name of its own
   is that file's zeroed data. */
static void read_line(const char *line, char *last_path, size_t size, uint64_t *last_end) {
    uint64_t begin;
    uint64_t end;
    uint64_t offset;
    const char *at = read_hexadecimal(line, &begin);
    if (*at != '-')
        return;
    at = read_hexadecimal(at + 1, &end);
    if (strlen(at) < 7)
        return;
    (void)read_hexadecimal(at + 6, &offset);
    const char *path = strchr(line, '/');
    if (path != NULL) {
        size_t length = strlen(path);
        length = length < size ? length : size - 1;
        memcpy(last_path, path, length);
        last_path[length] = '\0';
    } else if (begin != *last_end || strchr(line, '[') != NULL) {
        last_path[0] = '\0';
    }
    *last_end = end;
    if (last_path[0] != '\0')
        note(begin, end, offset, last_path);
}

static void read_all(void) {
    char buffer[4096];
    char last_path[256] = "";
    uint64_t last_end = 0;
    size_t used = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    for (;;) {
        ssize_t size = read(fd, buffer + used, sizeof buffer - 1 - used);
        if (size <= 0)
            break;
        used += (size_t)size;
        buffer[used] = '\0';
        char *line = buffer;
        for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = '\0';
            read_line(line, last_path, sizeof last_path, &last_end);
        }
        used -= (size_t)(line - buffer);
        if (used == sizeof buffer - 1)
            used = 0; /* a path longer than any that is legal */
        memmove(buffer, line, used);
    }
    (void)close(fd);
}

/* Code that no file stands behind (made by a compiler at run time, or the kernel's) would have the file read again
   for each new stack: not for more than some hundred times. */
void profile_modules_know(const uintptr_t *addresses, unsigned count) {
    enum { READS_MOST = 256 };
    static uint32_t reads;
    for (unsigned i = 0; i < count; i++) {
        if (is_known((uint64_t)addresses[i]))
            continue;
        int saved_errno = errno;
        if (plc_fetch_add_relaxed(&reads, 1u) < READS_MOST) /* relaxed: a count */
            read_all();
        errno = saved_errno;
        return;
    }
}
