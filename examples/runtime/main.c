/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The echo server, and clients that check it:
       runtime                    a test: many connections, with each driver
       runtime --serve PORT [N]   serves on 127.0.0.1:PORT with N workers, until its input ends */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

enum { CLIENTS = 4, CONNECTIONS = 50, MESSAGES = 40, LONGEST = 20000 };

static unsigned port;
static _Atomic size_t mistakes;

static void expect(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        atomic_fetch_add(&mistakes, 1);
    }
}

static int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

/* Sends one message of each connection, and only then reads the answers: the server has many at once. */
static void *be_client(void *data) {
    unsigned random = (unsigned)(uintptr_t)data * 2654435761u + 1;
    int fds[CONNECTIONS];
    size_t sizes[CONNECTIONS];
    char *sent = malloc(LONGEST + 256), *received = malloc(LONGEST);
    for (size_t i = 0; i < LONGEST + 256; i++)
        sent[i] = (char)(i * 7 + i / 256);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = dial();
    for (int message = 0; message < MESSAGES; message++) {
        for (int i = 0; i < CONNECTIONS; i++) {
            random = random * 1664525u + 1013904223u;
            sizes[i] = 1 + (random >> 8) % (message % 8 == 0 ? LONGEST : 100);
            expect(send(fds[i], sent + (message + i) % 256, sizes[i], MSG_NOSIGNAL) == (ssize_t)sizes[i],
                   "a short send");
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            expect(recv(fds[i], received, sizes[i], MSG_WAITALL) == (ssize_t)sizes[i], "an answer is too short");
            expect(memcmp(sent + (message + i) % 256, received, sizes[i]) == 0, "an answer is wrong");
        }
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        shutdown(fds[i], SHUT_WR);
        expect(recv(fds[i], received, 1, 0) == 0, "the server does not close");
        close(fds[i]);
    }
    free(sent);
    free(received);
    return NULL;
}

/* Says nothing, and is hung up on; another stays until the server stops. */
static void be_silent(struct echo_server *server, runtime_t *runtime) {
    char byte;
    int fd = dial();
    expect(recv(fd, &byte, 1, 0) == 0 && atomic_load(&server->impatience) == 1, "a silent client is not hung up on");
    close(fd);
    fd = dial();
    runtime_stop(runtime);
    expect(recv(fd, &byte, 1, 0) <= 0, "a connection outlives its server");
    close(fd);
}

static runtime_t *serve(struct echo_server *server, int (*open_driver)(plc_driver_t **), unsigned workers,
                        unsigned wanted_port) {
    plc_driver_t *driver = NULL;
    int error = open_driver(&driver);
    if (error == ENOSYS)
        return NULL;
    runtime_t *runtime = error == 0 ? runtime_start(workers, driver) : NULL;
    if (!runtime || (port = echo_listen(server, runtime, wanted_port)) == 0) {
        perror("cannot serve");
        exit(1);
    }
    return runtime;
}

static void test(const char *name, int (*open_driver)(plc_driver_t **), unsigned workers) {
    struct echo_server server = {.patience_ns = 0};
    runtime_t *runtime = serve(&server, open_driver, workers, 0);
    if (!runtime)
        return;
    pthread_t clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        expect(pthread_create(&clients[i], NULL, be_client, (void *)(uintptr_t)i) == 0, "no thread");
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    expect(atomic_load(&server.connections) == (size_t)CLIENTS * CONNECTIONS, "connections were lost");
    runtime_stop(runtime);

    struct echo_server impatient = {.patience_ns = 1000000};
    be_silent(&impatient, serve(&impatient, open_driver, workers, 0));
    printf("%s, %u workers: %zu connections, %d messages each\n", name, workers, atomic_load(&server.connections),
           MESSAGES);
}

int main(int argc, char **argv) {
    if (argc >= 3 && strcmp(argv[1], "--serve") == 0) {
        struct echo_server server = {.patience_ns = 0};
        runtime_t *runtime =
            serve(&server, plc_driver_open_epoll, argc > 3 ? (unsigned)atoi(argv[3]) : 2, (unsigned)atoi(argv[2]));
        if (!runtime)
            return 1;
        printf("serving 127.0.0.1:%u\n", port);
        fflush(stdout);
        while (getchar() != EOF) {
        }
        runtime_stop(runtime);
        return 0;
    }
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        test("epoll", plc_driver_open_epoll, workers);
        test("poll", plc_driver_open_poll, workers);
    }
    return atomic_load(&mistakes) == 0 ? 0 : 1;
}
