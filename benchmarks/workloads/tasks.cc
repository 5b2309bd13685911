// SPDX-License-Identifier: MIT OR Apache-2.0
// What runtimes are built on: permits, wakers, tasks that wake each other, tasks that spawn tasks, a TCP server.
#include "workloads/workloads.h"

#include "harness/registry.h"
#include "kernels/object.h"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace plc_bench {
namespace {
constexpr std::size_t message_size = 100;

class connection {
  public:
    explicit connection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int on = 1;
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0)
            plc_bench_broken("a client cannot connect");
    }
    connection(connection &&other) noexcept : fd_(other.fd_) {
        other.fd_ = -1;
    }
    ~connection() {
        if (fd_ != -1)
            close(fd_);
    }
    void ask(uint64_t question) {
        question_ = question;
        begin_ns_ = plc_bench_now_ns();
        char message[message_size] = {};
        std::memcpy(message, &question, sizeof(question));
        if (send(fd_, message, sizeof(message), MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof(message)))
            plc_bench_broken("a client cannot send");
    }
    // Returns how long the answer took.
    uint64_t hear() {
        char message[message_size];
        if (recv(fd_, message, sizeof(message), MSG_WAITALL) != static_cast<ssize_t>(sizeof(message)) ||
            std::memcmp(message, &question_, sizeof(question_)) != 0)
            plc_bench_broken("an answer is wrong");
        return plc_bench_now_ns() - begin_ns_;
    }

  private:
    int fd_;
    uint64_t question_ = 0, begin_ns_ = 0;
};

void register_pairs() {
    for (std::size_t processors : {std::size_t{1}, std::size_t{2}}) {
        if (processors > allowed_processors().size())
            continue;
        cell what;
        what.job.workers = 2;
        what.workers_per_operation = 2;
        what.processors.assign(allowed_processors().begin(),
                               allowed_processors().begin() + static_cast<std::ptrdiff_t>(processors));
        std::string where = "/processors:" + std::to_string(processors);
        register_crew_cell("token_ping_pong" + where, what, &plc_bench_peer::token_ping_pong);
        register_crew_cell("block_on_ping_pong" + where, what, &plc_bench_peer::block_on_ping_pong);
    }
}

void register_echo(std::size_t clients, std::size_t connections) {
    cell what;
    what.job.workers = clients;
    what.job.capacity = connections;
    what.waits = true;
    what.served = true;
    register_crew_cell("echo/clients:" + std::to_string(clients) + "/connections:" + std::to_string(connections), what,
                       &plc_bench_peer::echo);
}
} // namespace

void register_tasks() {
    register_loop_cell("tasks/permit", &plc_bench_peer::permit);
    register_loop_cell("tasks/unpark_awake", &plc_bench_peer::unpark_awake);
    register_loop_cell("tasks/park_permit", &plc_bench_peer::park_permit);
    register_loop_cell("tasks/block_on", &plc_bench_peer::block_on);
    register_loop_cell("tasks/register_and_wake", &plc_bench_peer::register_and_wake);
    register_pairs();
    cell one;
    one.job.workers = 1;
    one.served = true;
    register_crew_cell("spawn/workers:2", one, &plc_bench_peer::spawn);
    register_echo(1, 1);
    register_echo(2, 32);
}
} // namespace plc_bench

void plc_bench_echo_client(plc_bench_job *job, plc_bench_worker *self) {
    using namespace plc_bench;
    auto *server = static_cast<plc_bench_echo_server *>(job->object);
    std::vector<connection> connections;
    for (uint64_t i = 0; i < job->capacity; ++i)
        connections.emplace_back(static_cast<uint16_t>(server->port));
    while (!stopped(job)) {
        for (connection &each : connections)
            each.ask(next_random(self));
        for (connection &each : connections) {
            uint64_t took = each.hear();
            ++self->operations;
            if (job->timed)
                plc_bench_record_wait(self, took);
        }
    }
    __atomic_fetch_add(&server->answers, self->operations, __ATOMIC_RELAXED);
}
