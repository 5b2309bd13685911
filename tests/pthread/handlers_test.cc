/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a program can see of its signal handlers: what it installed, and each signal with all that came with it. */
#include "steps.h"

#include <csignal>
#include <cstdlib>
#include <sys/wait.h>
#include <ucontext.h>
#include <utility>
#include <vector>

using namespace dropin;
using plc_test::SingleStep;
using plc_test::Step;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

using Handler = void (*)(int);

/* ---- Which handler is installed */

volatile int last_handled = -1;

template <int Number>
void handler(int) {
    last_handled = Number;
}

void handler_with_information(int, siginfo_t *, void *) {
    last_handled = 1000;
}

struct sigaction installed(int number) {
    struct sigaction action = {};
    EXPECT_EQ(sigaction(number, nullptr, &action), 0);
    return action;
}

void install_and_look() {
    for (int number : {SIGUSR1, SIGCHLD, SIGCONT, SIGTSTP, SIGSEGV, SIGALRM, SIGRTMIN, SIGRTMAX}) {
        for (int flags : {0, static_cast<int>(SA_RESTART), static_cast<int>(SA_NODEFER | SA_ONSTACK),
                          static_cast<int>(SA_RESETHAND), static_cast<int>(SA_NOCLDSTOP)}) {
            struct sigaction plain = {};
            plain.sa_handler = handler<1>;
            plain.sa_flags = flags;
            sigaddset(&plain.sa_mask, SIGUSR2);
            struct sigaction with_information = {};
            with_information.sa_sigaction = handler_with_information;
            with_information.sa_flags = flags | SA_SIGINFO;
            struct sigaction old = {};
            ASSERT_EQ(sigaction(number, &plain, nullptr), 0);
            ASSERT_EQ(sigaction(number, &with_information, &old), 0);
            EXPECT_EQ(old.sa_handler, handler<1>);
            EXPECT_EQ(old.sa_flags & ~0x04000000, flags); /* but for the kernel's own, SA_RESTORER */
            EXPECT_EQ(sigismember(&old.sa_mask, SIGUSR2), 1);
            EXPECT_EQ(sigismember(&old.sa_mask, SIGUSR1), 0);
            EXPECT_EQ(installed(number).sa_sigaction, handler_with_information);
            EXPECT_EQ(installed(number).sa_flags & ~0x04000000, flags | SA_SIGINFO);
            ASSERT_EQ(sigaction(number, &old, &with_information), 0);
            EXPECT_EQ(with_information.sa_sigaction, handler_with_information);
            EXPECT_EQ(installed(number).sa_handler, handler<1>);
        }
        ASSERT_EQ(std::signal(number, SIG_DFL), handler<1>);
        EXPECT_EQ(installed(number).sa_handler, SIG_DFL);
    }
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
void install_in_every_way() {
    std::signal(SIGUSR1, SIG_IGN); /* whatever it was when the test was started */
    EXPECT_EQ(std::signal(SIGUSR1, handler<2>), SIG_IGN);
    EXPECT_NE(installed(SIGUSR1).sa_flags & SA_RESTART, 0);
    EXPECT_EQ(sigset(SIGUSR1, handler<3>), handler<2>);
    EXPECT_EQ(sysv_signal(SIGUSR1, handler<4>), handler<3>);
    EXPECT_NE(installed(SIGUSR1).sa_flags & static_cast<int>(SA_RESETHAND), 0);
    EXPECT_EQ(ssignal(SIGUSR1, handler<5>), handler<4>);
    EXPECT_EQ(sigset(SIGUSR1, SIG_HOLD), handler<5>);
    EXPECT_EQ(installed(SIGUSR1).sa_handler, handler<5>);
    EXPECT_EQ(sigset(SIGUSR1, handler<5>), SIG_HOLD);
    EXPECT_EQ(std::signal(SIGKILL, handler<5>), SIG_ERR);
    EXPECT_EQ(std::signal(-1, handler<5>), SIG_ERR);
    /* What others do with the handler that they find. */
    siginterrupt(SIGUSR1, 1);
    EXPECT_EQ(installed(SIGUSR1).sa_handler, handler<5>);
    EXPECT_EQ(installed(SIGUSR1).sa_flags & SA_RESTART, 0);
    siginterrupt(SIGUSR1, 0);
    std::signal(SIGINT, SIG_DFL);
    EXPECT_EQ(std::signal(SIGINT, handler<6>), SIG_DFL);
    EXPECT_EQ(std::system("exit 7"), 7 << 8);
    EXPECT_EQ(std::signal(SIGINT, SIG_DFL), handler<6>);
    raise(SIGUSR1);
    EXPECT_EQ(last_handled, 5);
    EXPECT_EQ(std::signal(SIGUSR1, SIG_DFL), handler<5>);
}
#pragma GCC diagnostic pop

/* More than there are stand-ins for them. */
template <int... Numbers>
void install_each(std::integer_sequence<int, Numbers...>) {
    Handler previous = SIG_DFL;
    std::signal(SIGUSR2, previous);
    const auto install = [&](Handler next, int number) {
        EXPECT_EQ(std::signal(SIGUSR2, next), previous);
        previous = next;
        raise(SIGUSR2);
        EXPECT_EQ(last_handled, number);
    };
    (install(handler<Numbers>, Numbers), ...);
}

void install_many() {
    install_each(std::make_integer_sequence<int, 150>());
    std::signal(SIGUSR2, SIG_DFL);
}

/* In children: some of these handlers make libplc block signals, for good. */
int failures_in_child(void (*body)()) {
    return plc_test::in_child([body] {
        body();
        return testing::Test::HasFailure() ? 1 : 0;
    });
}

TEST(Handlers, SigactionReturnsWhatWasInstalled) {
    EXPECT_EQ(failures_in_child(install_and_look), 0);
}

TEST(Handlers, EveryWayReturnsWhatAnyOtherInstalled) {
    EXPECT_EQ(failures_in_child(install_in_every_way), 0);
}

TEST(Handlers, AreAsManyAsAProgramLikes) {
    EXPECT_EQ(failures_in_child(install_many), 0);
}

/* It shares its parent's memory, and has handlers of its own. */
TEST(Handlers, OfTheChildOfAVforkAreNotItsParents) {
    std::signal(SIGUSR1, handler<7>);
    std::signal(SIGUSR2, handler<8>);
    const pid_t child = vfork();
    if (child == 0) {
        std::signal(SIGUSR1, handler<9>);
        std::signal(SIGUSR2, SIG_DFL);
        _exit(0);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_EQ(installed(SIGUSR1).sa_handler, handler<7>);
    EXPECT_EQ(installed(SIGUSR2).sa_handler, handler<8>);
    raise(SIGUSR1);
    EXPECT_EQ(last_handled, 7);
    raise(SIGUSR2);
    EXPECT_EQ(last_handled, 8);
    std::signal(SIGUSR1, SIG_DFL);
    std::signal(SIGUSR2, SIG_DFL);
}

/* ---- What a handler is told, wherever its thread is: in the slow path of a lock, too */

struct Told {
    unsigned long count;
    long last_value;
    bool is_wrong;
};

Told told;
sigset_t mask_of_test;
int flags_of_test = 0;
char stack_of_handlers[1 << 20];
pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;

/* Of signals that come at once, the handlers of the later ones interrupt those of the earlier ones. */
bool may_nest() {
    return (flags_of_test & SA_NODEFER) != 0;
}

bool is_on_stack_of_handlers(const void *address) {
    const auto *byte = static_cast<const char *>(address);
    return byte >= stack_of_handlers && byte < stack_of_handlers + sizeof stack_of_handlers;
}

/* Each once, in the order in which they came; the sender is this process, and mask and stack are as they were asked for. */
void be_told(int number, siginfo_t *information, void *context) {
    const int saved_errno = errno;
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, nullptr, &now);
    const long value = information->si_value.sival_int;
    told.is_wrong |= information->si_signo != number || information->si_code != SI_QUEUE;
    told.is_wrong |= information->si_pid != getpid() || information->si_uid != getuid();
    told.is_wrong |= value <= told.last_value && !may_nest();
    told.is_wrong |= sigismember(&now, SIGUSR2) != 1 || sigismember(&now, SIGTERM) != 0;
    told.is_wrong |= (sigismember(&now, number) == 1) != ((flags_of_test & SA_NODEFER) == 0);
    told.is_wrong |= is_on_stack_of_handlers(&now) != ((flags_of_test & SA_ONSTACK) != 0);
    const auto *interrupted = static_cast<ucontext_t *>(context);
    told.is_wrong |= sigismember(&interrupted->uc_sigmask, SIGUSR2) != 0 && !may_nest();
    told.is_wrong |= sigismember(&interrupted->uc_sigmask, SIGHUP) != 1;
    told.last_value = value;
    told.count++;
    if ((flags_of_test & static_cast<int>(SA_RESETHAND)) != 0) {
        struct sigaction again = {};
        again.sa_sigaction = be_told;
        again.sa_flags = flags_of_test | SA_SIGINFO;
        sigaddset(&again.sa_mask, SIGUSR2);
        sigaction(number, &again, nullptr);
    }
    errno = saved_errno;
}

int number_of_test = 0;
unsigned long sent = 0;

bool queue_here(const Step &step) {
    sigval value{};
    if ((kInstrumented || may_nest()) && step.number % 16 != 0)
        return true;              /* no more than the kernel queues, or the stack takes */
    for (int i = 0; i < 2; ++i) { /* the second one is queued already when the first one is handled */
        value.sival_int = static_cast<int>(2 * step.number) + i;
        sent += pthread_sigqueue(pthread_self(), number_of_test, value) == 0;
    }
    return true;
}

/* Two signals at each instruction of a lock that is not had, with all that a handler can ask for. */
int tell_everywhere(int number, int flags, bool beside_others) {
    if (beside_others)
        std::signal(SIGRTMIN + 1, handler<1>); /* cannot be put off: signals are blocked */
    number_of_test = number;
    flags_of_test = flags;
    stack_t stack = {};
    stack.ss_sp = stack_of_handlers;
    stack.ss_size = sizeof stack_of_handlers;
    sigaltstack(&stack, nullptr);
    sigemptyset(&mask_of_test);
    sigaddset(&mask_of_test, SIGHUP);
    pthread_sigmask(SIG_SETMASK, &mask_of_test, nullptr);
    struct sigaction action = {};
    action.sa_sigaction = be_told;
    action.sa_flags = flags | SA_SIGINFO;
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(number, &action, nullptr);
    std::thread([] { pthread_mutex_lock(&busy); }).join();
    const timespec past = at(1, 0);
    int code = 0;
    errno = 77;
    SingleStep::run(queue_here, [&] { code = pthread_mutex_timedlock(&busy, &past); });
    const int last_errno = errno;
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, nullptr, &now);
    const bool has_mask = sigismember(&now, SIGHUP) == 1 && sigismember(&now, number) == 0 &&
                          sigismember(&now, SIGTERM) == 0 && sigismember(&now, SIGUSR2) == 0;
    sigpending(&now);
    if (told.is_wrong || code != ETIMEDOUT || last_errno != 77 || !has_mask || sigismember(&now, number) != 0)
        return 1;
    if (number >= SIGRTMIN) /* they are queued: each is handled, in order */
        return told.count == sent ? 0 : 2;
    return told.count >= sent / 8 && told.count <= sent ? 0 : 3;
}

class Everywhere : public testing::TestWithParam<std::tuple<int, int, bool>> {};

INSTANTIATE_TEST_SUITE_P(Step, Everywhere,
                         testing::Combine(testing::Values(SIGUSR1, SIGCONT, SIGRTMIN),
                                          testing::Values(0, static_cast<int>(SA_NODEFER), static_cast<int>(SA_ONSTACK),
                                                          static_cast<int>(SA_RESETHAND),
                                                          static_cast<int>(SA_NODEFER | SA_ONSTACK | SA_RESTART)),
                                          testing::Bool()));

TEST_P(Everywhere, AHandlerIsToldAllThatCameWithTheSignal) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] { return std::apply(tell_everywhere, GetParam()); }), 0);
}

/* ---- Handlers of one shot: wherever the signal comes, they run once, and are forgotten */

volatile unsigned shots = 0;
unsigned long step_of_signal = 0;
unsigned long steps_seen = 0;

void count_shot(int) {
    shots = shots + 1;
}

bool raise_once(const Step &step) {
    steps_seen = step.number;
    if (step.number == step_of_signal)
        raise(SIGUSR1);
    return true;
}

bool has_default_action(int number) {
    const struct sigaction action = installed(number);
    return action.sa_handler == SIG_DFL && (static_cast<unsigned>(action.sa_flags) & SA_RESETHAND) != 0;
}

void shoot_at(unsigned long step) {
    const timespec past = at(1, 0);
    struct sigaction action = {};
    action.sa_handler = count_shot;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGUSR1, &action, nullptr);
    shots = 0;
    step_of_signal = step;
    SingleStep::run(raise_once, [&] { pthread_mutex_timedlock(&busy, &past); });
}

/* One signal in each run, counted from the end: a lock spins first, and its sections come after that. */
int shoot_everywhere() {
    constexpr unsigned long kShots = 16;
    std::thread([] { pthread_mutex_lock(&busy); }).join();
    shoot_at(0);
    shoot_at(0); /* the first time is longer */
    const unsigned long steps = steps_seen;
    unsigned long tries = 0; /* glibc's way is short */
    unsigned long hits = 0;
    const unsigned long apart = kInstrumented ? 97 : 31;
    for (unsigned long back = 8; back < steps && back / apart < kShots; back += apart) {
        shoot_at(steps - back);
        tries++;
        if (steps_seen < step_of_signal)
            continue;
        if (shots != 1 || !has_default_action(SIGUSR1))
            return 1;
        hits++;
    }
    return hits > 0 && hits >= tries / 2 ? 0 : 2;
}

TEST(Handlers, OfOneShotRunOnce) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child(shoot_everywhere), 0);
}

/* ---- Many at once: two threads change the handler, and a third one, busy with a lock, has the signals */

std::atomic<unsigned> first_count{0};
std::atomic<unsigned> second_count{0};

void count_first(int) {
    ++first_count;
}

void count_second(int) {
    ++second_count;
}

struct sigaction counting(Handler handler, unsigned flags) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = static_cast<int>(flags);
    return action;
}

/* With handlers of one shot each signal has one that was installed for it; whoever puts one off may not lose another's. */
void change_while_signals_come(unsigned flags) {
    const unsigned kSignals = flags == 0 ? 500 : 100;
    static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
    std::atomic<bool> is_over{false};
    const unsigned before = first_count + second_count;
    const struct sigaction action = counting(count_first, flags);
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    const auto hammer = [&] {
        while (!is_over) {
            const timespec past = at(1, 0);
            if (pthread_mutex_timedlock(&contended, &past) == 0)
                pthread_mutex_unlock(&contended);
        }
    };
    const auto change = [&](Handler mine) {
        const struct sigaction next = counting(mine, flags);
        for (unsigned i = 0; !is_over; ++i) {
            struct sigaction old = {};
            EXPECT_EQ(sigaction(SIGUSR1, &next, &old), 0);
            EXPECT_TRUE(old.sa_handler == count_first || old.sa_handler == count_second ||
                        (flags != 0 && old.sa_handler == SIG_DFL));
            if (i % 16 == 0)
                std::this_thread::yield();
        }
    };
    std::thread victim(hammer);
    std::thread other(hammer);
    std::thread first(change, count_first);
    std::thread second(change, count_second);
    for (unsigned i = 0; i < kSignals; ++i) {
        ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
        ASSERT_EQ(pthread_kill(victim.native_handle(), SIGUSR1), 0);
        while (first_count + second_count - before <= i) /* each is handled once, by one of the two */
            std::this_thread::yield();
    }
    is_over = true;
    for (std::thread *thread : {&victim, &other, &first, &second})
        thread->join();
    EXPECT_EQ(first_count + second_count - before, kSignals);
    std::signal(SIGUSR1, SIG_DFL);
}

TEST(Handlers, ChangeWhileSignalsCome) {
    change_while_signals_come(0);
}

TEST(Handlers, OfOneShotChangeWhileSignalsCome) {
    change_while_signals_come(SA_RESETHAND);
}

} // namespace
