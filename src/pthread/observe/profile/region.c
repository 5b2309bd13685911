/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Makes the memory of a profile and sends it to plc-run. */
#include "region.h"

#include "../ticks.h"

#include <plc/detail/atomic.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct profile_region *profile_region;

/* plc-run's socket: a name in the abstract space, so that neither chroot nor a full disk matters. */
static struct sockaddr_un address;
static socklen_t address_size;

static void complain(const char *what) {
    char text[256];
    int length = snprintf(text, sizeof text, "libplc: process %d is not profiled: %s: %s\n", (int)getpid(), what,
                          strerror(errno));
    if (length > 0)
        (void)!write(STDERR_FILENO, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* A file larger than the process may write would be answered with a signal. */
static bool may_be_so_large(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= sizeof(struct profile_region))
        return true;
    errno = EFBIG;
    return false;
}

/* One message: the region's descriptor, and nothing else of interest. Waits for plc-run a second, no longer. */
static bool send_descriptor(int memory) {
    const struct timeval patience = {1, 0};
    char byte = 0;
    struct iovec data = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen = address_size,
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof memory);
    memcpy(CMSG_DATA(header), &memory, sizeof memory);
    int channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (channel < 0)
        return false;
    (void)setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    bool sent = sendmsg(channel, &message, MSG_NOSIGNAL) == 1;
    int error = errno;
    (void)close(channel);
    errno = error;
    return sent;
}

static void read_command(char *command, size_t size) {
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t length = read(fd, command, size - 1);
    (void)close(fd);
    command[length > 0 ? length : 0] = '\0';
}

/* Filled before plc-run sees it. */
static void fill_header(struct profile_header *header, bool is_forked) {
    header->magic = PROFILE_MAGIC;
    header->version = PROFILE_VERSION;
    header->pid = (uint32_t)getpid();
    header->parent = (uint32_t)getppid();
    header->is_forked = is_forked;
    header->start_ticks = header->latest_ticks = observe_ticks();
    header->start_ns = header->latest_ns = observe_monotonic_ns();
    header->locks = 1; /* number 0 means "none" in each table */
    header->waits = 1;
    header->stack_words = 1;
    read_command(header->command, sizeof header->command);
}

/* Maps the memory: at `place`, if that is not null, over what is there. */
static struct profile_region *map(int memory, void *place) {
    int flags = MAP_SHARED | MAP_NORESERVE | (place != NULL ? MAP_FIXED : 0);
    void *region = mmap(place, sizeof(struct profile_region), PROT_READ | PROT_WRITE, flags, memory, 0);
    return region == MAP_FAILED ? NULL : region;
}

/* A region that plc-run has, too; null, and a message, if there can be none. */
static struct profile_region *make_region(bool is_forked, void *place) {
    const char *step = "memfd_create";
    struct profile_region *region = NULL;
    int memory = memfd_create("plc-profile", MFD_CLOEXEC);
    if (memory >= 0) {
        step = "the size of files is limited";
        if (may_be_so_large() && ftruncate(memory, sizeof *region) == 0) {
            step = "mmap";
            region = map(memory, place);
        }
    }
    bool good = region != NULL;
    if (good) {
        fill_header(&region->header, is_forked);
        step = "cannot reach plc-run";
        good = send_descriptor(memory);
    }
    if (!good)
        complain(step);
    if (memory >= 0)
        (void)close(memory);
    if (good)
        return region;
    if (region != NULL && region != place)
        (void)munmap(region, sizeof *region);
    return NULL;
}

bool profile_region_start(const char *socket_name) {
    size_t length = strlen(socket_name);
    if (length + 1 > sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        complain("plc-run's socket");
        return false;
    }
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path + 1, socket_name, length); /* the leading zero says "abstract" */
    address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    struct profile_region *region = make_region(false, NULL);
    plc_store_relaxed(&profile_region, region); /* relaxed: this process has one thread, or none that was observed */
    return region != NULL;
}

/* At its parent's address: a signal handler may have forked, and the child returns from it into a function that has
   pointers there. What that function writes is lost. The same goes for memory that nobody reads, if there can be no
   region. */
void profile_region_after_fork(void) {
    int saved_errno = errno;
    struct profile_region *place = profile_region;
    if (place != NULL && make_region(true, place) == NULL)
        (void)mmap(place, sizeof *place, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    errno = saved_errno;
}
