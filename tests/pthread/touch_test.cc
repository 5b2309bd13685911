/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whoever lets go of a lock does not touch it afterwards: the next owner may take its memory away, after any instruction. */
#include "steps.h"

#include <sys/mman.h>

using namespace dropin;
using plc_test::SingleStep;
using plc_test::Step;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

/* In a page of its own, which is taken away as soon as another owner might: any touch after that is a fault. Each test runs in a process of
   its own, which that ends. */
struct Page {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    pthread_cond_t cond;
};

Page *page = nullptr;
volatile bool is_gone = false;
pthread_mutex_t mutex_elsewhere = PTHREAD_MUTEX_INITIALIZER;

void make_page() {
    page = static_cast<Page *>(mmap(nullptr, sizeof *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    is_gone = false;
}

void take_page_away() {
    mprotect(page, sizeof *page, PROT_NONE);
    is_gone = true;
}

/* ---- Nobody waits: the page goes as soon as the mutex looks free */

bool watch_mutex(const Step &) {
    if ((__atomic_load_n(&page->mutex.__data.__lock, __ATOMIC_RELAXED) & 1) != 0)
        return true;
    take_page_away();
    return false;
}

class Kinds : public testing::TestWithParam<std::tuple<int, bool>> {};
INSTANTIATE_TEST_SUITE_P(Unlock, Kinds,
                         testing::Combine(testing::Values(PTHREAD_MUTEX_TIMED_NP, PTHREAD_MUTEX_RECURSIVE_NP,
                                                          PTHREAD_MUTEX_ERRORCHECK_NP, PTHREAD_MUTEX_ADAPTIVE_NP),
                                          testing::Bool()));

/* In a process that has never had a second thread, and in one that has: the first may do without atomic operations. */
TEST_P(Kinds, IsTheLastTouchOfAMutex) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] {
                  const auto [type, has_threads] = GetParam();
                  if (has_threads)
                      std::thread([] {}).join();
                  make_page();
                  MutexAttributes attributes(type);
                  pthread_mutex_init(&page->mutex, &attributes.value);
                  pthread_mutex_lock(&page->mutex);
                  int code = -1;
                  SingleStep::run(watch_mutex, [&] { code = pthread_mutex_unlock(&page->mutex); });
                  return code != 0 || !is_gone;
              }),
              0);
}

/* ---- Somebody waits, and takes the page away once it was his turn. He is waited for after each instruction. */

const Sleeper *next_owner = nullptr;

bool let_the_next_owner_go_on(const Step &) {
    next_owner->await();
    return !is_gone;
}

struct Release {
    const char *name;
    void (*prepare)();
    void (*sleeper)();
    int (*release)();
};

void lock_mutex() {
    pthread_mutex_lock(&page->mutex);
}

int unlock_mutex() {
    return pthread_mutex_unlock(&page->mutex);
}

void have_mutex() {
    pthread_mutex_lock(&page->mutex);
    pthread_mutex_unlock(&page->mutex);
    take_page_away();
}

void lock_recursive() {
    MutexAttributes attributes(PTHREAD_MUTEX_RECURSIVE_NP);
    pthread_mutex_init(&page->mutex, &attributes.value);
    pthread_mutex_lock(&page->mutex);
}

void read_rwlock() {
    pthread_rwlock_rdlock(&page->rwlock);
}

void write_rwlock() {
    pthread_rwlock_wrlock(&page->rwlock);
}

int unlock_rwlock() {
    return pthread_rwlock_unlock(&page->rwlock);
}

void have_rwlock_to_write() {
    pthread_rwlock_wrlock(&page->rwlock);
    pthread_rwlock_unlock(&page->rwlock);
    take_page_away();
}

void have_rwlock_to_read() {
    pthread_rwlock_rdlock(&page->rwlock);
    pthread_rwlock_unlock(&page->rwlock);
    take_page_away();
}

void nothing() {}

void be_notified() {
    pthread_mutex_lock(&mutex_elsewhere);
    pthread_cond_wait(&page->cond, &mutex_elsewhere);
    pthread_mutex_unlock(&mutex_elsewhere);
    pthread_cond_destroy(&page->cond);
    take_page_away();
}

int signal_cond() {
    return pthread_cond_signal(&page->cond);
}

int broadcast_cond() {
    return pthread_cond_broadcast(&page->cond);
}

class Handed : public testing::TestWithParam<Release> {};

std::string name_of(const testing::TestParamInfo<Release> &info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Unlock, Handed,
                         testing::Values(Release{"Mutex", lock_mutex, have_mutex, unlock_mutex},
                                         Release{"RecursiveMutex", lock_recursive, have_mutex, unlock_mutex}),
                         name_of);

/* glibc promises less. */
INSTANTIATE_TEST_SUITE_P(Libplc, Handed,
                         testing::Values(Release{"WriterToWriter", write_rwlock, have_rwlock_to_write, unlock_rwlock},
                                         Release{"WriterToReader", write_rwlock, have_rwlock_to_read, unlock_rwlock},
                                         Release{"ReaderToWriter", read_rwlock, have_rwlock_to_write, unlock_rwlock},
                                         Release{"CondSignal", nothing, be_notified, signal_cond},
                                         Release{"CondBroadcast", nothing, be_notified, broadcast_cond}),
                         name_of);

TEST_P(Handed, OverNothingIsTouchedAnyMore) {
    DROPIN_NEEDS_SINGLE_STEPS();
    EXPECT_EQ(plc_test::in_child([] {
                  make_page();
                  GetParam().prepare();
                  Sleeper sleeper(GetParam().sleeper);
                  next_owner = &sleeper;
                  int code = -1;
                  SingleStep::run(let_the_next_owner_go_on, [&] {
                      errno = 4711;
                      code = GetParam().release();
                      code |= errno ^ 4711; /* it woke somebody, and left errno alone */
                  });
                  sleeper.join();
                  return code != 0 || !is_gone;
              }),
              0);
}

} // namespace
