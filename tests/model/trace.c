/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The story of a failing execution, for people. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* The search keeps no record; when an execution fails it is run again with this switched on. */

struct trace_line {
    const void *site;
    int step, thread;
    char text[120];
};

static struct trace_line lines[MAX_STEPS + 1];
static int count;

void trace_reset(void) {
    count = 0;
}

const char *failure_name(enum mc_failure failure) {
    static const char *const names[] = {"pass",      "data race", "use after free", "deadlock or lost wake-up",
                                        "assertion", "crash",     "step bound",     "model limit"};
    return names[failure];
}

static int describe_store(char *text, size_t size, const struct location *location, int index) {
    const struct store *store = &location->stores[index];
    if (store->step == 0)
        return snprintf(text, size, "%#llx, initial", (unsigned long long)store->value);
    return snprintf(text, size, "%#llx, stored by step %u%s", (unsigned long long)store->value, store->step,
                    index == location->newest ? "" : ", not the newest");
}

static void describe_memory(char *text, size_t size, const struct operation *op, struct choice choice) {
    const struct location *location = memory_refreshed(op->location);
    char read[64];
    describe_store(read, sizeof read, location, choice.index);
    unsigned long long old = location->stores[choice.index].value;
    const char *order = order_name(op->order);
    if (op->kind == OP_LOAD)
        snprintf(text, size, "load %s [%#lx] reads %s", order, (unsigned long)op->address, read);
    else if (op->kind == OP_STORE)
        snprintf(text, size, "store %s [%#lx] := %#llx%s", order, (unsigned long)op->address,
                 (unsigned long long)op->operand, choice.index == location->newest ? "" : ", before newer stores");
    else if (op->kind == OP_RMW)
        snprintf(text, size, "%s %s [%#lx] := %#llx, reads %s", operation_name(op), order, (unsigned long)op->address,
                 (unsigned long long)memory_apply(op->rmw, old, op->operand, op->size), read);
    else if (choice.odd || old != op->expected)
        snprintf(text, size, "cas fails%s (%s) [%#lx] expects %#llx, reads %s", choice.odd ? " for no reason" : "",
                 order_name(op->failure_order), (unsigned long)op->address, (unsigned long long)op->expected, read);
    else
        snprintf(text, size, "cas %s [%#lx] := %#llx, reads %s", order, (unsigned long)op->address,
                 (unsigned long long)op->operand, read);
}

static void describe_os(char *text, size_t size, const struct operation *op, struct choice choice) {
    unsigned long address = (unsigned long)op->address;
    unsigned long long operand = (unsigned long long)op->operand;
    if (op->kind == OP_FUTEX_WAIT) {
        unsigned long long value = (unsigned long long)memory_read(op->address, op->size);
        bool sleeps = value == op->expected && !choice.odd;
        snprintf(text, size, "futex wait [%#lx] expects %#llx, is %#llx: %s", address, (unsigned long long)op->expected,
                 value,
                 choice.odd ? "returns for no reason"
                 : sleeps   ? "sleeps"
                            : "returns");
    } else if (op->kind == OP_SLEEP) {
        snprintf(text, size, "time-out of the wait on [%#lx]", address);
    } else if (op->kind == OP_FUTEX_WAKE) {
        snprintf(text, size, "wake %llu on [%#lx]", operand > 1000 ? 999ull : operand, address);
    } else if (op->kind == OP_CHOOSE) {
        snprintf(text, size, "chooses %d of %llu", choice.index, operand);
    } else if (op->kind == OP_FENCE) {
        snprintf(text, size, "fence %s", order_name(op->order));
    } else if (op->kind == OP_START) {
        snprintf(text, size, op->result == MC_WOKEN && op->address ? "goes on after its sleep" : "starts");
    } else if (op->address) {
        snprintf(text, size, "%s [%#lx]%s", operation_name(op), address, choice.odd ? ", far ahead" : "");
    } else {
        snprintf(text, size, "%s%s", operation_name(op), choice.odd ? ", far ahead" : "");
    }
}

/* Called right before the step is made. */
void trace_step(int thread, const struct operation *op, struct choice choice) {
    struct trace_line *line = &lines[count++];
    line->site = op->site;
    line->step = mc.step;
    line->thread = thread;
    if (op->kind == OP_LOAD || operation_writes(op))
        describe_memory(line->text, sizeof line->text, op, choice);
    else
        describe_os(line->text, sizeof line->text, op, choice);
}

static void print_pending(void) {
    const void *sites[MC_MAX_THREADS];
    struct place places[MC_MAX_THREADS];
    for (int i = 0; i < mc.threads; i++)
        sites[i] = mc.thread[i].op.site;
    symbol_resolve(sites, mc.threads, places);
    for (int i = 0; i < mc.threads; i++) {
        const struct operation *op = &mc.thread[i].op;
        if (op->kind == OP_DONE)
            printf("    T%d has ended\n", i);
        else if (op->kind == OP_SLEEP)
            printf("    T%d sleeps on [%#lx] at %s\n", i, (unsigned long)op->address, places[i].text);
        else
            printf("    T%d is before: %s at %s\n", i, operation_name(op), places[i].text);
    }
}

void trace_print(void) {
    static const void *sites[MAX_STEPS + 1];
    static struct place places[MAX_STEPS + 1];
    struct place message_places[2];
    for (int i = 0; i < count; i++)
        sites[i] = lines[i].site;
    symbol_resolve(sites, count, places);
    symbol_resolve(mc.message_sites, 2, message_places);
    printf("  %s: %s\n", failure_name(mc.failure), mc.message);
    for (int i = 0; i < 2; i++) {
        if (mc.message_sites[i])
            printf("    %s %s\n", i ? "earlier, at" : "at", message_places[i].text);
    }
    printf("  what happened:\n");
    for (int i = 0; i < count; i++)
        printf("    %3d  %*sT%d %-28s %s\n", lines[i].step, 2 * lines[i].thread, "", lines[i].thread, places[i].text,
               lines[i].text);
    printf("  at that moment:\n");
    print_pending();
    printf("  replay with: --only '%s' --replay ", mc.scenario->name);
    schedule_print();
}
