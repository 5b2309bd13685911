// SPDX-License-Identifier: MIT OR Apache-2.0
// Interleaved, shuffled rounds over the registered benchmarks.
#include "harness/rounds.h"

#include "harness/crew.h"
#include "harness/disturbance.h"
#include "harness/registry.h"
#include "harness/watchdog.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <regex>
#include <unistd.h>

namespace plc_bench {
namespace {
using run = benchmark::BenchmarkReporter::Run;

volatile std::sig_atomic_t interrupted = 0;

// Keeps the runs instead of printing them.
class collector : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context &) override {
        return true;
    }
    void ReportRuns(const std::vector<run> &runs) override {
        for (const run &each : runs)
            if (each.run_type == run::RT_Iteration)
                runs_.push_back(each);
    }
    std::vector<run> runs_;
};

struct chosen_cell {
    std::string name;
    std::vector<std::string> peers;
};

std::vector<chosen_cell> choose(const round_options &options, const std::string &filter) {
    std::regex wanted(filter.empty() || filter == "all" ? "." : filter);
    std::vector<chosen_cell> cells;
    for (const entry &each : registered_entries()) {
        bool peer_wanted = options.peers.empty() ||
                           std::find(options.peers.begin(), options.peers.end(), each.peer) != options.peers.end();
        if (!peer_wanted || !std::regex_search(each.cell, wanted))
            continue;
        if (cells.empty() || cells.back().name != each.cell)
            cells.push_back({each.cell, {}});
        cells.back().peers.push_back(each.peer);
    }
    return cells;
}

// One run of one benchmark; false if it failed.
bool run_once(const std::string &name, run &result) {
    std::string escaped = std::regex_replace(name, std::regex("[.+]"), "\\$&");
    collector reporter;
    unsigned failed_before = failed_runs();
    disturbance_watch watch;
    benchmark::RunSpecifiedBenchmarks(&reporter, "^" + escaped + "/iterations:1/manual_time$");
    double foreign = watch.foreign_share();
    if (reporter.runs_.size() != 1 || failed_runs() != failed_before)
        return false;
    result = reporter.runs_[0];
    result.run_name.iterations.clear();
    result.run_name.time_type.clear();
    result.counters["foreign_share"] = foreign;
    return true;
}

// Repeats a run that other work disturbed, as long as the budget lasts; keeps the least disturbed.
bool run_undisturbed(const round_options &options, const std::string &name, std::size_t &budget, run &best) {
    if (!run_once(name, best))
        return false;
    for (unsigned repeat = 0;
         repeat < options.repeats && budget > 0 && best.counters["foreign_share"] > options.foreign_limit;
         ++repeat, --budget) {
        run again;
        if (run_once(name, again) && again.counters["foreign_share"] < best.counters["foreign_share"])
            best = again;
    }
    return true;
}

class progress {
  public:
    explicit progress(std::size_t total) : total_(total), begin_ns_(plc_bench_now_ns()), terminal_(isatty(2) == 1) {}
    void step(unsigned round, unsigned rounds, const std::string &name, double ns) {
        ++done_;
        double spent = static_cast<double>(plc_bench_now_ns() - begin_ns_) * 1e-9;
        double left = spent / static_cast<double>(done_) * static_cast<double>(total_ - done_);
        // A terminal sees one line that changes; a log gets a line now and then.
        if (!terminal_ && done_ % 50 != 0 && done_ != total_)
            return;
        std::fprintf(stderr, "%s[%zu/%zu] round %u/%u, about %d:%02d left: %s %.1f ns%s", terminal_ ? "\r\033[K" : "",
                     done_, total_, round, rounds, static_cast<int>(left) / 60, static_cast<int>(left) % 60,
                     name.c_str(), ns, terminal_ && done_ != total_ ? "" : "\n");
    }

  private:
    std::size_t total_, done_ = 0;
    uint64_t begin_ns_;
    bool terminal_;
};
} // namespace

bool run_rounds(const round_options &options, const std::string &filter) {
    std::vector<chosen_cell> cells = choose(options, filter);
    std::size_t runs_per_round = 0;
    for (const chosen_cell &each : cells)
        runs_per_round += each.peers.size();
    if (runs_per_round == 0)
        return false;

    std::ofstream json(options.json);
    benchmark::JSONReporter writer;
    writer.SetOutputStream(&json);
    writer.SetErrorStream(&json);
    benchmark::BenchmarkReporter::Context context;
    writer.ReportContext(context);

    // The first signal ends the rounds and keeps what there is; the next one kills.
    struct sigaction on_interrupt {};
    on_interrupt.sa_handler = [](int) { interrupted = 1; };
    on_interrupt.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &on_interrupt, nullptr);
    sigaction(SIGTERM, &on_interrupt, nullptr);

    // The watchdog's thread writes only while this one waits for a run.
    std::unique_ptr<watchdog> dog;
    if (options.watched)
        dog = std::make_unique<watchdog>([&] {
            writer.Finalize();
            json.close();
        });
    std::mt19937_64 random(options.seed);
    // Where everything is disturbed, repeating everything helps nobody.
    std::size_t repeat_budget = runs_per_round * options.rounds / 5;
    progress shown(runs_per_round * options.rounds);
    for (unsigned round = 0; round < options.rounds && !interrupted; ++round) {
        unsigned number = options.first_round + round;
        want_waits(options.waits_every != 0 && number % options.waits_every == 0);
        for (chosen_cell &each : cells) {
            std::shuffle(each.peers.begin(), each.peers.end(), random);
            for (const std::string &peer : each.peers) {
                run result;
                if (dog)
                    dog->begin(each.name + "/" + peer);
                bool measured = !interrupted && run_undisturbed(options, each.name + "/" + peer, repeat_budget, result);
                if (dog)
                    dog->end();
                if (!measured)
                    continue;
                result.repetition_index = number;
                result.repetitions = options.rounds;
                writer.ReportRuns({result});
                shown.step(round + 1, options.rounds, each.name + "/" + peer, result.GetAdjustedRealTime());
            }
        }
    }
    writer.Finalize();
    return true;
}
} // namespace plc_bench
