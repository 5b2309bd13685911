/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads a program's file header: its word size, its loader, whose rights it runs with. */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifdef __LP64__
enum { OUR_CLASS = ELFCLASS64 };
#else
enum { OUR_CLASS = ELFCLASS32 };
#endif

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__i386__)
enum { OUR_MACHINE = EM_386 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#else
enum { OUR_MACHINE = EM_NONE }; /* not compared */
#endif

/* A script may name a script, which Linux follows so many times. */
enum { MOST_SCRIPTS = 4 };

static bool can_run(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

bool program_find(const char *name, char path[PROGRAM_PATH_SIZE]) {
    if (strchr(name, '/') != NULL) {
        int length = snprintf(path, PROGRAM_PATH_SIZE, "%s", name);
        return length < PROGRAM_PATH_SIZE && can_run(path);
    }
    const char *directories = getenv("PATH");
    if (directories == NULL)
        directories = "/bin:/usr/bin"; /* execvp's own choice */
    while (true) {
        size_t size = strcspn(directories, ":");
        int length = snprintf(path, PROGRAM_PATH_SIZE, "%.*s%s%s", (int)size, directories, size > 0 ? "/" : "", name);
        if (length < PROGRAM_PATH_SIZE && can_run(path))
            return true;
        if (directories[size] == '\0')
            return false;
        directories += size + 1;
    }
}

/* ---- The rights that the program would get: with others than the caller's, the loader ignores LD_PRELOAD. */

static bool changes_rights(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != geteuid())
        return true;
    if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getegid())
        return true;
    return geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* ---- The loader */

static bool read_at(int fd, off_t offset, void *buffer, size_t size) {
    return pread(fd, buffer, size, offset) == (ssize_t)size;
}

/* The name of the loader that the program asks for; empty if it asks for none. False if the file is not understood. */
static bool read_loader(int fd, const ElfW(Ehdr) * header, char *name, size_t size) {
    name[0] = '\0';
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        if (header->e_phentsize < sizeof segment ||
            !read_at(fd, (off_t)(header->e_phoff + (ElfW(Off))i * header->e_phentsize), &segment, sizeof segment))
            return false;
        if (segment.p_type != PT_INTERP)
            continue;
        size_t length = segment.p_filesz < size ? segment.p_filesz : size - 1;
        name[length] = '\0';
        return read_at(fd, (off_t)segment.p_offset, name, length);
    }
    return true;
}

#define DAMAGED "is damaged: its file ends before what its header names"

static const char *obstacle_in_elf(int fd, const ElfW(Ehdr) * header) {
    char loader[256];
    if (header->e_ident[EI_CLASS] != OUR_CLASS)
        return OUR_CLASS == ELFCLASS64 ? "is a 32-bit program, and libplc was built for 64 bits"
                                       : "is a 64-bit program, and libplc was built for 32 bits";
    if (OUR_MACHINE != EM_NONE && header->e_machine != OUR_MACHINE)
        return "is a program for another kind of processor";
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return "is not a program, but a part or the remains of one";
    if (changes_rights(fd))
        return "runs with other rights than yours (set-uid, set-gid or capabilities): its loader preloads nothing";
    if (!read_loader(fd, header, loader, sizeof loader))
        return DAMAGED;
    if (loader[0] == '\0')
        return "is linked statically: its locks can only be replaced by linking it with libplc_pthread.a";
    if (strstr(loader, "musl") != NULL)
        return "uses the C library musl, and libplc_pthread.so replaces glibc's locks";
    return NULL;
}

/* ---- Scripts */

/* From "#! interpreter argument"; false if this is none. */
static bool read_interpreter(const char *text, char path[PROGRAM_PATH_SIZE]) {
    if (strncmp(text, "#!", 2) != 0)
        return false;
    const char *begin = text + 2 + strspn(text + 2, " \t");
    int length = (int)strcspn(begin, " \t\n");
    return snprintf(path, PROGRAM_PATH_SIZE, "%.*s", length, begin) > 0;
}

const char *program_obstacle(const char *path) {
    char current[PROGRAM_PATH_SIZE];
    (void)snprintf(current, sizeof current, "%s", path);
    for (int scripts = 0; scripts <= MOST_SCRIPTS; scripts++) {
        union {
            ElfW(Ehdr) elf;
            char text[256];
        } start = {.text = {0}};
        int fd = open(current, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return NULL;
        ssize_t size = pread(fd, &start, sizeof start.text - 1, 0);
        bool is_elf = memcmp(start.elf.e_ident, ELFMAG, SELFMAG) == 0;
        const char *obstacle = NULL;
        if (is_elf)
            obstacle = size >= (ssize_t)sizeof start.elf ? obstacle_in_elf(fd, &start.elf) : DAMAGED;
        (void)close(fd);
        if (is_elf || !read_interpreter(start.text, current))
            return obstacle;
    }
    return NULL;
}

/* ---- Running it */

/* What the kernel's error means; it says "no such file" also of what a file that is there asks for. */
static const char *meaning_of(int error, const char *name) {
    char path[PROGRAM_PATH_SIZE];
    struct stat status;
    if (error == ENOENT && program_find(name, path))
        return "the interpreter or loader that it asks for was not found";
    if (error == EACCES && stat(name, &status) == 0 && S_ISDIR(status.st_mode))
        return strerror(EISDIR);
    return strerror(error);
}

int program_become(char **program) {
    (void)execvp(program[0], program);
    int error = errno;
    (void)fprintf(stderr, "plc-run: %s: %s\n", program[0], meaning_of(error, program[0]));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
