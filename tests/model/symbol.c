/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From code addresses to file and line, by addr2line. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The executable is linked without position independence, so a return address is an address in the file. The address
   before it lies in the call itself. */

enum { BATCH = 64 };

/* "/long/path/to/src/sync/mutex.c:12 (discriminator 3)" is best known as "src/sync/mutex.c:12". */
static void shorten(const char *line, struct place *place) {
    static const char *const roots[] = {"/src/", "/include/", "/tests/"};
    const char *from = line;
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        for (const char *found = strstr(line, roots[i]); found; found = strstr(found + 1, roots[i]))
            from = found + 1 > from ? found + 1 : from;
    }
    int length = (int)strcspn(from, " \n");
    snprintf(place->text, sizeof place->text, "%.*s", length, from);
}

static void resolve_batch(const void *const *sites, int count, struct place *places) {
    char command[256 + BATCH * 20];
    int length = snprintf(command, sizeof command, "addr2line -e '%s'", program_invocation_name);
    for (int i = 0; i < count; i++) {
        uintptr_t address = sites[i] ? (uintptr_t)sites[i] - 1 : 0;
        length += snprintf(command + length, sizeof command - (size_t)length, " %#lx", (unsigned long)address);
        snprintf(places[i].text, sizeof places[i].text, "%#lx", (unsigned long)address);
    }
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return;
    char line[1024];
    for (int i = 0; i < count && fgets(line, sizeof line, pipe); i++) {
        if (!sites[i])
            snprintf(places[i].text, sizeof places[i].text, "-");
        else if (line[0] != '?')
            shorten(line, &places[i]);
    }
    pclose(pipe);
}

void symbol_resolve(const void *const *sites, int count, struct place *places) {
    fflush(stdout);
    for (int i = 0; i < count; i += BATCH)
        resolve_batch(sites + i, count - i < BATCH ? count - i : BATCH, places + i);
}
