/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Takes processes' memory over a socket, and reads it. It is read with pread: a mapping of what somebody else may
   cut off is none to rely on. */
#include "profile_processes.h"

#include "pthread/observe/observe.h"
#include "pthread/observe/profile/region.h"
#include "pthread/observe/ticks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int profile_listen(char *name, size_t size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint64_t random = 0;
    int yes = 1;
    int channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (channel < 0)
        return -1;
    (void)!getrandom(&random, sizeof random, 0);
    int length = snprintf(name, size, "plc-profile-%d-%016llx", (int)getpid(), (unsigned long long)random);
    memcpy(address.sun_path + 1, name, (size_t)length); /* the leading zero says "abstract" */
    socklen_t address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (setsockopt(channel, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0 &&
        bind(channel, (struct sockaddr *)&address, address_size) == 0)
        return channel;
    int error = errno;
    (void)close(channel);
    errno = error;
    return -1;
}

/* Ours, or of a process that gave up root's rights. */
static bool is_trusted(const struct ucred *sender) {
    return geteuid() == 0 || sender->uid == geteuid();
}

static bool read_header(int memory, struct profile_header *header) {
    struct stat status;
    return fstat(memory, &status) == 0 && status.st_size == (off_t)sizeof(struct profile_region) &&
           pread(memory, header, sizeof *header, 0) == (ssize_t)sizeof *header && header->magic == PROFILE_MAGIC &&
           header->version == PROFILE_VERSION;
}

static void add(struct profile_processes *processes, int memory) {
    struct profile_header header;
    if (!read_header(memory, &header)) {
        (void)close(memory);
    } else if (processes->count == PROFILE_PROCESSES_MOST) {
        processes->dropped++;
        (void)close(memory);
    } else {
        processes->memory[processes->count++] = memory;
    }
}

static bool receive_one(int channel, struct profile_processes *processes) {
    char byte;
    struct iovec data = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct ucred sender = {.uid = (uid_t)-1};
    int memory = -1;
    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) < 0)
        return errno == EINTR;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
            memcpy(&memory, CMSG_DATA(part), sizeof memory);
        else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS)
            memcpy(&sender, CMSG_DATA(part), sizeof sender);
    }
    if (memory >= 0 && is_trusted(&sender))
        add(processes, memory);
    else if (memory >= 0)
        (void)close(memory);
    return true;
}

void profile_receive(int channel, struct profile_processes *processes) {
    while (receive_one(channel, processes)) {
    }
}

void profile_tell_time(const struct profile_processes *processes) {
    observe_ticks_start(); /* plc-run chooses its clock as the processes do: by what the processor is */
    const uint64_t now[2] = {observe_ticks(), observe_monotonic_ns()};
    PLC_STATIC_ASSERT(offsetof(struct profile_header, latest_ns) ==
                          offsetof(struct profile_header, latest_ticks) + sizeof now[0],
                      "both are written at once");
    for (size_t i = 0; i < processes->count; i++)
        (void)!pwrite(processes->memory[i], now, sizeof now, (off_t)offsetof(struct profile_header, latest_ticks));
}

/* ---- Totals */

static void sum_locks(int memory, off_t offset, size_t stride, size_t count, struct profile_totals *totals) {
    char buffer[64 * 1024];
    while (count > 0) {
        size_t part = sizeof buffer / stride < count ? sizeof buffer / stride : count;
        if (pread(memory, buffer, part * stride, offset) != (ssize_t)(part * stride))
            return;
        for (size_t i = 0; i < part; i++) {
            struct profile_lock lock;
            memcpy(&lock, buffer + i * stride, sizeof lock);
            if (lock.object != 0 && lock.type != OBSERVE_COND_TYPE) {
                totals->acquisitions += lock.acquisitions;
                totals->locks++;
            }
        }
        offset += (off_t)(part * stride);
        count -= part;
    }
}

static void sum_waits(int memory, const struct profile_header *header, struct profile_totals *totals) {
    double seconds_per_tick = header->latest_ticks <= header->start_ticks
                                  ? 0
                                  : (double)(header->latest_ns - header->start_ns) / 1e9 /
                                        (double)(header->latest_ticks - header->start_ticks);
    for (size_t i = 0; i < header->waits && i < PROFILE_WAITS; i++) {
        struct profile_waits waits;
        off_t offset = (off_t)(offsetof(struct profile_region, waits) + i * sizeof waits);
        if (pread(memory, &waits, sizeof waits, offset) != (ssize_t)sizeof waits)
            return;
        if (waits.type == OBSERVE_COND_TYPE || waits.count == 0)
            continue;
        totals->waits += waits.count;
        totals->waited_seconds += (double)waits.total * seconds_per_tick;
        totals->waited_for++;
        totals->acquisitions += waits.acquisitions;
    }
}

struct profile_totals profile_sum(const struct profile_processes *processes) {
    struct profile_totals totals = {0, 0, 0, 0, 0};
    for (size_t i = 0; i < processes->count; i++) {
        int memory = processes->memory[i];
        struct profile_header header;
        if (!read_header(memory, &header))
            continue;
        size_t locks = header.locks <= PROFILE_LOCKS ? header.locks : PROFILE_LOCKS + 1;
        size_t wide = locks < PROFILE_WIDE_LOCKS ? locks : PROFILE_WIDE_LOCKS;
        off_t begin = (off_t)offsetof(struct profile_region, locks);
        sum_locks(memory, begin, PROFILE_WIDE_STRIDE, wide, &totals);
        sum_locks(memory, begin + (off_t)PROFILE_WIDE_LOCKS * PROFILE_WIDE_STRIDE, sizeof(struct profile_lock),
                  locks - wide, &totals);
        sum_waits(memory, &header, &totals);
        totals.acquisitions += header.dropped_acquisitions;
    }
    return totals;
}

/* ---- Saving */

static bool copy_range(int from, int to, off_t begin, off_t end) {
    char buffer[64 * 1024];
    while (begin < end) {
        size_t part = (size_t)(end - begin) < sizeof buffer ? (size_t)(end - begin) : sizeof buffer;
        ssize_t size = pread(from, buffer, part, begin);
        if (size <= 0)
            return false;
        for (ssize_t done = 0; done < size;) {
            ssize_t written = pwrite(to, buffer + done, (size_t)(size - done), begin + done);
            if (written < 0)
                return false;
            done += written;
        }
        begin += size;
    }
    return true;
}

bool profile_save(int memory, const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    bool good = ftruncate(file, (off_t)sizeof(struct profile_region)) == 0;
    for (off_t at = 0; good && (at = lseek(memory, at, SEEK_DATA)) >= 0;) {
        off_t end = lseek(memory, at, SEEK_HOLE);
        good = end > at && copy_range(memory, file, at, end);
        at = end;
    }
    int error = errno;
    good = close(file) == 0 && good;
    errno = error;
    return good;
}
